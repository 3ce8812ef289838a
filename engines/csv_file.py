"""The one reader of CSV files: what spreadsheet programs of any language write, or one sentence with the line."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_SEPARATORS = ",;\t|"
_WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""First bytes of .xlsx and .xls."""
_AS_TEXT = re.compile(r'="(.*)"|\'(.*)', re.DOTALL)


class CsvError(ValueError):
    """A CSV that cannot be read; the sentence names the file, the line and what was expected."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line that is not blank."""

    line: int
    """As an editor counts them, from 1."""
    cells: tuple[str, ...]
    """Without spaces around them and without what Excel puts about a number that is text."""


def read_rows(file: Path) -> list[Row]:
    """Read the rows of a CSV.

    UTF-8 and UTF-16 with or without a byte order mark, else Windows-1252; cells are separated by whichever of
    comma, semicolon, tab and bar the first row has most of, or by what a line ``sep=;`` names; ``="007"`` and
    ``'007`` are 007.

    Raises:
        CsvError: The file cannot be read as text, or a line not as cells.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise CsvError(f"{file} cannot be read ({error.strerror or error}): check the path") from error
    if data.startswith(_WORKBOOKS):
        raise CsvError(f"{file} is a workbook of a spreadsheet program: save it as CSV in UTF-8")
    try:
        text = _decode(data)
    except UnicodeDecodeError as error:
        raise CsvError(f"{file} is no text: save it as CSV in UTF-8") from error
    first = next((line for line in text.splitlines() if line.strip()), "")
    named = re.fullmatch(r"sep=(.)\s*", first)
    separator = named[1] if named else max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    rows: list[Row] = []
    try:
        for cells in reader:
            cleaned = tuple(_clean(cell) for cell in cells)
            if any(cleaned) and not (named and not rows and reader.line_num == 1):
                rows.append(Row(reader.line_num, cleaned))
    except csv.Error as error:
        raise CsvError(
            f"{file} line {reader.line_num} is not cells separated by {separator!r} ({error}): "
            "close its quotation marks, or save it as CSV again"
        ) from error
    return rows


def read_columns(file: Path, required: Sequence[str]) -> list[dict[str, str]]:
    """Read a CSV with a header as one dict a row, keys lower-case, and ``line``: the row's line number.

    Args:
        file: The CSV.
        required: Columns that it must have, lower-case.

    Raises:
        CsvError: As `read_rows`; or a column is missing or stands there twice.
    """
    rows = read_rows(file)
    names = [cell.lower() for cell in rows[0].cells] if rows else []
    where = f"{file} line {rows[0].line}" if rows else str(file)
    if missing := [name for name in required if name not in names]:
        raise CsvError(
            f"{where} has no column {', '.join(missing)}, only {', '.join(filter(None, names)) or 'nothing'}"
        )
    if twice := [name for name in set(names) if name and names.count(name) > 1]:
        raise CsvError(f"{where} has the column {min(twice)} twice: keep one")
    result = []
    for row in rows[1:]:
        cells = row.cells + ("",) * (len(names) - len(row.cells))
        if len(cells) > len(names) and any(cells[len(names) :]):
            raise CsvError(f"{file} line {row.line} has {len(cells)} cells for {len(names)} columns")
        result.append({**dict(zip(names, cells, strict=False)), "line": str(row.line)})
    return result


def _decode(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding)
    if b"\0" in data:  # no text has zeros, but UTF-16 without its mark has one for every Latin letter
        return data.decode("utf-16-be" if data[:1] == b"\0" else "utf-16-le")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252")


def _clean(cell: str) -> str:
    cell = cell.replace("\0", "").strip()  # str.strip takes the no-break spaces of spreadsheets too
    match = _AS_TEXT.fullmatch(cell)
    return (match[1] if match[1] is not None else match[2]).strip() if match else cell
