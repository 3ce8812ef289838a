"""The spotter's networks: trained with torch, written as plain numbers, calibrated on what they have not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.records import to_json
from mer_live.realtime.motion.regions import REGIONS
from mer_live.realtime.motion.stage import FlowSpec
from mer_live.realtime.spotter.constants import constants
from mer_live.realtime.spotter.matched import Faces
from mer_live.realtime.spotter.score import INPUTS, Scorer
from mer_live.realtime.spotter.signals import Array

_RATE = 5e-3
_LITTLE = 0.01
"""Weight of one wrong and one right candidate that every calibration begins with: it may hear of one kind only."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a network is built and trained."""

    hidden: tuple[int, ...] = (16, 16)
    members: int = 2
    epochs: int = 5
    batch: int = 512
    decay: float = 0.05


SHAPES: dict[str, Shape] = {
    "speech": Shape((12,), 1, 4),
    "apex": Shape(),
    "offset": Shape(),
}
_TIED = 0.01
"""Strength of a judge's data against its prior that nothing counts (C of scikit-learn)."""


def train(name: str, features: Array, label: NDArray[np.bool_], *, seed: int = 0) -> dict[str, Any]:
    """The network ``name``, not yet calibrated, as `realtime.spotter.score` reads it.

    Args:
        name: one of `SHAPES`.
        features: (N, F).
        label: (N,) True where it is a micro-expression; of "speech", where somebody speaks.
        seed: of the first weights and the order.
    """
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    torch.set_num_threads(1)
    shape = SHAPES[name]
    mean, scale = features.mean(0), features.std(0) + 1e-3
    x = torch.tensor(np.clip((features - mean) / scale, -5, 5), dtype=torch.float32)
    y = torch.tensor(label, dtype=torch.float32)
    sizes = (x.shape[1], *shape.hidden, 1)
    nets: list[list[torch.nn.Linear]] = []
    for k in range(shape.members):
        torch.manual_seed(seed + k)
        layers = [torch.nn.Linear(a, b) for a, b in pairwise(sizes)]
        parts: list[torch.nn.Module] = [layers[0]]
        for layer in layers[1:]:
            parts += [torch.nn.Tanh(), layer]
        net = torch.nn.Sequential(*parts)
        optimiser = torch.optim.AdamW(net.parameters(), _RATE, weight_decay=shape.decay)
        for epoch in range(shape.epochs):
            optimiser.param_groups[0]["lr"] = _RATE * (1 - epoch / shape.epochs) + 1e-4
            order = torch.randperm(len(x))
            for first in range(0, len(x), shape.batch):
                batch = order[first : first + shape.batch]
                loss = binary_cross_entropy_with_logits(net(x[batch])[:, 0], y[batch])
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
        nets.append(layers)
    stacked = []
    for k in range(len(sizes) - 1):
        wk = np.stack([layers[k].weight.detach().numpy().T for layers in nets])  # (M, in, out)
        bk = np.stack([layers[k].bias.detach().numpy()[None] for layers in nets])  # (M, 1, out)
        stacked.append([_short(wk), _short(bk)])
    return _written(mean, scale, stacked, label)


def judge(features: Array, label: NDArray[np.bool_]) -> dict[str, Any]:
    """A judge of (N, len(EVIDENCE)) features, linear: with few people, what is not does not carry over to others."""
    from sklearn.linear_model import LogisticRegression

    mean, scale = features.mean(0), features.std(0) + 1e-3
    told = LogisticRegression(C=_TIED, max_iter=500).fit(np.clip((features - mean) / scale, -5, 5), label)
    return _written(mean, scale, [[_short(told.coef_.T[None]), _short(told.intercept_[None, None])]], label)


def _written(mean: Array, scale: Array, layers: list[Any], label: NDArray[np.bool_]) -> dict[str, Any]:
    return {
        "mean": _short(mean),
        "scale": _short(scale),
        "layers": layers,
        "gain": 1.0,
        "bias": 0.0,
        "examples": len(label),
        "right": int(label.sum()),
    }


def _short(values: NDArray[Any]) -> Any:
    return np.round(values.astype(np.float64), 4).tolist()


def untrained(name: str) -> dict[str, Any]:
    """A network that says nothing, or of a judge, what the course alone said."""
    names = INPUTS[name]
    w, b = np.zeros((1, len(names), 1)), np.zeros((1, 1, 1))
    if "log_odds" in names:
        w[0, names.index("log_odds"), 0] = 1.0
    elif name != "speech":
        b -= 10.0  # a spotter that finds nothing
    layers = [[w.tolist(), b.tolist()]]
    one = [1.0] * len(names)
    return {
        "mean": [0.0] * len(names),
        "scale": one,
        "layers": layers,
        "gain": 1.0,
        "bias": 0.0,
    }


def scorer(faces: Faces, networks: dict[str, Any]) -> Scorer:
    """A scorer of the networks that there are already."""
    made = {name: networks.get(name) or untrained(name) for name in INPUTS}
    return Scorer(content(faces, made))


def content(faces: Faces, networks: dict[str, Any]) -> dict[str, Any]:
    """What `realtime.spotter.score` reads of them, with the flow and the constants that they depend on."""
    known = {"covariance": faces.covariance.tolist(), "patterns": faces.patterns.tolist()}
    return {"flow": to_json(FlowSpec()), "constants": constants(), "faces": known, "networks": networks}


def blank(faces: Faces) -> Scorer:
    """A scorer that knows faces and nothing else."""
    return scorer(faces, {})


def nobody() -> Scorer:
    """A scorer that needs no fit and finds nothing: motion is wanted, no decision."""
    n = 2 * len(REGIONS)
    return blank(Faces(np.eye(n), np.eye(n)))


def calibrated(net: dict[str, Any], heard: Sequence[tuple[float, bool, float]]) -> dict[str, Any]:
    """The network with Platt's gain and bias from (score, right, weight) of candidates its like had not seen."""
    from sklearn.linear_model import LogisticRegression

    told = [*heard, (0.01, False, _LITTLE), (0.99, True, _LITTLE)]
    score = np.clip([s for s, _, _ in told], 1e-6, 1 - 1e-6)
    logit = np.log(score / (1 - score))[:, None]
    weight = np.array([w for _, _, w in told])
    platt = LogisticRegression(C=1e3).fit(logit, [right for _, right, _ in told], weight)
    gain, bias = float(platt.coef_[0, 0]), float(platt.intercept_[0])
    return {**net, "gain": round(gain, 4), "bias": round(bias, 4), "candidates": len(heard)}
