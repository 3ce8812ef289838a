"""From a sheet's emotion to the three classes, per protocol."""

from __future__ import annotations

from typing import Literal

Scheme = Literal["cde", "cdmer"]
"""cde: composite and holdout (MEGC 2019); cdmer: cross-database (Zong et al.)."""

_NAMES = {
    "happy": "happiness",
    "sad": "sadness",
    "angry": "anger",
    "others": "other",
    "surprised": "surprise",
}

_CDE: dict[str, dict[str, int]] = {
    "casme2": {"disgust": 0, "repression": 0, "happiness": 1, "surprise": 2},
    "samm": {"anger": 0, "contempt": 0, "disgust": 0, "fear": 0, "sadness": 0, "happiness": 1, "surprise": 2},
}
_CDMER: dict[str, dict[str, int]] = {
    "casme2": {"disgust": 0, "sadness": 0, "fear": 0, "happiness": 1, "surprise": 2},
}
_ANY = {
    **_CDE["samm"],
    "negative": 0,
    "positive": 1,
}

LEFT_OUT_OF_CDE = frozenset({("casme2/004", "EP12_01f"), ("casme2/005", "EP09_05f")})
"""(subject, clip) that the MEGC 2019 list leaves out although their emotion has a class."""


def emotion_name(written: str) -> str:
    """Return one spelling of an emotion: lower case, ``Happy`` is happiness, ``Others`` is other."""
    plain = written.strip().lower()
    return _NAMES.get(plain, plain)


def class_of(dataset: str, emotion: str, scheme: Scheme) -> int | None:
    """Return 0 negative, 1 positive, 2 surprise, or None where the protocol gives the emotion no class.

    Databases for which the protocol names no rule take the usual one: happiness is positive; anger,
    contempt, disgust, fear and sadness are negative.
    """
    table = (_CDE if scheme == "cde" else _CDMER).get(dataset, _ANY)
    return table.get(emotion_name(emotion))
