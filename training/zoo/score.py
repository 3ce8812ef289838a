"""Bundles on disk, scored on the held-out clips of the zoo without training anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.bundle import Bundle, load_bundle
from mer_live.engines.representation.represent import network_input
from mer_live.engines.runners import open_runner
from mer_live.training.zoo.clips import ZooClips, make_clips
from mer_live.training.zoo.recipes import ZooConfig
from mer_live.training.zoo.report import plot, reports

_BATCH = 50


def score_zoo(
    faces: Path, work: Path, folder: Path, config: ZooConfig, only: Sequence[str]
) -> Mapping[str, Any]:
    """Scores, as of `make_zoo`, of the bundles ``folder/NAME`` and of their averages; draws ``work/scores.png`` too.

    Raises ValueError for unusable photographs or clips that do not hold what a bundle sees, BundleError for a bundle
    that is not there.
    """
    held = make_clips(faces, work, split="test", count=config.held_clips, seed=config.seed, jobs=config.jobs)
    found = reports({name: probabilities(load_bundle(folder / name), held) for name in only}, held)
    plot(found, work / "scores.png")
    return found


def probabilities(bundle: Bundle, clips: ZooClips) -> NDArray[np.float32]:
    """(N, 3) what a bundle says of each sample. Raises ValueError for clips that do not hold what it sees."""
    specs = {wanted.name: wanted.representation for wanted in bundle.card.inputs}
    inputs = {name: network_input(rows, specs[name]) for name, rows in clips.inputs(specs).items()}
    count = len(clips.label)
    with open_runner(bundle, "onnxruntime") as runner:
        logits = np.concatenate(
            [
                runner.infer({name: rows[a : a + _BATCH] for name, rows in inputs.items()})["logits"]
                for a in range(0, count, _BATCH)
            ]
        )
    exponent = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(exponent / exponent.sum(1, keepdims=True), np.float32)
