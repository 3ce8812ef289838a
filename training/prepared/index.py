"""The table of a prepared set, ``index.csv``: read and checked, or written whole or not at all."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.csv_file import CsvError, read_rows
from mer_live.engines.files import whole, write_atomically
from mer_live.realtime.types import CLASSES
from mer_live.training.datasets.identity import canonical_dataset, canonical_subject, parse_label

COLUMNS = ("key", "dataset", "subject", "label", "fps", "onset", "apex", "offset")
REQUIRED = COLUMNS[:4]


class PreparedError(ValueError):
    """A prepared set that cannot be used; the sentence says what is wrong and where."""


def read_index(folder: Path, classes: Sequence[str] = CLASSES) -> dict[str, NDArray[np.str_]]:
    """Read and check ``index.csv``; databases, subjects and labels come back in their one spelling.

    Args:
        folder: Of the prepared set.
        classes: What the labels may be.

    Returns:
        Column name -> (N,) text. ``label`` holds class names. Blank lines are skipped.

    Raises:
        PreparedError: No file, no row, a column missing, a label unknown, or a key twice there.
    """
    file = folder / "index.csv"
    if not folder.is_dir():
        raise PreparedError(f"{folder} is not a folder: a prepared set holds index.csv and .npy arrays")
    if not file.is_file():
        raise PreparedError(f"{file} is missing: it must have the columns {', '.join(REQUIRED)}")
    try:
        lines = [row.cells for row in read_rows(file)]
    except CsvError as error:
        raise PreparedError(str(error)) from error
    if not lines:
        raise PreparedError(f"{file} is empty: it needs the columns {', '.join(REQUIRED)}")
    header = [name.strip() for name in lines[0]]
    header = [name.lower() if name.lower() in COLUMNS else name for name in header]
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        raise PreparedError(f"{file} lacks the column {', '.join(missing)}; it has {', '.join(header)}")
    twice = [name for name in COLUMNS if header.count(name) > 1]
    if twice:
        raise PreparedError(f"{file} has the column {twice[0]} twice: keep one")
    if len(lines) == 1:
        raise PreparedError(f"{file} has a header and no rows")
    columns: dict[str, list[str]] = {name: [] for name in header if name}
    seen: dict[str, int] = {}
    for number, line in enumerate(lines[1:]):
        if len(line) < len(header):
            raise PreparedError(f"{file}, row {number}: {len(line)} values for {len(header)} columns")
        row = {name: value.strip() for name, value in zip(header, line, strict=False) if name}
        if not row["key"]:
            raise PreparedError(f"{file}, row {number}: the key is empty; write one such as samm/006/006_1_2")
        if row["key"] in seen:
            raise PreparedError(
                f"{file}: the key {row['key']} stands in rows {seen[row['key']]} and {number}; "
                "keys must be unique, such as dataset/subject/clip"
            )
        seen[row["key"]] = number
        try:
            row["dataset"] = canonical_dataset(row["dataset"])
            row["subject"] = canonical_subject(row["dataset"], row["subject"])
            row["label"] = classes[parse_label(row["label"], classes)]
        except ValueError as error:
            raise PreparedError(f"{file}, row {number} (key {row['key']}): {error}") from error
        for name, values in columns.items():
            values.append(row[name])
    return {name: np.array(values, dtype=np.str_) for name, values in columns.items()}


def write_index(folder: Path, rows: Sequence[Mapping[str, object]], extra: Iterable[str] = ()) -> None:
    """Write ``index.csv`` with the standard columns and ``extra`` ones; None becomes an empty cell."""
    names = [*COLUMNS, *extra]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([["" if row.get(n) is None else row[n] for n in names] for row in rows])
    write_atomically(folder / "index.csv", buffer.getvalue().encode())


def save_array(file: Path, array: NDArray[Any]) -> None:
    """Write a ``.npy`` whole or not at all."""
    with whole(file) as partial, partial.open("wb") as handle:
        np.save(handle, array, allow_pickle=False)
