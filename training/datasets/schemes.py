"""Classes other than the usual three: 4, 5 or 7 of a database, or any names, by the annotators' words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mer_live.realtime.types import CLASSES
from mer_live.training.datasets.labels import emotion_name, usual_class
from mer_live.training.datasets.sample import Reading

_FOUR = (*CLASSES, "other")
_BASIC = ("anger", "contempt", "disgust", "fear", "happiness", "sadness", "surprise")
NUMBERED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "4": dict.fromkeys(("casme2", "samm", "casme3", "casme-sq"), _FOUR),
    "5": {
        "4dme": ("negative", "other", "positive", "repression", "surprise"),
        "casme2": ("disgust", "happiness", "other", "repression", "surprise"),
        "samm": ("anger", "contempt", "happiness", "other", "surprise"),
    },
    "6": {"mmew": ("anger", "disgust", "fear", "happiness", "sadness", "surprise")},
    "7": {
        "mmew": ("anger", "disgust", "fear", "happiness", "other", "sadness", "surprise"),
        "dfme": _BASIC,
        "casme3": ("anger", "disgust", "fear", "happiness", "other", "sadness", "surprise"),
    },
}
"""``--classes NUMBER`` -> database -> the classes that papers on it mean by that number."""


def check_classes(names: Sequence[object]) -> tuple[str, ...]:
    """Return the names of classes, in their order.

    Raises:
        ValueError: Fewer than two, one twice, or a name that could not stand in a table or a file.
    """
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise ValueError("classes are a list of names, such as happiness, disgust, other")
    found = tuple(str(name) for name in names)
    if len(found) < 2 or len(set(found)) != len(found):
        raise ValueError(f"classes are two or more different names, not {', '.join(found) or 'none'}")
    for name in found:
        if not re.fullmatch(r"[a-z][a-z0-9 _-]{0,30}", name):
            raise ValueError(
                f"the class {name!r} must be up to 31 lower-case letters, digits, spaces, _ and -"
            )
    return found


def classes_named(text: str, datasets: Sequence[str]) -> tuple[str, ...]:
    """Return the classes that ``--classes`` means for these databases: 3, 4, 5, 7, or names.

    Args:
        text: ``5``, or ``happiness,disgust,other``.
        datasets: Canonical names.

    Raises:
        ValueError: The number means nothing for a database, or different things for two of them.
    """
    if not text.isdecimal():
        return check_classes([emotion_name(name) for name in text.split(",") if name.strip()])
    if text == str(len(CLASSES)):
        return CLASSES
    meant = {name: NUMBERED.get(text, {}).get(name) for name in datasets}
    if unknown := [name for name, classes in meant.items() if classes is None]:
        there = "; ".join(f"{n} of {', '.join(known)}" for n, known in NUMBERED.items())
        raise ValueError(
            f"--classes {text} says nothing for {unknown[0]} (known: {there}): name them, such as "
            "--classes happiness,disgust,other"
        )
    different = {classes for classes in meant.values() if classes is not None}
    if len(different) != 1:
        raise ValueError(
            f"--classes {text} means other words in {' and in '.join(meant)}: prepare them apart, or name the classes"
        )
    return different.pop()


def relabelled(reading: Reading, classes: tuple[str, ...]) -> Reading:
    """Return the same clips in other classes.

    A clip's class is the one called as its emotion; where there is none, the one called as the usual class of that
    emotion (so ``negative`` takes disgust, unless ``disgust`` is a class too); else the clip has none. A class without
    a clip is noted with the words that there are: macro-expressions lack some, or a name is misspelt.
    """

    def number(emotion: str) -> int | None:
        word = emotion_name(emotion)
        usual = usual_class(word)
        for name in (word, *(() if usual is None else (CLASSES[usual],))):
            if name in classes:
                return classes.index(name)
        return int(word) if word.isdecimal() and int(word) < len(classes) else None

    samples = tuple(replace(sample, label=number(sample.emotion)) for sample in reading.samples)
    empty = set(range(len(classes))) - {sample.label for sample in samples}
    words = ", ".join(sorted({sample.emotion for sample in samples})) or "none"
    notes = tuple(
        f"{classes[c]}: no clip is of this class; the annotators' words are {words}" for c in sorted(empty)
    )
    videos = tuple(
        replace(video, intervals=tuple(replace(one, label=number(one.emotion)) for one in video.intervals))
        for video in reading.videos
    )
    return replace(reading, samples=samples, videos=videos, classes=classes, notes=(*reading.notes, *notes))
