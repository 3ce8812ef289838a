"""The shipped bundles, made: clips of the training people, both networks, scores on people never seen."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mer_live.engines.networks.base import Network
from mer_live.training.export import export_bundle
from mer_live.training.pretrain import card_of, load
from mer_live.training.synth_set import DATASET
from mer_live.training.zoo_cards import ATTRIBUTION, LICENCE, PAPERS, deviations
from mer_live.training.zoo_clips import make_clips
from mer_live.training.zoo_mtm import train_mtm
from mer_live.training.zoo_report import plot, report
from mer_live.training.zoo_sa_at import train_sa_at
from mer_live.training.zoo_train import SPECS, ZooConfig, inputs_of, probabilities, train_atnet, train_madtn

log = logging.getLogger(__name__)


def make_zoo(
    faces: Path,
    work: Path,
    out: Path,
    config: ZooConfig | None = None,
    only: Sequence[str] = tuple(SPECS),
) -> dict[str, Any]:
    """Train, score and write the bundles ``out/NAME``, all of `SPECS` or ``only`` some; gives the scores.

    Clips are kept in ``work`` and reused; ``work/scores.png`` shows the scores by strength. Raises ValueError
    for unusable photographs, ExportError when a written network differs from the trained one.
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
    log.info("%d clips ready after %.0f s", how.clips + how.held_clips, time.monotonic() - began)
    begun: dict[str, Any] = {}
    if how.spatial_weights:
        barred = [f"{DATASET}/{person}" for person in held.subject]
        begun = {"spatial stream began with": card_of(load(how.spatial_weights, barred).provenance)}
    networks: dict[str, Network] = {}
    told: dict[str, Mapping[str, Any]] = {}
    for name in only:
        if name == "sa-at":
            networks[name], told[name] = train_sa_at(train, faces, work, how.seed, how.jobs, how.sa_at)
        elif name == "mtm":
            networks[name], told[name] = train_mtm(train, faces, work, how.seed, how.jobs, how.mtm)
        else:
            networks[name] = {"madtn": train_madtn, "atnet": train_atnet}[name](train, how)
            told[name] = {
                k: v for k, v in asdict(how).items() if k not in ("sa_at", "mtm", "spatial_weights")
            }
            if name == "atnet":
                told[name] = {**told[name], **begun}
    probs = {name: probabilities(network, held, name) for name, network in networks.items()}
    results = {name: report(p, held) for name, p in probs.items()}
    together = {}
    if {"madtn", "atnet"} <= set(probs):
        results["average"] = report(np.mean([probs["madtn"], probs["atnet"]], axis=0), held)
        together = {"average of madtn and atnet": results["average"]}
    plot(results, work / "scores.png")
    people = {"train": len(set(train.subject)), "held out": len(set(held.subject))}
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
            papers=(PAPERS[name],),
            deviations=deviations(how)[name],
        )
    log.info("bundles written after %.0f s", time.monotonic() - began)
    return results
