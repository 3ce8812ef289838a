"""Trees in the owners' layouts with a real face in them, through ``mer-train prepare``, in classes of their own."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from support import trees
from typer.testing import CliRunner

from mer_live.realtime.api import watch
from mer_live.realtime.demo.clip import demo_clip
from mer_live.training.cli.main import app
from mer_live.training.prepared.prepared_set import PreparedSet

Paint = Callable[[int, int], np.ndarray]


@pytest.fixture(scope="module")
def paint(faces: Path) -> Paint:
    """A face that sways by half a pixel, with a camera's noise."""
    image = cv2.imread(str(faces / "001_neutral.jpg"))
    assert image is not None
    portrait = cv2.resize(image, (320, 320), interpolation=cv2.INTER_AREA)

    @cache
    def frame(place: int) -> np.ndarray:
        shift = np.float32([[1, 0, 0.5 * np.sin(place)], [0, 1, 0]])
        noise = np.random.default_rng(place).normal(0, 1, portrait.shape)
        return np.clip(cv2.warpAffine(portrait, shift, (320, 320)) + noise, 0, 255).astype(np.uint8)

    return lambda position, count: frame(position % 16)


def run(*arguments: object, arrays: str = "flow3") -> tuple[int, str]:
    result = CliRunner().invoke(app, ["prepare", *map(str, arguments), "--representations", arrays])
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


MICRO: dict[str, Callable[[Path, Paint], Path]] = {
    "smic-hs": lambda root, paint: trees.smic(root, "SMIC_HS_E", paint),
    "smic-vis": lambda root, paint: trees.smic(root, "SMIC_VIS_E", paint),
    "smic-nir": lambda root, paint: trees.smic(root, "SMIC_NIR_E", paint),
    "casme2": lambda root, paint: trees.casme2(root, paint=paint),
    "samm": trees.samm,
    "casme": trees.casme,
    "mmew": trees.mmew,
    "4dme": trees.fourd,
    "casme3": trees.casme3,
    "dfme": trees.dfme,
    "casme-sq": trees.casme_sq,
}


@pytest.mark.slow
def test_every_database_and_protocol_from_trees_to_a_live_run(paint: Paint, tmp_path: Path) -> None:
    out, bundle = tmp_path / "set", tmp_path / "bundle"
    named = [(name, tree(tmp_path / name, paint)) for name, tree in MICRO.items()]
    given = [part for name, root in named for part in ("--dataset", name, "--root", root)]
    code, output = run(*given, "--out", out, "--jobs", 1)
    assert code == 0, output
    prepared = PreparedSet.open(out)
    assert set(prepared.datasets) == set(MICRO)

    def ends_well(*arguments: object) -> str:
        result = CliRunner().invoke(app, [*map(str, arguments)])
        assert result.exit_code == 0, result.output
        return result.output

    protocols = ("cde", "hde", "cdmer1", "cdmer2", "loso", "holdout")
    table = (
        "table",
        "--data",
        out,
        "--methods",
        "hoof/linear",
        "--partial",
        "--database",
        "casme2",
        "--jobs",
        1,
    )
    ends_well(*table, "--protocols", ",".join(protocols), "--out", tmp_path / "table")
    made = json.loads((tmp_path / "table" / "table.json").read_text())
    assert [(one["protocol"], "scores" in one["rows"][0]) for one in made["tables"]] == [
        (p, True) for p in protocols
    ]
    assert made["missing"] == []
    network = ("--data", out, "--method", "ststnet", "--epochs", 1)
    ends_well(
        "evaluate", *network, "--protocol", "hde", "--partial", "--jobs", 1, "--out", tmp_path / "scores"
    )
    ends_well("export", *network, "--licence", "own", "--attribution", "x", "--out", bundle)
    with watch(str(demo_clip()), bundles=(str(bundle),), duration_s=1.9) as session:
        assert {event.engine for event in session} == {"ststnet"}


def test_macro_expressions_of_three_databases_in_one_set(paint: Paint, tmp_path: Path) -> None:
    trees_of = {"oulu-casia": trees.oulu_casia, "mug": trees.mug, "bu-3dfe": trees.bu_3dfe}
    given = [
        x for name, t in trees_of.items() for x in ("--dataset", name, "--root", t(tmp_path / name, paint))
    ]
    code, output = run(*given, "--out", tmp_path / "out", "--jobs", 1, arrays="apex:size=64")
    assert code == 0, output
    counts = PreparedSet.open(tmp_path / "out").counts
    assert {
        name: (c["clips"], c["negative"], c["positive"], c["surprise"]) for name, c in counts.items()
    } == {
        "oulu-casia": (4, 2, 1, 1),
        "mug": (3, 1, 2, 0),
        "bu-3dfe": (3, 1, 1, 1),
    }


def test_what_cannot_be_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    given = ("--dataset", "casme2", "--dataset", "samm", "--root", tmp_path, "--out", tmp_path / "out")
    code, output = run(*given, "--classes", "5")
    assert code == 2
    assert "means other words in casme2 and in samm" in output
    code, output = run(*given, "--classes", "4", "--list", tmp_path / "list.csv")
    assert code == 2
    assert "leave --classes away" in output
    assert not (tmp_path / "out").exists()
