"""What every reader returns: samples and long videos, and by name what could not be used and why."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from mer_live.realtime.types import CLASSES
from mer_live.training.datasets.cells import frame_number, text
from mer_live.training.datasets.frames import FrameFiles, VideoFile
from mer_live.training.datasets.identity import canonical_subject

Frames = FrameFiles | VideoFile


class DatasetError(ValueError):
    """A database that cannot be read; says which path or column was looked for and who hands it out."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One clip with its annotation; frame numbers are the file's own, not positions."""

    key: str
    """Unique: database/subject/clip, such as ``samm/006/006_1_2``."""
    dataset: str
    """Canonical name, such as ``casme2``."""
    subject: str
    """Namespaced, such as ``casme2/001``."""
    label: int | None
    """Number of its class; None where the protocol or the classes have none for the emotion."""
    fps: float
    frames: Frames
    onset: int
    apex: int | None
    """None where nobody annotated one."""
    offset: int | None
    """None where the expression does not return before the recording ends, as in CK+."""
    action_units: str = ""
    """As written in the sheet."""
    emotion: str = ""
    """As written in the sheet, lower case."""


@dataclass(frozen=True, slots=True)
class Interval:
    """One expression in a long video."""

    key: str
    kind: Literal["micro", "macro"]
    onset: int
    apex: int | None
    offset: int | None
    """None where the expression does not return before the video ends."""
    label: int | None = None
    action_units: str = ""
    emotion: str = ""


@dataclass(frozen=True, slots=True)
class LongVideo:
    """A recording with every annotated expression in it, for spotting."""

    key: str
    dataset: str
    subject: str
    fps: float
    frames: Frames
    intervals: tuple[Interval, ...]
    """Ordered by onset."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """A row that cannot be used."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Reading:
    """All that a reader found."""

    samples: tuple[Sample, ...]
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[str, ...] = ()
    """Corrections that were made, one sentence each, by name."""
    videos: tuple[LongVideo, ...] = ()
    classes: tuple[str, ...] = CLASSES
    """What the labels mean."""


@dataclass
class Collector:
    """Gathers samples row by row and checks each against its frames."""

    dataset: str
    samples: list[Sample] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    videos: list[LongVideo] = field(default_factory=list)
    _keys: set[str] = field(default_factory=set)

    def key(self, subject: str | int | float, clip: str) -> str:
        """Return database/subject/clip."""
        return f"{self.dataset}/{canonical_subject(self.dataset, subject).rsplit('/', 1)[1]}/{clip}"

    def skip(self, name: str, reason: str) -> None:
        """List a row that cannot be used."""
        self.skipped.append(Skipped(name, reason))

    def note(self, name: str, text: str) -> None:
        """Record a correction."""
        self.notes.append(f"{name}: {text}")

    def annotation(self, name: str, row: Mapping[str, Any]) -> tuple[int | None, int | None, int | None]:
        """Read a row's onset, apex and offset and note by name what was not taken as it is written.

        A fraction is rounded. What is no frame number (``/``, ``\\\\``, ``?``, -1) counts as not annotated.
        """
        found: list[int | None] = []
        for what in ("onset", "apex", "offset"):
            written = text(row.get(what))
            number = frame_number(row.get(what))
            if number is not None and number < 0:
                number = None
            if number is None and written:
                self.note(name, f"the {what} is {written!r} and counts as not annotated")
            elif number is not None and not re.fullmatch(r"\d+([.,]0+)?", written):
                self.note(name, f"the {what} {written} was rounded to frame {number}")
            found.append(number)
        return found[0], found[1], found[2]

    def add(self, sample: Sample) -> None:
        """Take a sample whose annotation agrees with its frames, mend what can be, list the rest.

        An apex outside onset..offset, or at one of them, shows no movement that could be learned: it counts
        as not annotated. An annotation of one frame of many is left out.
        """
        if sample.key in self._keys:
            self.skip(sample.key, "is listed twice; the first row was kept")
            return
        if isinstance(sample.frames, FrameFiles):
            if sample.frames.unclear:
                self.skip(sample.key, sample.frames.unclear)
                return
            if sample.frames.note:
                self.note(sample.key, sample.frames.note)
        numbers = sample.frames.numbers
        if sample.offset is not None and sample.offset < sample.onset:
            self.skip(sample.key, f"offset {sample.offset} lies before onset {sample.onset}")
            return
        if sample.offset == sample.onset and len(numbers) > 1:
            self.skip(sample.key, f"onset and offset are both frame {sample.onset}: there is no movement")
            return
        last = numbers[-1] if sample.offset is None else sample.offset
        inside = [number for number in numbers if sample.onset <= number <= last]
        if not inside:
            where = f"{numbers[0]}..{numbers[-1]}" if numbers else "none"
            self.skip(sample.key, f"no frame between {sample.onset} and {last}; the files are {where}")
            return
        first, final = inside[0], inside[-1]
        if first != sample.onset or (sample.offset is not None and final != sample.offset):
            self.note(sample.key, f"frames {sample.onset}..{last} wanted, {first}..{final} used")
            sample = replace(sample, onset=first, offset=None if sample.offset is None else final)
        if sample.apex is not None and (why := _not_an_apex(sample, sample.apex, first, final)):
            self.note(sample.key, f"apex {sample.apex} {why} and counts as not annotated")
            sample = replace(sample, apex=None)
        self._keys.add(sample.key)
        self.samples.append(sample)

    def reading(self) -> Reading:
        """Return all of it, in the order it came."""
        return Reading(tuple(self.samples), tuple(self.skipped), tuple(self.notes), tuple(self.videos))


