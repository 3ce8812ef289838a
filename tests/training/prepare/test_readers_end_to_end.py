"""Trees in the owners' layouts with a real face in them, through ``mer-train prepare``, in classes of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from support import trees
from typer.testing import CliRunner

from mer_live.training.cli.main import app
from mer_live.training.prepared.prepared_set import PreparedSet

Paint = Callable[[int, int], np.ndarray]


@pytest.fixture(scope="module")
def paint(faces: Path) -> Paint:
    """A face that sways by half a pixel, with a camera's noise."""
    image = cv2.imread(str(faces / "001_neutral.jpg"))
    assert image is not None
    portrait = cv2.resize(image, (320, 320), interpolation=cv2.INTER_AREA)

    def frame(position: int, count: int) -> np.ndarray:
        shift = np.float32([[1, 0, 0.5 * np.sin(position)], [0, 1, 0]])
        noise = np.random.default_rng(position).normal(0, 1, portrait.shape)
        return np.clip(cv2.warpAffine(portrait, shift, (320, 320)) + noise, 0, 255).astype(np.uint8)

    return frame


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["prepare", *map(str, arguments), "--representations", "flow3"])
    return result.exit_code, result.output


@pytest.mark.parametrize(
    ("name", "tree", "classes", "found"),
    [
        ("mmew", trees.mmew, "7", {"happiness": 1, "anger": 1, "surprise": 1, "other": 1}),
        ("4dme", trees.fourd, "5", {"negative": 1, "positive": 1, "repression": 1}),
        ("casme", trees.casme, "disgust,tense,happiness", {"disgust": 1, "tense": 1, "happiness": 1}),
    ],
)
def test_a_database_of_its_own_classes(
    name: str,
    tree: Callable[[Path, Paint], Path],
    classes: str,
    found: dict[str, int],
    paint: Paint,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    code, output = run(
        "--dataset", name, "--root", tree(tmp_path / "root", paint), "--out", out, "--classes", classes, "--jobs", 1
    )  # fmt: skip
    assert code == 0, output
    prepared = PreparedSet.open(out)
    assert {label: prepared.index["label"].tolist().count(label) for label in found} == found
    assert len(prepared) == sum(found.values())
    assert set(found) <= set(prepared.classes)
    assert json.loads((out / "prepare.json").read_text())["classes"] == list(prepared.classes)
    assert prepared.array("flow3").shape == (len(prepared), 28, 28, 3)
    for word in found:
        assert f"1 {word}" in output
    # The same command takes what is there; other classes are another set.
    again = ("--dataset", name, "--root", tmp_path / "root", "--out", out, "--jobs", 1)
    assert "set already there" in run(*again, "--classes", classes)[1]
    code, output = run(*again)
    assert code == 0, output
    assert PreparedSet.open(out).classes == ("negative", "positive", "surprise")
    assert "classes" not in json.loads((out / "prepare.json").read_text())


def test_what_cannot_be_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    given = ("--dataset", "casme2", "--dataset", "samm", "--root", tmp_path, "--out", tmp_path / "out")
    code, output = run(*given, "--classes", "5")
    assert code == 2
    assert "means other words in casme2 and in samm" in output
    code, output = run(*given, "--classes", "4", "--list", tmp_path / "list.csv")
    assert code == 2
    assert "leave --classes away" in output
    assert not (tmp_path / "out").exists()
