"""From a sheet's emotion to the three classes, per protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from mer_live.training.datasets.published import EMOTIONS

Scheme = Literal["cde", "cdmer", "all"]
"""cde: composite and holdout (MEGC 2019); cdmer: cross-database (Zong et al.); all: every clip that has a
class in either, so that one prepared set serves both protocols."""

_NAMES = {"happy": "happiness", "sad": "sadness", "angry": "anger", "others": "other"}
_RULES = {"cde": EMOTIONS["megc"], "cdmer": EMOTIONS["cdmer"]}
_USUAL: Mapping[str, int] = {**EMOTIONS["megc"]["samm"], "negative": 0, "positive": 1}

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
    word = emotion_name(emotion)
    if scheme == "all":
        tables = [rule[dataset] for rule in _RULES.values() if dataset in rule] or [_USUAL]
        return next((table[word] for table in tables if word in table), None)
    return _RULES[scheme].get(dataset, _USUAL).get(word)


def usual_class(word: str) -> int | None:
    """Return 0 negative, 1 positive, 2 surprise of an emotion, as `emotion_name` spells it; None for "other"."""
    return _USUAL.get(word)
