"""Prepared sets: a folder with ``index.csv`` and one ``.npy`` per representation, first axis = row.

Anyone may write such a folder; ``training/README.md`` documents it and `PreparedSet.open` checks it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mer_live.realtime.types import CLASSES
from mer_live.training.datasets.schemes import check_classes
from mer_live.training.prepared.arrays import map_array, reject_nan, resize_rows
from mer_live.training.prepared.index import PreparedError, read_index

DEPLOYABLE = "deployable"
"""Sub-folder that holds the same rows with the frames found by our own spotter."""
COPIES = "copies"
"""Sub-folder with further training copies: ``NAME.npy`` (M, ...) and ``NAME.rows.npy`` (M,) row numbers."""


@dataclass(frozen=True, slots=True)
class Copies:
    """Augmented copies of rows; they carry no label and no subject of their own, only their row."""

    array: NDArray[Any]
    """(M, ...) one copy each, as the array of the same name."""
    rows: NDArray[np.int64]
    """(M,) row of the set that handed them out."""


class PreparedSet:
    """Rows with labels and subjects, and memory-mapped arrays; a subset shares the files.

    Attributes:
        path: The folder.
        index: Columns of ``index.csv`` as text, each (N,); unknown columns are kept.
        keys, datasets, subjects: (N,) text, canonical (``samm``, ``samm/006``).
        classes: What the labels mean: those of ``prepare.json``, else negative, positive, surprise.
        labels: (N,) int64, a number of a class each.
        inputs: What a method calls an array -> the array's name in the folder.
        parameters: Content of ``prepare.json``, empty where there is none.
    """

    def __init__(
        self,
        path: Path,
        index: Mapping[str, NDArray[np.str_]],
        inputs: Mapping[str, str],
        parameters: Mapping[str, Any],
        rows: NDArray[np.int64] | None = None,
    ) -> None:
        """Wrap an index that `open` has checked; ``rows`` are the numbers of its rows in the files."""
        self.path = path
        self.index = dict(index)
        self.inputs = dict(inputs)
        self.parameters = dict(parameters)
        self.keys = self.index["key"]
        self.datasets = self.index["dataset"]
        self.subjects = self.index["subject"]
        self.classes: tuple[str, ...] = tuple(self.parameters.get("classes", CLASSES))
        self.labels: NDArray[np.int64] = np.array(
            [self.classes.index(str(v)) for v in self.index["label"]], np.int64
        )
        self._rows = rows
        self._checked: set[str] = set()

    @classmethod
    def open(cls, path: str | Path, inputs: Mapping[str, str] | None = None) -> PreparedSet:
        """Open and check a folder.

        Args:
            path: Folder with ``index.csv``.
            inputs: ``{"flow": "uvs28"}``: a method's "flow" is read from ``uvs28.npy``.

        Raises:
            PreparedError: A file or column is missing, a label unknown, a key twice there, or an array
                does not fit the index.
        """
        folder = Path(path)
        parameters: dict[str, Any] = {}
        description = folder / "prepare.json"
        if description.is_file():
            try:
                loaded = json.loads(description.read_text(encoding="utf-8"))
            except ValueError as error:
                raise PreparedError(f"{description} is not JSON ({error}): repair or remove it") from error
            if not isinstance(loaded, dict):
                raise PreparedError(f"{description} must hold a JSON object: repair or remove it")
            parameters = loaded
        try:
            classes = check_classes(parameters.get("classes", CLASSES))
        except ValueError as error:
            raise PreparedError(f"{description}: {error}") from error
        index = read_index(folder, classes)
        prepared = cls(folder, index, inputs or {}, parameters)
        for wanted in prepared.inputs:
            prepared._load(wanted)
        return prepared

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arrays in the folder, sorted."""
        return tuple(sorted(file.stem for file in self.path.glob("*.npy")))

    @property
    def hash(self) -> str:
        """SHA-256 of the sorted sample list: key, dataset, subject and label of each row."""
        columns = (self.keys, self.datasets, self.subjects, self.index["label"])
        lines = sorted("\t".join(map(str, row)) for row in zip(*columns, strict=True))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Per database: clips, subjects and the clips of each class."""
        result: dict[str, dict[str, int]] = {}
        for dataset in sorted(set(map(str, self.datasets))):
            mine = self.datasets == dataset
            entry = {"clips": int(mine.sum()), "subjects": len(set(self.subjects[mine].tolist()))}
            for number, name in enumerate(self.classes):
                entry[name] = int((self.labels[mine] == number).sum())
            result[dataset] = entry
        return result

    def has(self, name: str) -> bool:
        """Return whether the array a method calls ``name`` is in the folder."""
        return (self.path / f"{self.inputs.get(name, name)}.npy").is_file()

    def array(self, name: str, shape: Sequence[int] | None = None) -> NDArray[Any]:
        """Return the rows of the array a method calls ``name``.

        Args:
            name: ``motion``, ``apex``, ``adm``, ``flow3`` ... ; `inputs` may map it to another file.
            shape: Shape of one row that the method wants, (H, W) or (H, W, C). Another spatial size is
                resized (area when shrinking, bilinear when growing); values are not rescaled.

        Returns:
            (N, ...) in the dtype of the file; a read-only memory map when nothing is cut or
                resized.

        Raises:
            PreparedError: Missing, another number of rows, NaN or infinite, or not this many channels.
        """
        array = self._load(name)
        if self._rows is not None:
            array = array[self._rows]
        if shape is None or tuple(array.shape[1:]) == tuple(shape):
            return array
        return resize_rows(array, tuple(shape), self._file(name))

    def copies(self, name: str) -> Copies | None:
        """Return the augmented copies of *these* rows, or None where the folder has none.

        A subset hands out the copies of its own rows only, so a copy cannot cross a split.

        Raises:
            PreparedError: The row numbers do not fit the copies or the index.
        """
        file = self.path / COPIES / f"{self.inputs.get(name, name)}.npy"
        rows_file = file.with_name(f"{file.stem}.rows.npy")
        if not file.is_file():
            return None
        array, rows = map_array(file), map_array(rows_file).astype(np.int64)
        total = self._file_rows
        if rows.shape != (len(array),) or (len(rows) and not 0 <= rows.min() <= rows.max() < total):
            raise PreparedError(
                f"{rows_file} must hold {len(array)} row numbers below {total}: prepare again"
            )
        reject_nan(array, file, None)
        if self._rows is None:
            return Copies(array, rows)
        position = np.full(total, -1, np.int64)
        position[self._rows] = np.arange(len(self._rows))
        kept = np.flatnonzero(position[rows] >= 0)
        return Copies(array[kept], position[rows[kept]])

    def subset(self, rows: ArrayLike) -> PreparedSet:
        """Return a set of these rows (row numbers, each once, or a boolean mask), in the given order.

        Raises:
            ValueError: A row does not exist or is named twice.
        """
        chosen = np.asarray(rows)
        if chosen.dtype == bool:
            if chosen.shape != (len(self),):
                raise ValueError(f"a mask must have {len(self)} elements, got {chosen.shape}")
            chosen = np.flatnonzero(chosen)
        chosen = chosen.astype(np.int64).reshape(-1)
        if len(chosen) and not 0 <= chosen.min() <= chosen.max() < len(self):
            raise ValueError(f"rows must lie in 0..{len(self) - 1}")
        if len(np.unique(chosen)) != len(chosen):
            raise ValueError("a row is named twice: oversampling belongs to the trainer, not to the set")
        index = {name: column[chosen] for name, column in self.index.items()}
        files = chosen if self._rows is None else self._rows[chosen]
        result = PreparedSet(self.path, index, self.inputs, self.parameters, files)
        result._checked, result._total = self._checked, self._file_rows
        return result

    def variant(self, name: str = DEPLOYABLE) -> PreparedSet | None:
        """Return the same clips, row for row, with frames found another way, or None where there are none.

        Raises:
            PreparedError: A clip is missing there, or has another subject or label.
        """
        folder = self.path / name
        if not (folder / "index.csv").is_file():
            return None
        other = PreparedSet.open(folder, self.inputs)
        position = {str(key): row for row, key in enumerate(other.keys)}
        missing = [str(key) for key in self.keys if str(key) not in position]
        if missing:
            raise PreparedError(f"{folder} lacks {len(missing)} clips, first {missing[0]}: prepare again")
        aligned = other.subset([position[str(key)] for key in self.keys])
        if (aligned.labels != self.labels).any() or (aligned.subjects != self.subjects).any():
            raise PreparedError(f"{folder} has other labels or subjects than {self.path}: prepare again")
        return aligned

    _total: int | None = None

    @property
    def _file_rows(self) -> int:
        return len(self) if self._total is None else self._total

    def _file(self, name: str) -> Path:
        return self.path / f"{self.inputs.get(name, name)}.npy"

    def _load(self, name: str) -> NDArray[Any]:
        file = self._file(name)
        if not file.is_file():
            there = ", ".join(self.names) or "none"
            raise PreparedError(
                f"{file} is missing (arrays there: {there}): add it, or map another with --input {name}=ARRAY"
            )
        array = map_array(file)
        if array.ndim < 2 or len(array) != self._file_rows:
            raise PreparedError(
                f"{file} has shape {array.shape} but {self.path / 'index.csv'} has {self._file_rows} rows: "
                "the first axis must be the row"
            )
        if str(file) not in self._checked:
            keys = self.keys if self._rows is None else None
            reject_nan(array, file, keys)
            self._checked.add(str(file))
        return array


def parse_inputs(items: Iterable[str]) -> dict[str, str]:
    """Turn ``["flow=uvs28"]`` from the command line into ``{"flow": "uvs28"}``.

    Raises:
        ValueError: An item is not NAME=ARRAY.
    """
    result: dict[str, str] = {}
    for item in items:
        name, sign, array = item.partition("=")
        if not (sign and name.strip() and array.strip()):
            raise ValueError(f"--input {item!r} is not NAME=ARRAY, such as flow=uvs28")
        result[name.strip()] = array.strip().removesuffix(".npy")
    return result
