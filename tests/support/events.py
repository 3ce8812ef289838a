"""An event as the recogniser's thread makes it, to be varied with `dataclasses.replace`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mer_live.realtime.types import Event, Face, Moment, Span

PROVISIONAL = Event(
    id=3,
    revision=1,
    state="provisional",
    label="surprise",
    probs=np.array([0.1, 0.2, 0.7], np.float32),
    score=0.9,
    span=Span(Moment(10, 50_000_000), Moment(30, 150_000_000), None),
    decided=Moment(38, 190_000_000),
    compute_ns=12_345_678,
    stages_ns=(("queue", 345_678), ("represent", 12_000_000)),
    engine="madtn+atnet",
    backend="openvino",
    face=Face(2, (10, 20, 110, 140)),
)
FINAL = replace(
    PROVISIONAL,
    revision=2,
    state="final",
    span=replace(PROVISIONAL.span, offset=Moment(60, 300_000_000)),
    decided=Moment(70, 350_000_000),
)
SETTLED = replace(FINAL, revision=3, state="settled", decided=Moment(160, 800_000_000))
GONE = replace(
    PROVISIONAL, revision=2, state="withdrawn", decided=Moment(120, 600_000_000), reason="too long"
)
