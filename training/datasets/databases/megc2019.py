"""The composite's sample list (See et al., MEGC 2019): ``combined_3class_gt.csv``, 442 rows, no header."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mer_live.engines.csv_file import CsvError, read_rows
from mer_live.training.datasets.databases.smic import clip_id
from mer_live.training.datasets.identity import canonical_dataset, canonical_subject, parse_label
from mer_live.training.datasets.sample import REQUESTED_FROM, DatasetError, Reading, Skipped, stop

ROWS = 442


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the list, in canonical spelling."""

    dataset: str
    subject: str
    clip: str
    label: int

    @property
    def key(self) -> str:
        """The key our readers give this clip: database/subject/clip."""
        return f"{self.dataset}/{self.subject.rsplit('/', 1)[1]}/{self.clip}"


def read_list(file: Path) -> tuple[Entry, ...]:
    """Read dataset, subject, clip, label; blank rows are passed over.

    Raises:
        DatasetError: The file is missing, or a row is not of this form; names the row.
    """
    if not file.is_file():
        raise stop("megc2019", f"no file {file}", file.parent)
    entries = []
    try:
        rows = read_rows(file)
    except CsvError as error:
        raise DatasetError(f"{error}; {REQUESTED_FROM['megc2019']}") from error
    for row in rows:
        values = row.cells
        try:
            if len(values) < 4:
                raise ValueError(f"it has {len(values)} cells")
            dataset = canonical_dataset(values[0])
            subject = canonical_subject(dataset, values[1])
            clip = (clip_id(values[2]) if dataset == "smic-hs" else None) or values[2]
            entries.append(Entry(dataset, subject, clip, parse_label(values[3])))
        except ValueError as error:
            raise DatasetError(
                f"{file} line {row.line} is not dataset, subject, clip, label ({error}); "
                f"{REQUESTED_FROM['megc2019']}"
            ) from error
    return tuple(entries)


def apply_list(reading: Reading, entries: Sequence[Entry]) -> Reading:
    """Keep the listed clips, in the list's order and with its labels; what is missing is listed by name."""
    samples = {sample.key.lower(): sample for sample in reading.samples}
    reasons = {entry.name.lower(): entry.reason for entry in reading.skipped}
    kept, missing, notes = [], [], list(reading.notes)
    if len(entries) != ROWS:
        notes.append(f"the list has {len(entries)} clips, the composite of MEGC 2019 has {ROWS}")
    for entry in entries:
        sample = samples.get(entry.key.lower())
        if sample is None:
            why = reasons.get(entry.key.lower())
            missing.append(Skipped(entry.key, why or "listed, and not among the clips that were read"))
            continue
        if sample.label is not None and sample.label != entry.label:
            notes.append(f"{entry.key}: label {entry.label} of the list, not {sample.label}")
        kept.append(replace(sample, label=entry.label))
    return Reading(tuple(kept), tuple(missing), tuple(notes), reading.videos)
