"""``mer-bench delay``: a true event -> decided -> emitted -> on the screen, at the rates of real cameras.

The bundled clip is replayed as a live camera, so every time is on one monotonic clock: the true apex (or
offset) happens at the source's epoch plus its time in the clip.
"""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from rich.console import Console

from mer_live.benchmarks.inputs import HeldClip, demo_recording
from mer_live.benchmarks.result import Figure, Result
from mer_live.engines.bundle import load_bundle
from mer_live.realtime.config import BUNDLES
from mer_live.realtime.demo.clip import TrueEvent, match
from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.process import settle_process
from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.sinks.terminal import TerminalSink
from mer_live.realtime.sources.memory import MemorySource
from mer_live.realtime.types import Event

RATES = (30, 60, 100, 200)
_REFRESH_S = 0.125
STEPS = ("decided", "emitted", "shown")


@dataclass(slots=True)
class _Emissions:
    """A sink that notes when each revision came out of the pipeline; ``shown`` is filled by the display."""

    emitted: list[tuple[Event, int]] = field(default_factory=list)
    shown: dict[tuple[int, int], int] = field(default_factory=dict)

    def write(self, item: Event) -> None:
        if item.state != "withdrawn":
            self.emitted.append((item, time.monotonic_ns()))

    def close(self) -> None:
        """Nothing to finish."""


def run(quick: bool = False) -> Result:
    """Replay the clip at each rate; 10 s a rate (quick: 6 s)."""
    settle_process()
    result = Result("delay", {"quick": quick, "rates": RATES, "refresh_ms": 1e3 * _REFRESH_S})
    recording = demo_recording(6.0 if quick else None)
    with Recognizer([load_bundle(name) for name in BUNDLES]) as recognizer:
        for fps in RATES:
            _one_rate(result, recording.at_rate(fps), fps, recognizer)
            result.time_kernel()
    return result


def _one_rate(result: Result, recording: HeldClip, fps: int, recognizer: Recognizer) -> None:
    emissions, terminal = (
        _Emissions(),
        TerminalSink(Console(file=io.StringIO(), force_terminal=True, width=120)),
    )
    source = MemorySource(recording.frames, t_ns=recording.t_ns.tolist(), pace="realtime")
    pipeline = Pipeline(source, recognizer, [emissions, terminal])
    pipeline.start()
    while not pipeline.join(_REFRESH_S):
        _refresh(terminal, pipeline, emissions)
    _refresh(terminal, pipeline, emissions)
    terminal.end()
    if pipeline.error is not None:
        raise pipeline.error
    assert source.epoch_ns is not None
    for phase in ("provisional", "final"):
        delays = _delays(emissions, recording.truth, source.epoch_ns, phase)
        found = f"{len(delays)} of {len(recording.truth)} events"
        for step, column in zip(STEPS, np.array(delays).reshape(-1, 3).T, strict=True):
            value, low, high = (
                (float(v) for v in np.percentile(column, (50, 25, 75))) if len(column) else (None,) * 3
            )
            name = f"{fps} fps {phase}: {step}"
            note = f"after the true {'apex' if phase == 'provisional' else 'offset'}; {found}"
            note += f"; {pipeline.dropped} frames lost" if pipeline.dropped else ""
            result.figures.append(Figure(name, value, "ms", len(column), low, high, note=note))
        result.details[f"{fps} {phase}"] = delays
    result.details[f"{fps} dropped"] = pipeline.dropped


def _refresh(terminal: TerminalSink, pipeline: Pipeline, emissions: _Emissions) -> None:
    waiting = [event for event, _ in emissions.emitted if (event.id, event.revision) not in emissions.shown]
    terminal.refresh(pipeline)
    now = time.monotonic_ns()
    emissions.shown.update({(event.id, event.revision): now for event in waiting})


def _delays(
    emissions: _Emissions, truth: Sequence[TrueEvent], epoch_ns: int, phase: str
) -> list[tuple[float, float, float]]:
    """(decided, emitted, shown) ms after the true apex or offset, for each true event that was found."""
    of_phase = [(event, at) for event, at in emissions.emitted if event.state == phase]
    delays = []
    for true in truth:
        event = match(true, [event for event, _ in of_phase])
        if event is None:
            continue
        happened_ns = (true.span.apex if phase == "provisional" else true.span.end).t_ns
        emitted = next(at for candidate, at in of_phase if candidate is event)
        shown = emissions.shown[event.id, event.revision]
        steps = (event.decided.t_ns, emitted - epoch_ns, shown - epoch_ns)
        delays.append(tuple((ns - happened_ns) / 1e6 for ns in steps))
    return delays  # type: ignore[return-value]
