"""Small prepared sets for the evaluation tests."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np


def write_set(
    folder: Path,
    subjects: int = 4,
    clips: int = 6,
    *,
    size: int = 28,
    seed: int = 0,
    signal: int = 90,
    dataset: str = "casme2",
) -> Path:
    """Class c is bright in channel c; ``signal`` 0 is pure noise."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    rows, images = [], []
    for s in range(subjects):
        for k in range(clips):
            label = (k + s) % 3
            image = rng.integers(0, 100, (size, size, 3))
            image[..., label] += signal
            images.append(image)
            rows.append([f"{dataset}/{s}/{k}", dataset, f"sub{s + 1:02d}", label, 200, 1, 5, 9])
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(["key", "dataset", "subject", "label", "fps", "onset", "apex", "offset"])
        writer.writerows(rows)
    np.save(folder / "uvs28.npy", np.stack(images).astype(np.uint8))
    return folder


def write_cde(folder: Path, seed: int = 0) -> Path:
    """Write 442 rows with MEGC 2019's counts under the plain names a hand would write."""
    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    people = {"smic": (16, "s{:02d}"), "casme2": (24, "sub{:02d}"), "samm": (28, "{}")}
    classes = {"smic": (70, 51, 43), "casme2": (88, 32, 25), "samm": (92, 26, 15)}
    rows, images = [], []
    for name, (count, spelling) in people.items():
        labels = np.repeat([0, 1, 2], classes[name])
        for k, label in enumerate(rng.permutation(labels)):
            rows.append([f"{name}/{k}", name, spelling.format(k % count + 1), label, 100, 1, 5, 9])
            image = rng.integers(0, 90, (28, 28, 3))
            image[6:22, 6:22, label] += 40
            images.append(image)
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(["key", "dataset", "subject", "label", "fps", "onset", "apex", "offset"])
        writer.writerows(rows)
    np.save(folder / "uvs28.npy", np.stack(images).astype(np.uint8))
    return folder
