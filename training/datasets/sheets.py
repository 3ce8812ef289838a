"""Annotation sheets: the table is found by its column names, wherever its header row lies."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mer_live.training.datasets.cells import text
from mer_live.training.datasets.sample import REQUESTED_FROM, DatasetError, need_folder, stop

_HEADER_SEARCH_ROWS = 40


def find_file(root: Path, patterns: Sequence[str], dataset: str) -> Path:
    """Return the first file that matches, at ``root`` or up to two folders below.

    Raises:
        DatasetError: The folder or the file is missing.
    """
    return find_files(root, patterns, dataset)[0]


def find_files(root: Path, patterns: Sequence[str], dataset: str) -> list[Path]:
    """Return every file that matches, by pattern, then depth (``root`` or up to two folders below), then name.

    Raises:
        DatasetError: The folder is missing, or there is none.
    """
    need_folder(dataset, root)
    found = [
        path
        for pattern in patterns
        for depth in ("", "*/", "*/*/")
        # Spreadsheet programs leave lock files that begin with ~$.
        for path in sorted(root.glob(depth + pattern))
        if not path.name.startswith(("~", "."))
    ]
    if not found:
        raise stop(dataset, f"no file {' or '.join(patterns)}", root)
    return list(dict.fromkeys(found))


def read_cells(path: Path, sheet: str | None, dataset: str) -> list[list[Any]]:
    """Read one sheet as rows of cells; formulas give their stored value, empty cells None.

    Args:
        path: An .xlsx file.
        sheet: Name, compared without case and spaces; None for the first.
        dataset: Canonical database, for the error.

    Raises:
        DatasetError: Not a workbook, or no such sheet.
    """
    import pandas

    try:
        with pandas.ExcelFile(path, engine="openpyxl") as book:
            names = [str(name) for name in book.sheet_names]
            chosen = names[0] if sheet is None else _pick(names, sheet)
            if chosen is None:
                raise DatasetError(
                    f"{path} has no sheet {sheet!r}, only {', '.join(names)}; {REQUESTED_FROM[dataset]}"
                )
            table = pandas.read_excel(book, sheet_name=chosen, header=None, dtype=object)
    except DatasetError:
        raise
    except Exception as error:  # openpyxl and zipfile raise many kinds for a damaged file
        raise DatasetError(f"{path} is not a readable .xlsx workbook ({error})") from error
    return [[None if _empty(cell) else cell for cell in row] for row in table.to_numpy().tolist()]


def read_table(
    path: Path,
    sheet: str | None,
    required: Mapping[str, Sequence[str]],
    optional: Mapping[str, Sequence[str]],
    dataset: str,
) -> list[dict[str, Any]]:
    """Read a table with a header; unnamed columns, empty rows and rows above the header do not matter.

    Args:
        path: An .xlsx file.
        sheet: As in `read_cells`.
        required: Our name -> spellings of the column, compared without case, spaces and punctuation.
        optional: Likewise; None in every row where the column is missing.
        dataset: Canonical database, for the error.

    Returns:
        One dict per row, and ``row``: its number as the spreadsheet program shows it.

    Raises:
        DatasetError: A required column is missing.
    """
    rows = read_cells(path, sheet, dataset)
    best: dict[str, int] = {}
    header = 0
    for number, cells in enumerate(rows[:_HEADER_SEARCH_ROWS]):
        names = [_plain(cell) for cell in cells]
        found = {
            ours: names.index(spelling)
            for ours, spellings in required.items()
            for spelling in reversed([_plain(s) for s in spellings])
            if spelling in names
        }
        if len(found) > len(best):
            best, header = found, number
    missing = [spellings[0] for ours, spellings in required.items() if ours not in best]
    if missing:
        have = (
            ", ".join(str(cell) for cell in (rows[header] if rows else []) if cell is not None) or "nothing"
        )
        raise DatasetError(
            f"{path}, sheet {sheet or 'first'}: no column {', '.join(missing)} "
            f"(row {header + 1} has {have}); {REQUESTED_FROM[dataset]}"
        )
    names = [_plain(cell) for cell in rows[header]]
    for ours, spellings in optional.items():
        for spelling in spellings:
            if _plain(spelling) in names:
                best.setdefault(ours, names.index(_plain(spelling)))
    table = []
    for number, cells in enumerate(rows[header + 1 :], header + 2):
        if all(cell is None for cell in cells):
            continue
        row = {ours: cells[best[ours]] if ours in best else None for ours in (*required, *optional)}
        table.append({**row, "row": number})
    return table


def _pick(names: Sequence[str], wanted: str) -> str | None:
    return next((name for name in names if _plain(name) == _plain(wanted)), None)


def _plain(cell: object) -> str:
    return re.sub(r"[^a-z0-9]", "", text(cell).lower())


def _empty(cell: object) -> bool:
    return (
        cell is None
        or (isinstance(cell, float) and math.isnan(cell))
        or str(cell).strip() in ("", "NaT", "nan")
    )
