"""Macro-expression pretraining: any network, a prepared set in; weights with their provenance out.

SA-AT's teacher, the spatial stream of ATNet and MTM's MaNet all begin with the large expressions that
databases have many of. Which clips those are does not matter here: CK+, MMI, JAFFE or any other set that
``mer-train prepare`` writes, or people rendered by ``mer-train synth-set --kind macro``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from mer_live.engines.bundle import file_sha256
from mer_live.engines.files import whole, write_json
from mer_live.engines.networks import build
from mer_live.engines.networks.base import Network
from mer_live.engines.records import to_json
from mer_live.engines.representation.adm import mirror_adm
from mer_live.engines.representation.represent import network_input
from mer_live.engines.representation.specs import make_spec
from mer_live.training.learning.augment import shake
from mer_live.training.learning.checkpoint import halved, here
from mer_live.training.learning.data import Inputs, Rows
from mer_live.training.learning.hold_back import disjoint_rows
from mer_live.training.learning.losses import Terms
from mer_live.training.learning.settings import apply_settings
from mer_live.training.learning.trainer import derive, epoch_batches, one_cycle, seeded, train_network
from mer_live.training.metrics import confusion, scores
from mer_live.training.prepared.prepared_set import PreparedSet

log = logging.getLogger(__name__)

WEIGHTS, PROVENANCE = "weights.pt", "weights.json"
_MIRRORED = ("apex", "frames", "adm")
"""Inputs that can be mirrored as stored; a flow image cannot."""


@dataclass(frozen=True, slots=True)
class PretrainConfig:
    """Everything that decides the weights, besides network and data.

    SA-AT trains its teacher with batches of 64 at a rate of 1e-4; ours follows one cosine, which needs a tenth
    of the epochs.
    """

    epochs: int = 12
    batch: int = 64
    lr: float = 1e-3
    """Peak of AdamW's rate: warm-up over a tenth of the steps, then a cosine to zero."""
    weight_decay: float = 0.02
    rotation_deg: float = 8.0
    shift_px: float = 8.0
    """At a 224 px image."""
    mirror: bool = True
    """Half of the clips, where every input can be mirrored."""
    held_fraction: float = 0.15
    """Share of the people who are held back for the scores; 0 trains on all and scores nothing."""
    size: int = 0
    """Side of the images of ``apex`` and ``frames``; 0 keeps the stored one."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Pretrained:
    """A network and where its weights come from."""

    network: Network
    provenance: Mapping[str, Any]
    """``network`` {name, config}, ``inputs``, ``data`` (folder, hash, counts, subjects trained on, what
    ``prepare.json`` says), ``config``, ``scores`` on the people held back, ``torch``."""


def pretrain(
    name: str,
    settings: Mapping[str, Any],
    data: PreparedSet,
    config: PretrainConfig | None = None,
    barred: Collection[str] = (),
) -> Pretrained:
    """Train a network from scratch on a prepared set.

    Args:
        name: Of `networks.build`.
        settings: Fields of its configuration; text is read as the field's type.
        data: Needs an array for each of the network's inputs.
        config: How to train.
        barred: Subjects to leave out, such as the ones a fold is tested on.

    Raises:
        ValueError: Unknown network or setting, or too few people.
        PreparedError: An array is missing or does not fit.
    """
    how = config or PretrainConfig()
    prepared = data.subset(~np.isin(data.subjects, sorted(barred)))
    if not len(prepared):
        raise ValueError(f"{data.path} holds only people who must not be trained on: take another set")
    blank = build(name)
    chosen = to_json(apply_settings(blank.config, {"classes": len(prepared.classes), **settings}))
    with seeded(derive(how.seed, 0)):
        network = build(name, chosen)
    inputs = {i: _images(prepared, i, how.size) for i in network.input_names}
    held = np.zeros(len(prepared), bool)
    if how.held_fraction:
        held = disjoint_rows(prepared.subjects, prepared.labels, how.held_fraction, how.seed)
    rows = np.flatnonzero(~held)
    _train(network, {i: array[rows] for i, array in inputs.items()}, prepared.labels[rows], how)
    found: dict[str, Any] = {}
    if held.any():
        guess = _predict(network, {i: array[held] for i, array in inputs.items()})
        pooled = scores(confusion(prepared.labels[held], guess, len(prepared.classes))).as_dict()
        found |= {k: round(v, 4) for k, v in pooled.items()}
        found |= {"clips": int(held.sum()), "subjects": sorted(set(map(str, prepared.subjects[held])))}
        log.info("held-back people: UF1 %.3f, UAR %.3f on %d clips", pooled["uf1"], pooled["uar"], held.sum())
    provenance = {
        "network": {"name": name, "config": to_json(network.config)},
        "inputs": {i: list(array.shape[1:]) for i, array in inputs.items()},
        "data": {
            "folder": prepared.path.name,
            "samples": prepared.hash,
            "counts": prepared.counts,
            "trained_on": sorted(set(map(str, prepared.subjects[rows]))),
            "prepared": prepared.parameters,
        },
        "config": asdict(how),
        "scores": found,
        "torch": torch.__version__,
    }
    return Pretrained(network, provenance)


def save(pretrained: Pretrained, folder: Path) -> Path:
    """Write ``weights.pt`` (a state dict) and ``weights.json`` into the folder and return it."""
    with whole(folder / WEIGHTS) as partial:
        torch.save(pretrained.network.state_dict(), partial)
    write_json(folder / PROVENANCE, {**pretrained.provenance, "sha256": file_sha256(folder / WEIGHTS)})
    return folder


def load(folder: str | Path, barred: Collection[str] = ()) -> Pretrained:
    """Read what `save` wrote; the network comes back in eval mode.

    Raises:
        ValueError: A file is missing, the weights are not the ones described, or they have seen one of
            the ``barred`` people, who are to be tested.
    """
    home = Path(folder)
    for file in (WEIGHTS, PROVENANCE):
        if not (home / file).is_file():
            raise ValueError(f"{home / file} is missing: give a folder that mer-train pretrain wrote")
    provenance = json.loads((home / PROVENANCE).read_text(encoding="utf-8"))
    if file_sha256(home / WEIGHTS) != provenance.get("sha256"):
        raise ValueError(f"{home / WEIGHTS} is not what {PROVENANCE} describes: pretrain again")
    seen = sorted(set(provenance["data"]["trained_on"]) & set(barred))
    if seen:
        raise ValueError(f"the weights in {folder} have seen {seen[0]}, who is to be tested: leave them out")
    network = build(provenance["network"]["name"], provenance["network"]["config"])
    network.load_state_dict(torch.load(home / WEIGHTS, weights_only=True))
    return Pretrained(network.eval(), provenance)


def card_of(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """What the card of a bundle tells of the weights that it began with or was taught by: no paths, no names."""
    data, scores = provenance["data"], dict(provenance["scores"])
    held = scores.pop("subjects", [])
    rendered = data["prepared"].get("synthetic", {})
    return {
        "network": provenance["network"],
        "sha256": provenance["sha256"],
        "macro-expressions": {name: counts["clips"] for name, counts in data["counts"].items()},
        "samples": data["samples"],
        "rendered": {k: v for k, v in rendered.items() if k != "people"},
        "people": len(data["trained_on"]),
        "config": provenance["config"],
        "scores": scores | {"people held back": len(held)},
    }


def start_from(network: nn.Module, folder: str | Path, prefix: str, barred: Collection[str] = ()) -> None:
    """Copy the pretrained weights whose names begin with ``prefix`` (``streams.apex.``) into a network.

    Raises:
        ValueError: The two do not have the same weights under that prefix, or as `load`.
    """
    weights = {k: v for k, v in load(folder, barred).network.state_dict().items() if k.startswith(prefix)}
    own = {k: v for k, v in network.state_dict().items() if k.startswith(prefix)}
    if not weights or {k: v.shape for k, v in weights.items()} != {k: v.shape for k, v in own.items()}:
        raise ValueError(f"the weights in {folder} do not fit {prefix}*: pretrain the same network")
    network.load_state_dict({**network.state_dict(), **weights})


def _images(prepared: PreparedSet, name: str, size: int) -> NDArray[Any]:
    array = prepared.array(name)
    if not size or name not in ("apex", "frames") or array.shape[-1] == size:
        return np.asarray(array)
    if name == "apex":
        return np.asarray(prepared.array(name, (size, size)))
    count, steps = array.shape[:2]
    from mer_live.training.prepared.arrays import resize_rows

    flat = resize_rows(array.reshape(count * steps, *array.shape[2:]), (size, size), name)
    return flat.reshape(count, steps, size, size)


def _augmented(rows: dict[str, NDArray[Any]], rng: np.random.Generator, how: PretrainConfig) -> Inputs:
    count = len(next(iter(rows.values())))
    flip = rng.random(count) < 0.5 if how.mirror and set(rows) <= set(_MIRRORED) else np.zeros(count, bool)
    for name, array in rows.items():
        if name == "adm":
            array[flip] = mirror_adm(array[flip])
        elif name in _MIRRORED:
            array[flip] = array[flip][..., ::-1]
            rows[name] = shake(array, rng, how.rotation_deg, how.shift_px * array.shape[-1] / 224)
    return rows


def _tensors(arrays: Inputs) -> list[Tensor]:
    tensors = []
    for name, array in arrays.items():
        shape: dict[str, Any] = {}
        if name in ("apex", "frames"):
            shape = {"size": array.shape[-1]} | ({"steps": array.shape[1]} if name == "frames" else {})
        elif name in ("motion", "flow3"):
            shape = {"size": array.shape[1]}
        tensors.append(torch.from_numpy(network_input(array, make_spec(name, **shape))))
    return tensors


def _train(network: Network, inputs: Inputs, labels: NDArray[np.int64], how: PretrainConfig) -> None:
    rng = np.random.default_rng(derive(how.seed, 1))
    steps = how.epochs * len(epoch_batches(len(labels), how.batch, np.random.default_rng(0)))
    target = torch.from_numpy(np.ascontiguousarray(labels)).to(here())

    def terms(rows: Rows) -> Terms:
        x = _tensors(_augmented({name: np.array(array[rows]) for name, array in inputs.items()}, rng, how))
        # Three times faster where the processor has units for it; weights and scores stay float32.
        with halved(True):
            logits = network(*(tensor.to(here()) for tensor in x))
        return {"cross_entropy": (1.0, F.cross_entropy(logits.float(), target[rows]))}

    def progress(epoch: int, losses: dict[str, float]) -> None:
        log.info("epoch %d of %d: loss %.3f", epoch, how.epochs, losses["total"])

    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with seeded(derive(how.seed, 2)):
        train_network(
            network,
            one_cycle(network.parameters(), how.lr, how.weight_decay, steps),
            lambda: epoch_batches(len(labels), how.batch, rng),
            terms,
            epochs=how.epochs,
            progress=progress,
            generators=(rng,),
        )
    network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def _predict(network: Network, inputs: Inputs, batch: int = 64) -> NDArray[np.int64]:
    count = len(next(iter(inputs.values())))
    with torch.no_grad():
        parts = [
            network(*_tensors({n: a[k : k + batch] for n, a in inputs.items()})).argmax(1)
            for k in range(0, count, batch)
        ]
    return np.asarray(torch.cat(parts).numpy(), np.int64)
