"""Results of folds on disk, one file each, written whole or not at all: a run resumes at the fold."""

from __future__ import annotations

import json
import re
import zlib
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from mer_live.engines.files import write_atomically
from mer_live.training.evaluation.material import FoldResult


class StoreError(ValueError):
    """The folder holds another run."""


@dataclass(frozen=True, slots=True)
class FoldStore:
    """``folder/seed-0/NAME.json`` for every finished fold of one experiment."""

    folder: Path
    fingerprint: str

    def load(self) -> list[FoldResult]:
        """Return the finished folds.

        Raises:
            StoreError: A file is of another experiment, or damaged.
        """
        results = []
        for file in sorted(self.folder.glob("seed-*/*.json")):
            try:
                data = json.loads(file.read_text(encoding="utf-8"))
                fingerprint, result = data.pop("fingerprint"), FoldResult(**data)
            except (ValueError, TypeError, KeyError) as error:
                raise StoreError(f"{file} is damaged ({error}): remove it and resume again") from error
            if fingerprint != self.fingerprint:
                raise StoreError(
                    f"{file} is of a run with other data or settings: take another --out or drop --resume"
                )
            results.append(replace(result, keys=tuple(result.keys)))
        return results

    def save(self, result: FoldResult) -> None:
        """Write one finished fold."""
        data = json.dumps({"fingerprint": self.fingerprint, **asdict(result)})
        write_atomically(self._file(result.seed, result.fold), data.encode())

    def clear(self) -> None:
        """Remove finished folds of an earlier run."""
        for file in self.folder.glob("seed-*/*.json"):
            file.unlink()

    def _file(self, seed: int, fold: str) -> Path:
        # The checksum keeps two names apart that differ only in what a file name cannot hold.
        name = re.sub(r"[^A-Za-z0-9.-]+", "_", fold)
        return self.folder / f"seed-{seed}" / f"{name}-{zlib.crc32(fold.encode()):08x}.json"
