from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from support import trees
from typer.testing import CliRunner

from mer_live.engines.representation.specs import MotionSpec
from mer_live.training.cli.main import app
from mer_live.training.datasets import read_dataset
from mer_live.training.datasets.sample import DatasetError, Reading, Skipped
from mer_live.training.prepare import run as module
from mer_live.training.prepare.clip import annotated_positions, central_frames, crop_clip
from mer_live.training.prepare.config import PrepareConfig, parse_representations
from mer_live.training.prepare.deployable import spot_clip
from mer_live.training.prepare.face_search import find_face
from mer_live.training.prepare.run import prepare
from mer_live.training.prepared.prepared_set import PreparedSet

Paint = Callable[[int, int], np.ndarray]
SPECS = "motion,apex,adm,flow3"


@pytest.fixture(scope="module")
def portrait(faces: Path) -> np.ndarray:
    image = cv2.imread(str(faces / "001_neutral.jpg"))
    assert image is not None
    return cv2.resize(image, (320, 320), interpolation=cv2.INTER_AREA)


@pytest.fixture(scope="module")
def paint(portrait: np.ndarray) -> Paint:
    """Raises the mouth's corners and lets them fall back; the strongest frame lies in the middle."""
    marks = find_face(portrait)
    assert marks is not None
    grid_y, grid_x = np.mgrid[0:320, 0:320].astype(np.float32)
    bump = np.zeros((320, 320), np.float32)
    for corner in (61, 291):
        x, y = marks[corner]
        bump += np.exp(-((grid_x - x) ** 2 + (grid_y - y) ** 2) / (2 * 14.0**2))

    def frame(position: int, count: int) -> np.ndarray:
        strength = 3.5 * np.sin(np.pi * position / max(count - 1, 1)) ** 2
        moved = cv2.remap(portrait, grid_x, grid_y + np.float32(strength) * bump, cv2.INTER_CUBIC)
        # A camera's noise, without which nothing is learned about the resting face.
        noise = np.random.default_rng(position).normal(0, 1, moved.shape)
        return np.clip(moved + noise, 0, 255).astype(np.uint8)

    return frame


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, paint: Paint) -> Path:
    root = tmp_path_factory.mktemp("set")
    for kind, person in (("negative", "a"), ("positive", "a"), ("surprise", "b")):
        trees.write_frames(root / kind / person / "c1", range(100, 121), "{:04d}.jpg", paint)
    trees.write_frames(root / "negative" / "b" / "faceless", range(5), "{:02d}.jpg")
    trees.write_frames(root / "bored" / "b" / "c1", range(5), "{:02d}.jpg")
    return root


@pytest.fixture(scope="module")
def reading(tree: Path) -> Reading:
    return read_dataset("mine", tree, fps=100.0)


def bytes_of(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in sorted(folder.rglob("*")) if f.is_file()}


