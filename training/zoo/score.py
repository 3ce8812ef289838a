"""Bundles on disk, scored on the held-out clips of the zoo without training anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.bundle import Bundle, load_bundle
from mer_live.engines.representation.represent import network_input
from mer_live.engines.representation.specs import AdmSpec
from mer_live.engines.runners import open_runner
from mer_live.training.zoo.clips import ADM, DEVICE_ADM, ZooClips, make_clips
from mer_live.training.zoo.recipes import ZooConfig
from mer_live.training.zoo.report import DEVICE_FLOW, plot, reports

_BATCH = 50


def score_zoo(
    faces: Path, work: Path, folder: Path, config: ZooConfig, only: Sequence[str]
) -> Mapping[str, Any]:
    """Scores, as of `make_zoo`, of the bundles ``folder/NAME`` and of their averages; draws ``work/scores.png`` too.

    Raises ValueError for unusable photographs or clips that do not hold what a bundle sees, BundleError for a bundle
    that is not there.
    """
    held = new_people(faces, work, config)
    bundles = {name: load_bundle(folder / name) for name in only}
    probs = {name: probabilities(bundle, held) for name, bundle in bundles.items()}
    method = DEVICE_ADM.flow.method
    permitting = {n: b.with_flow(method) for n, b in bundles.items() if method in b.card.flows}
    if permitting:
        there = new_people(faces, work, config, DEVICE_ADM)
        probs |= {f"{name}, {DEVICE_FLOW}": probabilities(b, there) for name, b in permitting.items()}
    found = reports(probs, held)
    plot(found, work / "scores.png")
    return found


def new_people(faces: Path, work: Path, config: ZooConfig, adm: AdmSpec = ADM) -> ZooClips:
    """Clips of people whom no bundle saw, with such rows; ValueError as `make_clips`."""
    count, seed, jobs = config.held_clips, config.seed, config.jobs
    return make_clips(faces, work, split="test", count=count, seed=seed, jobs=jobs, adm=adm)


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
