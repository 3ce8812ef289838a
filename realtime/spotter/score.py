"""How likely a movement is a micro-expression, and a face's motion speech: small networks, calibrated, as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from mer_live.engines.records import from_json
from mer_live.realtime.motion.stage import FlowSpec
from mer_live.realtime.spotter.constants import check_constants
from mer_live.realtime.spotter.evidence import EVIDENCE, SPEECH_COSTS, lower_in_speech
from mer_live.realtime.spotter.matched import FEATURES, Faces
from mer_live.realtime.spotter.signals import Array
from mer_live.realtime.spotter.speaking import SPEECH

COEFFICIENTS = Path(__file__).with_name("spotter.json")
INPUTS: dict[str, tuple[str, ...]] = {
    "speech": SPEECH,
    "apex": FEATURES,
    "offset": FEATURES,
    "final": EVIDENCE,
    "settled": EVIDENCE,
}
"""Name of a network -> names of what it reads."""


class Net:
    """M networks of tanh layers on the same features; the mean of their outputs is the log odds."""

    def __init__(self, made: dict[str, Any]) -> None:
        self._mean, self._scale = np.array(made["mean"]), np.array(made["scale"])
        self._layers = [(np.array(w), np.array(b)) for w, b in made["layers"]]  # (M, in, out), (M, 1, out)
        self._gain, self._bias = float(made["gain"]), float(made["bias"])

    def __call__(self, features: Array) -> Array:
        """(J, F) features -> (J,) log odds, not calibrated."""
        x = np.minimum(np.maximum((features - self._mean) / self._scale, -5.0), 5.0)[None]
        for k, (w, b) in enumerate(self._layers):
            x = x @ w + b
            if k < len(self._layers) - 1:
                x = np.tanh(x)
        return np.asarray(x[..., 0].mean(0))

    def calibrated(self, log_odds: Array) -> Array:
        """Raw log odds -> calibrated ones."""
        return np.asarray(np.minimum(np.maximum(self._gain * log_odds + self._bias, -30.0), 30.0))


def probability(log_odds: Array) -> Array:
    """Log odds -> 0..1."""
    return np.asarray(1.0 / (1.0 + np.exp(-log_odds)))


class Scorer:
    """What ``mer-train fit-spotter`` makes: patterns and covariance of faces, and five calibrated networks.

    ``apex`` scores movements that have just turned back, ``offset`` those that have ended: (J, F) features of
    `matched.Matched` -> (J,) log odds. ``final`` and ``settled`` judge one of them by its surroundings too,
    when it is announced and half a second later.

    Raises:
        ValueError: a constant is not what it was when the coefficients were fitted; the sentence names it.
    """

    def __init__(self, made: dict[str, Any]) -> None:
        check_constants(made.get("constants", {}))
        self.flow = from_json(FlowSpec, made["flow"])
        """The dense flow that the meter starts its tracking with."""
        faces = made["faces"]
        self.faces = Faces(np.array(faces["covariance"]), np.array(faces["patterns"]))
        nets = {name: Net(made["networks"][name]) for name in INPUTS}
        self._speech = nets["speech"]
        self._found = {"apex": nets["apex"], "offset": nets["offset"]}
        self._judges = {"final": nets["final"], "settled": nets["settled"]}

    def speech(self, features: Array) -> Array:
        """(J, len(SPEECH)) -> (J,) log odds of speaking."""
        return self._speech(features)

    def apex(self, features: Array) -> Array:
        """(J, len(FEATURES)) -> (J,) log odds of movements that have just turned back."""
        return self._found["apex"].calibrated(self._found["apex"](features))

    def offset(self, features: Array) -> Array:
        """(J, len(FEATURES)) -> (J,) log odds of movements that have just ended, by their course alone."""
        return self._found["offset"](features)

    def judge(self, phase: str, features: Array) -> float:
        """(len(EVIDENCE),) -> probability; less for a mouth that speaks."""
        net = self._judges[phase]
        cost = SPEECH_COSTS * lower_in_speech(features, later=phase == "settled")
        return float(probability(net.calibrated(net(features[None]) - cost))[0])

    @classmethod
    def load(cls, path: Path = COEFFICIENTS) -> Scorer:
        """The shipped coefficients."""
        return cls(json.loads(path.read_text(encoding="utf-8")))
