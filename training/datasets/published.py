"""The published lists: counts of each protocol, what an annotator's word means under it, and CDMER's tasks."""

from __future__ import annotations

from collections.abc import Mapping

from mer_live.realtime.types import CLASSES

# Database: (subjects, negative, positive, surprise); subjects None where no source states them.
Counts = Mapping[str, tuple[int | None, int, int, int]]
MEGC2019: Counts = {"smic-hs": (16, 70, 51, 43), "casme2": (24, 88, 32, 25), "samm": (28, 92, 26, 15)}
CDMER: Counts = {
    "casme2": (None, 73, 32, 25),
    "smic-hs": (16, 70, 51, 43),
    "smic-vis": (8, 28, 23, 20),
    "smic-nir": (8, 28, 23, 20),
}
CDMER_PUBLIC = "casme2: 72 negative clips instead of 73"
"""The papers print 73; the sheet that its owners hand out holds 63 disgust, 7 sadness and 2 fear."""
SHORT = {"C": "casme2", "H": "smic-hs", "V": "smic-vis", "N": "smic-nir"}
CDMER_TASKS = {
    "cdmer1": ("H>V", "V>H", "H>N", "N>H", "V>N", "N>V"),
    "cdmer2": ("C>H", "H>C", "C>V", "V>C", "C>N", "N>C"),
}
_NEGATIVE, _POSITIVE, _SURPRISE = range(len(CLASSES))
# What an annotator's word means under a protocol; a word that is not listed leaves its clip out.
EMOTIONS: Mapping[str, Mapping[str, Mapping[str, int]]] = {
    "megc": {
        "casme2": {
            "happiness": _POSITIVE,
            "surprise": _SURPRISE,
            "disgust": _NEGATIVE,
            "repression": _NEGATIVE,
        },
        "samm": {
            "happiness": _POSITIVE,
            "surprise": _SURPRISE,
            **dict.fromkeys(("anger", "contempt", "disgust", "fear", "sadness"), _NEGATIVE),
        },
    },
    "cdmer": {
        "casme2": {
            "happiness": _POSITIVE,
            "surprise": _SURPRISE,
            **dict.fromkeys(("disgust", "sadness", "fear"), _NEGATIVE),
        }
    },
}
# Left out of the MEGC 2019 list by its authors.
MEGC_WITHOUT = (("casme2/004", "EP12_01f"), ("casme2/005", "EP09_05f"))