def _not_an_apex(sample: Sample, apex: int, first: int, final: int) -> str:
    """Why this frame cannot be where the expression is strongest; '' where it can."""
    if not first <= apex <= final:
        return f"lies outside {first}..{final}"
    if len(sample.frames.numbers) == 1:
        return ""
    if apex == first:
        return "is the onset"
    return "is the offset" if apex == sample.offset else ""


def merge(readings: Sequence[Reading]) -> Reading:
    """Put several readings behind one another."""
    return Reading(
        tuple(sample for reading in readings for sample in reading.samples),
        tuple(entry for reading in readings for entry in reading.skipped),
        tuple(note for reading in readings for note in reading.notes),
        tuple(video for reading in readings for video in reading.videos),
    )


def stop(dataset: str, missing: str, root: Path) -> DatasetError:
    """Build the error that names what was looked for and where the database is requested from."""
    return DatasetError(f"{missing} (looked in {root}); {REQUESTED_FROM[dataset]}")


def need_folder(dataset: str, root: Path) -> None:
    """Raises DatasetError where a database is to be read from what is no folder."""
    if not root.is_dir():
        raise stop(dataset, f"{root} {'is a file, no folder' if root.exists() else 'does not exist'}", root)


REQUESTED_FROM: dict[str, str] = {
    "smic-hs": "SMIC is requested from the University of Oulu, https://www.oulu.fi/cmvs",
    "smic-vis": "SMIC is requested from the University of Oulu, https://www.oulu.fi/cmvs",
    "smic-nir": "SMIC is requested from the University of Oulu, https://www.oulu.fi/cmvs",
    "casme": "CASME is requested from the Chinese Academy of Sciences, http://casme.psych.ac.cn",
    "casme2": "CASME II is requested from the Chinese Academy of Sciences, http://casme.psych.ac.cn",
    "casme-sq": "CAS(ME)^2 is requested from the Chinese Academy of Sciences, http://casme.psych.ac.cn",
    "casme3": "CAS(ME)^3 is requested from the Chinese Academy of Sciences, http://casme.psych.ac.cn",
    "dfme": "DFME is requested from its owners, https://mea-lab-421.github.io",
    "mmew": "MMEW is requested from its owners, Shandong University, http://www.dpailab.com/database.html",
    "4dme": "4DME is requested from the University of Oulu, https://www.oulu.fi/cmvs",
    "samm": "SAMM is requested from Manchester Metropolitan University, https://helward.mmu.ac.uk/STAFF/M.Yap",
    "samm-lv": "SAMM Long Videos is requested from Manchester Metropolitan University, "
    "https://helward.mmu.ac.uk/STAFF/M.Yap",
    "ck+": "CK+ is requested from the Affect Analysis Group, https://www.jeffcohn.net/Resources",
    "mmi": "MMI is requested from its owners, https://mmifacedb.eu",
    "jaffe": "JAFFE is requested from its owners, https://zenodo.org/records/3451524",
    "oulu-casia": "Oulu-CASIA is requested from the University of Oulu, https://www.oulu.fi/cmvs",
    "mug": "MUG is requested from the Aristotle University of Thessaloniki, https://mug.ee.auth.gr/fed",
    "bu-3dfe": "BU-3DFE is requested from Binghamton University, https://www.cs.binghamton.edu/~lijun/Research/3DFE",
    "generic": "the layout is CLASS/SUBJECT/CLIP/frames, or a CSV with path, subject and label",
    "megc2019": "the list is handed out with the MEGC 2019 challenge, https://facial-micro-expressiongc.github.io",
}
"""Canonical database -> where a user gets it."""
