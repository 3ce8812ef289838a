"""How likely a matched movement is a micro-expression: small networks, calibrated, kept as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from mer_live.realtime.spotter.matched import FEATURES, Faces
from mer_live.realtime.spotter.signals import Array

COEFFICIENTS = Path(__file__).with_name("spotter.json")


class _Net:
    """M networks of two hidden tanh layers on the same features; the mean of their outputs is the logit."""

    def __init__(self, made: dict[str, Any]) -> None:
        if tuple(made["features"]) != FEATURES:
            raise ValueError(
                "the spotter's coefficients were made for other features: run mer-bench fit-spotter"
            )
        self._mean, self._scale = np.array(made["mean"]), np.array(made["scale"])
        self._layers = [(np.array(w), np.array(b)) for w, b in made["layers"]]  # (M, in, out), (M, 1, out)
        self._gain, self._bias = float(made["gain"]), float(made["bias"])

    def __call__(self, features: Array) -> Array:
        """(J, F) features -> (J,) probabilities."""
        x = np.clip((features - self._mean) / self._scale, -5.0, 5.0)[None]
        for k, (w, b) in enumerate(self._layers):
            x = x @ w + b
            if k < len(self._layers) - 1:
                x = np.tanh(x)
        value = self._gain * x[..., 0].mean(0) + self._bias
        return np.asarray(1.0 / (1.0 + np.exp(-np.clip(value, -30.0, 30.0))))


class Scorer:
    """What ``mer-bench fit-spotter`` makes: patterns and covariance of faces, and two calibrated networks.

    ``apex`` scores movements that have just turned back, ``offset`` those that have ended: (J, F) features of
    `matched.Matched` -> (J,) probabilities.

    Raises:
        ValueError: the file's features are not this version's.
    """

    def __init__(self, made: dict[str, Any]) -> None:
        faces = made["faces"]
        self.faces = Faces(np.array(faces["covariance"]), np.array(faces["patterns"]))
        self.apex, self.offset = _Net(made["networks"]["apex"]), _Net(made["networks"]["offset"])

    @classmethod
    def load(cls, path: Path = COEFFICIENTS) -> Scorer:
        """The shipped coefficients."""
        return cls(json.loads(path.read_text(encoding="utf-8")))
