"""What folds gave, clip by clip and epoch by epoch, as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from mer_live.engines.files import write_atomically
from mer_live.training.evaluation.material import FoldMaterial, FoldResult
from mer_live.training.evaluation.protocols import Split
from mer_live.training.prepared.prepared_set import PreparedSet

PREDICTIONS, CURVES = "predictions.csv", "curves.csv"


def write_predictions(
    split: Split, prepared: PreparedSet, material: FoldMaterial, results: Sequence[FoldResult], out: Path
) -> Path:
    """Write ``predictions.csv``: a line for each variant, seed and clip tested, with a probability of each class."""
    header = ["variant", "seed", "fold", "key", "dataset", "subject", "label", "predicted"]
    header += [f"prob_{name}" for name in split.classes]
    row_of = {str(key): row for row, key in enumerate(prepared.keys)}

    def lines() -> Iterator[list[object]]:
        for result in results:
            for variant, probabilities in result.probabilities.items():
                for key, p in zip(result.keys, probabilities, strict=True):
                    row = row_of[key]
                    yield [
                        *(variant, result.seed, result.fold, key, prepared.datasets[row]),
                        *(prepared.subjects[row], split.classes[material.labels[row]]),
                        *(split.classes[max(range(len(p)), key=p.__getitem__)], *(f"{v:.6g}" for v in p)),
                    ]

    return _write(out / PREDICTIONS, header, lines())


def write_curves(results: Sequence[FoldResult], out: Path) -> Path:
    """Write ``curves.csv``: a line for each seed, fold and epoch, with the mean of each loss term (MMD is one)."""
    terms = list(dict.fromkeys(name for result in results for losses in result.losses for name in losses))

    def lines() -> Iterator[list[object]]:
        for result in results:
            for epoch, losses in enumerate(result.losses, 1):
                values = (f"{losses[name]:.6g}" if name in losses else "" for name in terms)
                yield [result.seed, result.fold, epoch, *values]

    return _write(out / CURVES, ["seed", "fold", "epoch", *terms], lines())


def _write(file: Path, header: list[str], lines: Iterator[list[object]]) -> Path:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    write_atomically(file, text.getvalue().encode())
    return file
