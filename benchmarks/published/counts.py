"""Who showed what in each database: people, and how many clips of each annotator's word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from mer_live.training.datasets.labels import usual_class
from mer_live.training.datasets.published import CDMER, MEGC2019

_BASIC = ("anger", "disgust", "fear", "happiness", "sadness", "surprise")
SHEET = "the owners' sheet"
MEMORY = "from memory of its paper"


@dataclass(frozen=True, slots=True)
class Count:
    """How many clips of which words, and where that is from."""

    people: int
    words: Mapping[str, int]
    known: str = SHEET
    """Where the numbers are from."""
    more: Mapping[str, int] = field(default_factory=dict)
    """Clips that the protocols leave out, of the same people and of ``others``."""
    others: int = 0
    """People of such clips alone."""

    @property
    def clips(self) -> int:
        """All of them."""
        return sum(self.words.values()) + sum(self.more.values())

    def rows(self, share: float = 1.0) -> Iterator[tuple[int, str]]:
        """(person from 1, word) of every clip; people take turns. Below 1 a share of each word, at least two."""
        everybody = self.people + self.others
        for words, first, step, people in (
            (self.words, 0, 1, self.people),
            (self.more, everybody - 1, -1, everybody),
        ):
            listed = [
                word for word, n in words.items() for _ in range(n if share == 1 else max(2, int(n * share)))
            ]
            people = people if share == 1 else max(3, int(people * share))
            for k, word in enumerate(listed):
                yield (first + step * k) % people + 1, word


def label_of(word: str, k: int) -> int:
    """The movement that stands for an annotator's word: its usual class, any of the three where it has none."""
    label = usual_class(word)
    return k % 3 if label is None else label


def _three(counts: tuple[int | None, int, int, int], known: str) -> Count:
    people, negative, positive, surprise = counts
    return Count(people or 0, {"negative": negative, "positive": positive, "surprise": surprise}, known)


COUNTS: Mapping[str, Count] = {
    "smic-hs": _three(MEGC2019["smic-hs"], "MEGC 2019"),
    "smic-vis": _three(CDMER["smic-vis"], "CDMER"),
    "smic-nir": _three(CDMER["smic-nir"], "CDMER"),
    "casme2": Count(
        24,
        {"disgust": 63, "repression": 27, "happiness": 32, "surprise": 25},
        SHEET,
        {"others": 99, "sadness": 7, "fear": 2},
        2,
    ),
    "samm": Count(
        28,
        {"anger": 57, "contempt": 12, "disgust": 9, "fear": 8, "sadness": 6, "happiness": 26, "surprise": 15},
        f"MEGC 2019; {MEMORY}: which negative",
        {"other": 26},
    ),
    "casme": Count(
        19,
        {
            "disgust": 88,
            "repression": 40,
            "tense": 31,
            "surprise": 20,
            "happiness": 5,
            "sadness": 6,
            "contempt": 3,
            "fear": 2,
        },
        "195 clips of 19 people; of which words is not known",
    ),
    "mmew": Count(
        36,
        {"happiness": 36, "anger": 8, "surprise": 89, "disgust": 72, "fear": 16, "sadness": 13, "others": 66},
        MEMORY,
    ),
    "4dme": Count(
        65, {"negative": 127, "positive": 34, "surprise": 30, "repression": 6, "others": 70}, MEMORY
    ),
    "casme3": Count(
        100,
        {"disgust": 250, "surprise": 187, "others": 161, "fear": 86, "anger": 64, "sad": 57, "happy": 55},
        f"{SHEET}: 860 rows; {MEMORY}: of which words",
    ),
    "dfme": Count(
        671,
        dict.fromkeys((*_BASIC, "contempt"), 1075) | {"disgust": 1076},
        "7,526 clips of 671 people (its paper; the sheets at hand have 2,629 rows); of which words is not known",
    ),
    "casme-sq": Count(
        22,
        {"negative": 21, "others": 19, "surprise": 9, "positive": 8},
        f"{SHEET}: 57 micro, 300 macro; {MEMORY}: of which words",
    ),
    "samm-lv": Count(32, {"": 159}, f"{MEMORY}: 159 micro, 343 macro"),
    "ck+": Count(
        118,
        {
            "anger": 45,
            "contempt": 18,
            "disgust": 59,
            "fear": 25,
            "happiness": 69,
            "sadness": 28,
            "surprise": 83,
        },
        f"327 sequences; {MEMORY}: of which words",
    ),
    "mmi": Count(30, dict(zip(_BASIC, (33, 32, 28, 42, 32, 38), strict=True)), MEMORY),
    "jaffe": Count(
        10,
        {
            "anger": 30,
            "disgust": 29,
            "fear": 32,
            "happiness": 31,
            "neutral": 30,
            "sadness": 31,
            "surprise": 30,
        },
        f"213 pictures of 10; {MEMORY}: of which words",
    ),
    "oulu-casia": Count(80, dict.fromkeys(_BASIC, 80), f"{MEMORY}: VL/Strong"),
    "mug": Count(52, dict.fromkeys(_BASIC, 52), f"{MEMORY}: people; how many clips is not known"),
    "bu-3dfe": Count(100, {**dict.fromkeys(_BASIC, 400), "neutral": 100}, MEMORY),
    "own": Count(24, {"anger": 24, "happiness": 24, "surprise": 24}, "no database: folders of one's own"),
}
MACRO = {"casme-sq": 300, "samm-lv": 343}
"""Macro-expressions in the long videos."""