def test_annotated_set(reading: Reading, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    config = PrepareConfig(parse_representations(SPECS))
    outcome = prepare(reading, tmp_path / "out", config, progress=lambda *at: steps.append(at))
    assert steps == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [(s.name, s.reason) for s in outcome.skipped] == [
        ("mine/b/negative/faceless", "no face was found in the onset frame")
    ]
    assert outcome.without_class == 1
    assert outcome.found == {"middle": 3}
    prepared = PreparedSet.open(tmp_path / "out")
    assert prepared.hash == outcome.hash
    assert prepared.keys.tolist() == ["mine/a/negative/c1", "mine/a/positive/c1", "mine/b/surprise/c1"]
    assert prepared.index["onset"].tolist() == ["100"] * 3
    assert prepared.index["apex"].tolist() == ["110"] * 3
    assert prepared.index["offset"].tolist() == ["120"] * 3
    assert prepared.index["found"].tolist() == ["middle"] * 3
    assert prepared.array("motion").shape == (3, 112, 112, 3)
    assert prepared.array("apex").shape == (3, 224, 224)
    assert prepared.array("adm").shape == (3, 64, 128)
    assert prepared.array("flow3").shape == (3, 28, 28, 3)
    assert np.abs(prepared.array("adm")).max() > 0
    # The mouth's corners rise: the vertical flow of the lower face is below its zero, 128.
    assert prepared.array("flow3")[0, 14:, :, 1].min() < 110
    copies = prepared.subset([2, 0]).copies("motion")
    assert copies is not None
    assert copies.rows.tolist() == [1] * 5 + [0] * 5
    assert (copies.array[2] == prepared.array("motion")[0]).all()
    assert not (tmp_path / "out" / ".parts").exists()
    about = json.loads((tmp_path / "out" / "prepare.json").read_text())
    assert about["representations"]["motion"]["middle"] == "apex"
    assert about["counts"]["mine"]["clips"] == 3
    assert str(tmp_path) not in (tmp_path / "out" / "prepare.json").read_text()


def test_same_bytes_in_parallel_after_interruption_and_again(
    reading: Reading, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = PrepareConfig(parse_representations("motion,flow3"))
    prepare(reading, tmp_path / "plain", config)
    prepare(reading, tmp_path / "parallel", config, jobs=2)
    assert bytes_of(tmp_path / "plain") == bytes_of(tmp_path / "parallel")

    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare(reading, tmp_path / "resumed", config, progress=stop)
    steps: list[int] = []
    prepare(reading, tmp_path / "resumed", config, progress=lambda done, total: steps.append(done))
    assert steps == [3, 4]
    assert bytes_of(tmp_path / "plain") == bytes_of(tmp_path / "resumed")
    monkeypatch.setattr(module, "_prepare_one", None)  # a finished set is not made again
    assert not prepare(reading, tmp_path / "plain", config).fresh


def test_another_configuration_replaces_its_own_arrays_only(reading: Reading, tmp_path: Path) -> None:
    prepare(reading, tmp_path, PrepareConfig(parse_representations("motion,apex")))
    np.save(tmp_path / "foreign.npy", np.zeros((3, 4), np.float32))
    outcome = prepare(reading, tmp_path, PrepareConfig(parse_representations("small=apex:size=64")))
    assert outcome.fresh
    assert PreparedSet.open(tmp_path).names == ("foreign", "small")
    assert PreparedSet.open(tmp_path).copies("motion") is None


def test_deployable_rows_match_and_the_movement_is_found(reading: Reading, tmp_path: Path) -> None:
    specs = parse_representations("motion,adm")
    two = Reading(reading.samples[-2:])
    prepare(two, tmp_path, PrepareConfig(specs))
    outcome = prepare(two, tmp_path / "deployable", PrepareConfig(specs, "deployable"))
    assert sum(outcome.found.values()) == 2
    prepared = PreparedSet.open(tmp_path)
    twin = prepared.variant()
    assert twin is not None
    assert twin.keys.tolist() == prepared.keys.tolist()
    assert twin.copies("motion") is None
    assert twin.array("motion").shape == (2, 112, 112, 3)


def test_clip_without_an_event_falls_back(reading: Reading, tmp_path: Path) -> None:
    still = next(s for s in reading.samples if s.key.endswith("negative/c1"))
    # Two frames of rest: nothing to spot.
    numbers, names = still.frames.numbers[:2], still.frames.names[:2]  # type: ignore[union-attr]
    frames = replace(still.frames, numbers=numbers, names=names)  # type: ignore[type-var]
    config = PrepareConfig(parse_representations("apex"), "deployable")
    short = replace(still, frames=frames, offset=101)
    outcome = prepare(Reading((short,)), tmp_path, config)
    assert outcome.found == {"search": 1}
    prepared = PreparedSet.open(tmp_path)
    assert [prepared.index[name][0] for name in ("onset", "offset")] == ["100", "101"]


def test_spotter_sees_held_ends(reading: Reading) -> None:
    config = PrepareConfig(parse_representations("motion"), "deployable", sensitivity=1.0)
    spotted = spot_clip(reading.samples[-1], config)
    assert spotted is not None
    spot, clip = spotted
    last = len(reading.samples[-1].frames.numbers) - 1
    assert 0 <= spot.span.onset.frame <= spot.span.apex.frame <= last
    assert abs(spot.span.apex.frame - 10) <= 4
    assert clip.gray.shape[1:] == (224, 224)


def test_offset_that_never_comes_and_central_frames(reading: Reading) -> None:
    sample = next(s for s in reading.samples if s.key.endswith("negative/c1"))
    open_ended = replace(sample, apex=105, offset=None, fps=5.0)
    assert annotated_positions(open_ended) == (0, 5, 10)
    clip = crop_clip(replace(sample, apex=104))
    assert (clip.onset, clip.apex, clip.offset) == (0, 4, 20)
    assert central_frames(clip, 0.2, "centre") == range(8, 13)
    assert central_frames(clip, 0.2, "apex") == range(2, 7)
    assert central_frames(replace(clip, apex=0), 0.2, "apex") == range(0, 3)
    assert central_frames(replace(clip, apex=20), 0.0, "apex") == range(20, 21)


def test_searched_apex(reading: Reading, tmp_path: Path) -> None:
    config = PrepareConfig(parse_representations("apex"), missing_apex="search")
    outcome = prepare(Reading(reading.samples[-1:]), tmp_path, config)
    assert outcome.found == {"search": 1}
    # The search looks for the largest change; the stand-in's held apex lasts several frames.
    assert abs(int(PreparedSet.open(tmp_path).index["apex"][0]) - 110) <= 7


def test_refusals(reading: Reading, tmp_path: Path) -> None:
    config = PrepareConfig(parse_representations("apex"))
    with pytest.raises(DatasetError, match="none of 0 clips has one of the classes"):
        prepare(Reading(()), tmp_path, config)
    with pytest.raises(DatasetError, match="no clip is left of 1; the first, smic/1/a: listed"):
        prepare(Reading((), (Skipped("smic/1/a", "listed, and not read"),)), tmp_path, config)
    with pytest.raises(DatasetError, match="is read twice"):
        prepare(Reading(reading.samples * 2), tmp_path, config)
    faceless = [s for s in reading.samples if "faceless" in s.key]
    with pytest.raises(DatasetError, match="none of 1 clips could be prepared; the first: no face"):
        prepare(Reading(tuple(faceless)), tmp_path, config)


def test_small_face_in_a_large_frame_is_found(portrait: np.ndarray) -> None:
    wide = np.full((1080, 1920, 3), 90, np.uint8)
    wide[300:620, 1500:1820] = portrait
    marks = find_face(wide)
    near = find_face(portrait)
    assert marks is not None
    assert near is not None
    np.testing.assert_allclose(marks.mean(0), near.mean(0) + np.array([1500, 300]), atol=4)
    tight = find_face(portrait[60:290, 60:260])
    assert tight is not None
    np.testing.assert_allclose(tight.mean(0), near.mean(0) - 60, atol=6)


def test_representations_from_text() -> None:
    specs = dict(
        parse_representations("motion, far=motion:scaling=fixed:r_max_px=2:flow.method=farneback,adm")
    )
    assert list(specs) == ["motion", "far", "adm"]
    spec = specs["far"]
    assert isinstance(spec, MotionSpec)
    assert (spec.scaling, spec.r_max_px, spec.flow.method) == ("fixed", 2, "farneback")
    for text, message in (
        ("nothing", "representation 'nothing' is unknown"),
        ("motion:siz=3", "unknown key 'siz'"),
        ("motion:size", "is not PARAMETER=VALUE"),
        ("../x=motion", "cannot be the name of a file"),
    ):
        with pytest.raises(ValueError, match=message):
            parse_representations(text)
    with pytest.raises(ValueError, match="two arrays have one name"):
        PrepareConfig(parse_representations("motion,motion:size=64"))
    with pytest.raises(ValueError, match="no representation"):
        PrepareConfig(())


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["prepare", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def test_command_makes_both_variants(tree: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    common = ("--dataset", "mine", "--root", tree, "--fps", 100, "--out", out, "--jobs", 1)
    code, text = run(*common, "--representations", "flow3", "--variant", "both")
    assert code == 0, text
    assert "skipped: mine/b/negative/faceless: no face was found in the onset frame" in text
    assert "mine: 3 clips, 2 subjects, 1 negative, 1 positive, 1 surprise" in text
    assert "1 clips have an emotion that is none of the classes" in text
    assert PreparedSet.open(out).variant() is not None
    assert "already there" in run(*common, "--representations", "flow3")[1]


def test_command_reads_several_databases_by_the_list(tmp_path: Path, paint: Paint) -> None:
    trees.smic(tmp_path / "smic", paint=paint, only="s3_ne_03")
    trees.casme2(tmp_path / "casme2", paint=paint, only="EP03_06")
    listing = tmp_path / "list.csv"
    listing.write_text("casme2,sub05,EP03_06,2\nsmic,s3,s3_ne_03,0\nsamm,6,006_1_2,0\n")
    code, text = run(
        *(
            "--dataset",
            "smic",
            "--root",
            tmp_path / "smic",
            "--dataset",
            "casme2",
            "--root",
            tmp_path / "casme2",
        ),
        *("--list", listing, "--out", tmp_path / "out", "--representations", "apex", "--jobs", 1),
    )
    assert code == 0, text
    prepared = PreparedSet.open(tmp_path / "out")
    assert prepared.keys.tolist() == ["casme2/005/EP03_06", "smic-hs/003/s03_ne_03"]
    assert prepared.index["apex"].tolist() == ["6", "17585999"]
    assert "skipped: samm/006/006_1_2: listed, and not among the clips that were read" in text


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--variant", "x"), 2, "--variant 'x' is unknown: choose annotated, deployable, both"),
        (("--representations", "x"), 2, "representation 'x' is unknown"),
        (("--root", "y"), 2, "1 --dataset and 2 --root"),
        (("--sensitivity", "2"), 2, "sensitivity must lie between 0 and 1"),
        ((), 3, "does not exist"),
        (("--list", "none.csv"), 3, "no file none.csv"),
    ],
)
def test_command_errors_are_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], code: int, message: str
) -> None:
    got, text = run("--dataset", "samm", "--root", tmp_path / "none", "--out", tmp_path / "o", *arguments)
    assert got == code
    assert message in text
    assert "Traceback" not in text
    assert len(text.strip().splitlines()) == 1


def test_a_set_that_cannot_be_written_ends_with_1(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        got, text = run("--dataset", "lab", "--root", tree, "--fps", 30, "--out", out)
        assert got == 1
        (said,) = (line for line in text.splitlines() if line.startswith("mer-train: "))
        assert "cannot be written (not a directory)" in said
