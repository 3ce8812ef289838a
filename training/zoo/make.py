"""The shipped bundles, made: clips of the training people, trained networks, scores on people never seen."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mer_live.engines.executors import LocalExecutor
from mer_live.engines.networks.base import Network
from mer_live.training.export.bundle import export_bundle
from mer_live.training.export.card import told_of
from mer_live.training.learning.pretrain import load
from mer_live.training.synthesis.prepared_set import DATASET
from mer_live.training.zoo.cards import ATTRIBUTION, LICENCE, deviations
from mer_live.training.zoo.clips import ADM, DEVICE_ADM, make_clips
from mer_live.training.zoo.recipes import RECIPES, ZooConfig, ready, render_macro, representations, untrained
from mer_live.training.zoo.report import DEVICE_FLOW, TOGETHER, plot, reports
from mer_live.training.zoo.score import new_people

log = logging.getLogger(__name__)
MOST_LOST = 0.015
"""UF1 that a bundle may lose on a flow that its card permits."""
LOG_FORMAT = "%(asctime)s %(message)s"


@dataclass(frozen=True, slots=True)
class _Material:
    faces: Path
    work: Path
    how: ZooConfig


@dataclass(frozen=True, slots=True)
class _Trained:
    network: Network
    config: Mapping[str, Any]
    """Settings of the method."""
    told: Mapping[str, Any]
    """What the card says of the training."""
    probabilities: NDArray[np.float32]
    """(N, 3) on the held-out clips."""
    on_device: NDArray[np.float32] | None
    """The same with rows of a device's flow; None: it reads none."""
    samples: Mapping[str, NDArray[np.float32]]
    """Input of the network -> 16 held-out clips' rows, for the parity check."""


def make_zoo(
    faces: Path,
    work: Path,
    out: Path,
    config: ZooConfig | None = None,
    only: Sequence[str] = tuple(RECIPES),
) -> dict[str, Any]:
    """Train, score and write the bundles ``out/NAME``, all of `RECIPES` or ``only`` some; gives the scores.

    Clips are kept in ``work`` and reused; ``work/scores.png`` shows the scores by strength. ``config.jobs``
    networks are trained at once, each on one thread: the weights do not depend on the number of processors.
    Raises ValueError for unusable photographs or settings, ExportError when a written network differs from the
    trained one, ExecutorError when a process died.
    """
    how = config or ZooConfig()
    if unknown := sorted(set(only) - set(RECIPES)):
        raise ValueError(f"there is no recipe for {unknown[0]!r}; there are {', '.join(RECIPES)}")
    began = time.monotonic()
    train = make_clips(faces, work, split="train", count=how.clips, seed=how.seed, jobs=how.jobs)
    held = new_people(faces, work, how)
    overlap = set(train.subject) & set(held.subject)
    if overlap:
        raise ValueError(f"people in both sets: {sorted(overlap)}")
    people = {"train": len(set(train.subject)), "held out": len(set(held.subject))}
    del train  # some 2 GB, which each training process reads for itself
    if how.spatial_weights:
        load(how.spatial_weights, [f"{DATASET}/{person}" for person in held.subject])
    for name in only:
        render_macro(name, faces, work, how, how.jobs)
        if ADM in representations(untrained(name, how)).values():
            new_people(faces, work, how, DEVICE_ADM)
    log.info("clips ready after %.0f s", time.monotonic() - began)
    longest_first = [name for name in ("mtm", "atnet", "madtn", "sa-at") if name in only]
    trained = dict(LocalExecutor(how.jobs).run(_train, _Material(faces, work, how), longest_first))
    probs = {name: trained[name].probabilities for name in only}
    there = {f"{n}, {DEVICE_FLOW}": p for n in only if (p := trained[n].on_device) is not None}
    results = reports({**probs, **there}, held)
    plot(results, work / "scores.png")
    for name in only:
        made, method = trained[name], untrained(name, how)
        also = _permitted(results, name)
        export_bundle(
            made.network,
            representations(method),
            made.samples,
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
                "protocol": f"{how.held_clips} synthetic clips of {people['held out']} people not in training, "
                "UF1/UAR pooled",
                "own": results[name],
                **also,
                **{
                    f"average of {', '.join(o)}": results["+".join(o)]
                    for o in TOGETHER
                    if name in o and set(o) <= set(only)
                },
            },
            flows=(DEVICE_ADM.flow.method,) if also else (),
            training={**made.told, "clips": how.clips, "seed": how.seed, "people": people},
            papers=(method.paper,),
            deviations=deviations(name, made.config),
        )
    log.info("bundles written after %.0f s", time.monotonic() - began)
    return results


def _permitted(results: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The score on a device's flow, where it is so near the bundle's own that its card may permit that flow."""
    there = results.get(f"{name}, {DEVICE_FLOW}")
    if there is None or results[name]["final"]["uf1"] - there["final"]["uf1"] > MOST_LOST:
        return {}
    return {DEVICE_FLOW: there}


def _train(material: _Material, name: str) -> _Trained:
    """Train and score one bundle's network on the clips that ``work`` holds."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, datefmt="%H:%M:%S")  # a fresh process has none
    torch.set_num_threads(1)
    faces, work, how = material.faces, material.work, material.how
    method = ready(name, faces, work, how)
    specs = representations(method)

    def progress(epoch: int, epochs: int, loss: float) -> None:
        log.info("%s: epoch %d of %d, loss %.3f", name, epoch, epochs, loss)

    method.progress = progress
    clips = make_clips(faces, work, split="train", count=how.clips, seed=how.seed, jobs=1)
    method.fit(clips.labelled(specs), seed=how.seed)
    del clips
    how = replace(how, jobs=1)
    held = new_people(faces, work, how).inputs(specs)
    on_device = None
    if ADM in specs.values():
        there = {key: DEVICE_ADM if spec == ADM else spec for key, spec in specs.items()}
        on_device = method.predict(new_people(faces, work, how, DEVICE_ADM).inputs(there))
    count = 2 * how.held_clips  # provisional and final
    chosen = np.linspace(0, count - 1, 16).astype(int)
    shown = method.tensors({key: array[chosen] for key, array in held.items()})
    samples = {key: tensor.numpy() for key, tensor in shown.items()}
    log.info("%s is trained", name)
    assert method.network is not None
    told, own = told_of(method), method.predict(held)
    return _Trained(method.network, asdict(method.config), told, own, on_device, samples)
