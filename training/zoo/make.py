"""The shipped bundles, made: clips of the training people, both networks, scores on people never seen."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mer_live.engines.networks.base import Network
from mer_live.training.executors import LocalExecutor
from mer_live.training.export.bundle import export_bundle
from mer_live.training.learning.pretrain import card_of, load
from mer_live.training.methods import make_method
from mer_live.training.synthesis.prepared_set import DATASET
from mer_live.training.zoo.cards import ATTRIBUTION, LICENCE, deviations
from mer_live.training.zoo.clips import make_clips
from mer_live.training.zoo.mtm import render_macro, train_mtm
from mer_live.training.zoo.report import plot, report
from mer_live.training.zoo.sa_at import render_stills, train_sa_at
from mer_live.training.zoo.train import SPECS, ZooConfig, inputs_of, probabilities, train_atnet, train_madtn

log = logging.getLogger(__name__)
LOG_FORMAT = "%(asctime)s %(message)s"


@dataclass(frozen=True, slots=True)
class _Material:
    faces: Path
    work: Path
    how: ZooConfig


@dataclass(frozen=True, slots=True)
class _Trained:
    network: Network
    told: Mapping[str, Any]
    """What the card says of the training."""
    probabilities: NDArray[np.float32]
    """(N, 3) on the held-out clips."""


def make_zoo(
    faces: Path,
    work: Path,
    out: Path,
    config: ZooConfig | None = None,
    only: Sequence[str] = tuple(SPECS),
) -> dict[str, Any]:
    """Train, score and write the bundles ``out/NAME``, all of `SPECS` or ``only`` some; gives the scores.

    Clips are kept in ``work`` and reused; ``work/scores.png`` shows the scores by strength. ``config.jobs``
    networks are trained at once, each on one thread: the weights do not depend on the number of processors.
    Raises ValueError for unusable photographs, ExportError when a written network differs from the trained
    one, ExecutorError when a process died.
    """
    how = config or ZooConfig()
    if unknown := sorted(set(only) - set(SPECS)):
        raise ValueError(f"there is no recipe for {unknown[0]!r}; there are {', '.join(SPECS)}")
    began = time.monotonic()
    train = make_clips(faces, work, split="train", count=how.clips, seed=how.seed, jobs=how.jobs)
    held = make_clips(faces, work, split="test", count=how.held_clips, seed=how.seed, jobs=how.jobs)
    overlap = set(train.subject) & set(held.subject)
    if overlap:
        raise ValueError(f"people in both sets: {sorted(overlap)}")
    people = {"train": len(set(train.subject)), "held out": len(set(held.subject))}
    del train  # some 2 GB, which each training process reads for itself
    log.info("%d clips ready after %.0f s", how.clips + how.held_clips, time.monotonic() - began)
    begun: dict[str, Any] = {}
    if how.spatial_weights:
        barred = [f"{DATASET}/{person}" for person in held.subject]
        begun = {"spatial stream began with": card_of(load(how.spatial_weights, barred).provenance)}
    if "sa-at" in only:
        render_stills(faces, work, how.seed, how.jobs, how.sa_at)
    if "mtm" in only:
        render_macro(faces, work, how.seed, how.jobs, how.mtm)
    material = _Material(faces, work, how)
    longest_first = [name for name in ("mtm", "sa-at", "madtn", "atnet") if name in only]
    trained = dict(LocalExecutor(how.jobs).run(_train, material, longest_first))
    networks = {name: trained[name].network for name in only}
    told = {name: dict(trained[name].told) for name in only}
    if "atnet" in only:
        told["atnet"] |= begun
    probs = {name: trained[name].probabilities for name in only}
    results = {name: report(p, held) for name, p in probs.items()}
    together = {}
    if {"madtn", "atnet"} <= set(probs):
        results["average"] = report(np.mean([probs["madtn"], probs["atnet"]], axis=0), held)
        together = {"average of madtn and atnet": results["average"]}
    plot(results, work / "scores.png")
    for name, network in networks.items():
        rows = np.linspace(0, len(held.label) - 1, 16).astype(int)
        export_bundle(
            network,
            SPECS[name],
            inputs_of(held, rows, name),
            out / name,
            name=name,
            version="0.1.0",
            data=(
                f"{how.clips} synthetic micro-expressions of {people['train']} people: photographs of the Face "
                "Research Lab London Set animated by mer-train synth (0.5-4 px at a 224 px crop, 25-200 fps); "
                "no spontaneous micro-expression was seen in training."
            ),
            licence=LICENCE,
            attribution=ATTRIBUTION,
            scores={
                "protocol": f"synthetic clips of {people['held out']} people not in training, UF1/UAR pooled",
                "own": results[name],
                **(together if name in ("madtn", "atnet") else {}),
            },
            training={**told[name], "people": people},
            papers=(make_method(name).paper,),
            deviations=deviations(how)[name],
        )
    log.info("bundles written after %.0f s", time.monotonic() - began)
    return results


def _train(material: _Material, name: str) -> _Trained:
    """Train and score one bundle's network on the clips that ``work`` holds."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, datefmt="%H:%M:%S")  # a fresh process has none
    torch.set_num_threads(1)
    faces, work, how = material.faces, material.work, material.how
    train = make_clips(faces, work, split="train", count=how.clips, seed=how.seed, jobs=1)
    network: Network
    told: Mapping[str, Any]
    if name == "sa-at":
        network, told = train_sa_at(train, faces, work, how.seed, how.sa_at)
    elif name == "mtm":
        network, told = train_mtm(train, faces, work, how.seed, how.mtm)
    else:
        network = {"madtn": train_madtn, "atnet": train_atnet}[name](train, how)
        told = {k: v for k, v in asdict(how).items() if k not in ("sa_at", "mtm", "spatial_weights", "jobs")}
    held = make_clips(faces, work, split="test", count=how.held_clips, seed=how.seed, jobs=1)
    log.info("%s is trained", name)
    return _Trained(network, told, probabilities(network, held, name))
