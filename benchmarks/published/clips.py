"""Clips of a tree: who shows what, and how their pictures are linked from the bank."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from mer_live.benchmarks.published.bank import Kind, Shot, ShotBank
from mer_live.benchmarks.published.counts import COUNTS, label_of
from mer_live.training.datasets.labels import emotion_name
from mer_live.training.datasets.published import MEGC_WITHOUT

_T = TypeVar("_T")
Spots = tuple[int, int, int]
"""Numbers of onset, apex and offset."""
LEFT_OUT = {("casme2", int(who[-3:]), name) for who, name in MEGC_WITHOUT}
_IN_A_VIDEO = 4
"""Movements in a long recording."""


@dataclass(frozen=True, slots=True)
class TreeClip:
    """One row of a database."""

    subject: int
    number: int
    """Of the person's clips, from 1."""
    word: str
    takes: tuple[Shot, ...]
    """What it shows; of the first clip also what comes after it, so that the tree has one that can be watched."""

    def lay(self, folder: Path, pattern: str, end: str = "offset", first: int = 1) -> Spots:
        """Link its pictures, onset to ``end``, or all of the first clip; give its numbers."""
        take = self.takes[0]
        if len(self.takes) > 1:
            return film(self.takes, folder, pattern)[0]
        onset, apex, offset, _ = take.spots
        last = {"onset": onset, "apex": apex, "offset": offset}[end]
        take.lay(folder, pattern, first, range(onset, last + 1))
        return first, first + apex - onset, first + offset - onset

    def still(self, path: Path) -> None:
        """Link its apex, or its rest where the face is neutral."""
        onset, apex, *_ = self.takes[0].spots
        at = onset if self.word == "neutral" else apex
        self.takes[0].lay(path.parent, path.name, 0, range(at, at + 1))


def film(takes: Iterable[Shot], folder: Path, pattern: str) -> list[Spots]:
    """Link takes one behind the other, numbered from 1; give the numbers of each."""
    first, found = 1, []
    for take in takes:
        onset, apex, offset, count = take.spots
        take.lay(folder, pattern, first, range(count))
        found.append((onset + first, apex + first, offset + first))
        first += count
    return found


def clips_of(name: str, bank: ShotBank, share: float, kind: Kind = "micro") -> list[TreeClip]:
    """Every clip of a database, in the order of its sheet; SMIC's three cameras filmed the same people."""
    place = 0 if name.startswith("smic") else 11 * list(COUNTS).index(name)
    numbers: dict[int, int] = defaultdict(int)
    turns = 3 if kind == "micro" else 1
    found = []
    for k, (subject, word) in enumerate(COUNTS[name].rows(share)):
        numbers[subject] += 1
        labels = [(label_of(emotion_name(word), k) + turn) % 3 for turn in range(turns if k == 0 else 1)]
        takes = tuple(bank.take(place + subject, kind, label) for label in labels)
        found.append(TreeClip(subject, numbers[subject], word, takes))
    return found


def few_of(movements: list[_T]) -> list[list[_T]]:
    """Those of one long recording."""
    return [movements[k : k + _IN_A_VIDEO] for k in range(0, len(movements), _IN_A_VIDEO)]


def smic_name(clip: TreeClip) -> str:
    """Such as ``s03_ne_01``."""
    short = {"negative": "ne", "positive": "po", "surprise": "sur"}[clip.word]
    return f"s{clip.subject:02}_{short}_{clip.number:02}"


def casme2_name(clip: TreeClip) -> str:
    """A clip's name; two of 004 and 005 are those that MEGC 2019 leaves out."""
    left_out = {subject: name for _, subject, name in LEFT_OUT}
    return left_out.get(clip.subject, "EP01_01f") if clip.number == 1 else f"EP{clip.number:02}_02"


def samm_name(clip: TreeClip) -> str:
    """Such as ``006_1_1``."""
    return f"{clip.subject:03}_{clip.number}_1"
