"""The spotter's networks: trained with torch, written as plain numbers, calibrated on what they have not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.spotter.matched import FEATURES

Array = NDArray[np.float64]
_HIDDEN, _EPOCHS, _BATCH, _RATE, _DECAY = 16, 6, 512, 5e-3, 0.05


@dataclass(frozen=True, slots=True)
class Examples:
    """Hypotheses of one phase."""

    features: Array
    """(N, F)."""
    label: NDArray[np.bool_]
    """(N,) True where it is a micro-expression."""


def joined(parts: Sequence[Examples]) -> Examples:
    """All hypotheses together."""
    return Examples(np.concatenate([p.features for p in parts]), np.concatenate([p.label for p in parts]))


def train(data: Examples, *, seed: int = 0, members: int = 3) -> dict[str, Any]:
    """``members`` networks of two hidden layers, not yet calibrated, as `realtime.spotter.score` reads them."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits

    torch.set_num_threads(1)
    mean, scale = data.features.mean(0), data.features.std(0) + 1e-3
    x = torch.tensor(np.clip((data.features - mean) / scale, -5, 5), dtype=torch.float32)
    y = torch.tensor(data.label, dtype=torch.float32)
    nets = []
    for k in range(members):
        torch.manual_seed(seed + k)
        layers = [
            torch.nn.Linear(x.shape[1], _HIDDEN),
            torch.nn.Linear(_HIDDEN, _HIDDEN),
            torch.nn.Linear(_HIDDEN, 1),
        ]
        net = torch.nn.Sequential(layers[0], torch.nn.Tanh(), layers[1], torch.nn.Tanh(), layers[2])
        optimiser = torch.optim.AdamW(net.parameters(), _RATE, weight_decay=_DECAY)
        for epoch in range(_EPOCHS):
            optimiser.param_groups[0]["lr"] = _RATE * (1 - epoch / _EPOCHS) + 1e-4
            order = torch.randperm(len(x))
            for first in range(0, len(x), _BATCH):
                batch = order[first : first + _BATCH]
                loss = binary_cross_entropy_with_logits(net(x[batch])[:, 0], y[batch])
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimiser.step()
        nets.append(layers)
    stacked = []
    for k in range(3):
        w = np.stack([layers[k].weight.detach().numpy().T for layers in nets])  # (M, in, out)
        b = np.stack([layers[k].bias.detach().numpy()[None] for layers in nets])  # (M, 1, out)
        stacked.append([np.round(w.astype(float), 4).tolist(), np.round(b.astype(float), 4).tolist()])
    return {
        "features": list(FEATURES),
        "mean": np.round(mean, 5).tolist(),
        "scale": np.round(scale, 5).tolist(),
        "layers": stacked,
        "gain": 1.0,
        "bias": 0.0,
        "hypotheses": len(data.label),
        "right": int(data.label.sum()),
    }


def calibrated(net: dict[str, Any], heard: Sequence[tuple[float, bool]]) -> dict[str, Any]:
    """The network with Platt's gain and bias from (score, right) of candidates that its like had not seen."""
    from sklearn.linear_model import LogisticRegression

    score = np.clip([s for s, _ in heard], 1e-6, 1 - 1e-6)
    logit = np.log(score / (1 - score))[:, None]
    platt = LogisticRegression(C=1e3).fit(logit, [right for _, right in heard])
    gain, bias = float(platt.coef_[0, 0]), float(platt.intercept_[0])
    return {**net, "gain": round(gain, 4), "bias": round(bias, 4), "candidates": len(heard)}
