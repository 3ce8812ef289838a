"""Trees in the layouts of the three databases with long videos, made of a rendered person, from frames to STRS."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import cv2
import jsonschema
import numpy as np
import pytest
from support import portraits
from support.random_bundles import random_bundle
from typer.testing import CliRunner

from mer_live.benchmarks.published import layouts
from mer_live.realtime.api import watch
from mer_live.realtime.config import LiveConfig
from mer_live.realtime.sinks import event_line
from mer_live.realtime.sinks.csv import columns, flat
from mer_live.realtime.types import CLASSES
from mer_live.training.cli.main import app
from mer_live.training.synthesis.faces.face_model import load_photo
from mer_live.training.synthesis.sequence import Plan, Stage, film_frames, perform, stage_margin

FPS, SECONDS = 30.0, 4.5
PLAN = Plan(event_every_s=0.6, blink_every_s=0, other_every_s=0, intensity_px=(3.0, 4.0), sway=0.2)


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[tuple[int, int, int, str]]]:
    """A folder of pictures 1.jpg, 2.jpg, ... and (onset, apex, offset, class) of what happens in them."""
    folder = tmp_path_factory.mktemp("filmed")
    photo = load_photo(portraits.write_faces(tmp_path_factory.mktemp("faces")), "031")
    stage = Stage((320, 240), face_px=150.0)
    rng = np.random.default_rng(4)
    show = perform(
        photo, rng, duration_s=SECONDS, plan=PLAN, density=1.4, colour=True, margin=stage_margin(stage)
    )
    for number, (image, _) in enumerate(film_frames(show, stage, FPS, rng), 1):
        assert cv2.imwrite(str(folder / f"{number}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 98])
    happened = []
    for truth in show.truth(FPS, stage.size, 0).events:
        assert truth.span.offset is not None
        frames = (truth.span.onset.frame, truth.span.apex.frame, truth.span.offset.frame)
        happened.append((frames[0] + 1, frames[1] + 1, frames[2] + 1, truth.label))
    return folder, happened


def run(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["spot-evaluate", *map(str, arguments), "--jobs", "1"])
    return result.exit_code, result.output


def copied(filmed: Path, folder: Path, pattern: str, count: int | None = None) -> None:
    folder.mkdir(parents=True)
    for number in range(1, (count or len(list(filmed.iterdir()))) + 1):
        (folder / pattern.format(number)).symlink_to(filmed / f"{number}.jpg")


@pytest.mark.slow
def test_casme_sq_from_frames_to_strs(
    filmed: tuple[Path, list[tuple[int, int, int, str]]], tmp_path: Path
) -> None:
    folder, happened = filmed
    rows: list[list[object]] = [
        [1, f"disgust2_{k}", on, apex, off, "4", label, "micro-expression", "disgust"]
        for k, (on, apex, off, label) in enumerate(happened, 1)
    ]
    rows.append([1, "disgust2_9", 1, 8, 12, "4", "negative", "macro-expression", "disgust"])
    root, out = tmp_path / "root", tmp_path / "out"
    sheets = {
        "CASFEcode_final": rows,
        "naming rule1": [["s15", "s15", 1]],
        "naming rule2": [[101, "disgust2"]],
    }
    layouts.write_sheet(root / "CAS(ME)^2code_final.xlsx", sheets)
    copied(folder, root / "rawpic" / "s15" / "15_0101disgustingteeth", "img{:03d}.jpg")
    command = ("--dataset", "CAS(ME)^2", "--root", root, "--out", out, "--bundle", "madtn")
    code, output = run(*command)
    assert code == 0, output
    made = json.loads((out / "scores.json").read_text())
    assert (made["videos"], made["subjects"], made["spotting"]["macro"]) == (1, 1, None)
    assert made["minutes"] == pytest.approx(SECONDS / 60, abs=0.01)
    micro = made["spotting"]["micro"]
    assert micro["n"] == len(happened)
    assert micro["tp"] >= 1, "movements of 3 px on a still face are found"
    assert made["spotting"]["all"]["fn"] == micro["fn"] + 1
    assert made["recognition"]["n"] == micro["tp"]
    assert made["strs"] == pytest.approx(micro["f1"] * made["recognition"]["f1"])
    (watched,) = made["watched"]
    assert [t["label"] for t in watched["truths"] if t["kind"] == "micro"] == [
        CLASSES.index(label) for *_, label in happened
    ]
    assert made["delay_ms"]["final"]["n"] == micro["tp"]
    assert made["delay_ms"]["settled"]["p50"] > made["delay_ms"]["final"]["p50"] > 0
    # The same command takes what is there; the frames are no longer needed.
    for picture in (root / "rawpic" / "s15" / "15_0101disgustingteeth").iterdir():
        picture.unlink()
        picture.write_bytes(b"no picture")
    code, again = run(*command)
    assert (code, again) == (0, output.replace("[1/1] casme-sq/015/15_0101\n", "")), (
        "no video was watched anew"
    )
    assert json.loads((out / "scores.json").read_text()) == made
    # Other settings are another run, which now meets the ruined pictures.
    code, output = run(*command, "--sensitivity", 0.4)
    assert code == 3
    assert "cannot be decoded" in output


@pytest.mark.slow
def test_macro_expressions_are_told_where_they_are_asked_for(tmp_path: Path) -> None:
    """What lasts, as the grand challenges score it and as mer-live tells of it."""
    photo = load_photo(portraits.write_faces(tmp_path), "031")
    stage, rng = Stage((320, 240), face_px=150.0), np.random.default_rng(2)
    plan = Plan(event_every_s=0, blink_every_s=0, other_every_s=2.0, others=("macro",), sway=0.2)
    show = perform(
        photo, rng, duration_s=6.0, plan=plan, density=1.4, colour=True, margin=stage_margin(stage)
    )
    happened = [(a, b) for _, a, b in show.truth(FPS, stage.size, 0).distractors if b < 5.8]
    folder, root = tmp_path / "filmed", tmp_path / "root"
    folder.mkdir()
    for number, (image, _) in enumerate(film_frames(show, stage, FPS, rng), 1):
        assert cv2.imwrite(str(folder / f"{number}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, 98])
    rows = [
        [1, f"happy2_{k}", *frames, "12", "positive", "macro-expression", "happy"]
        for k, frames in enumerate(
            ([round(t * FPS) + 1 for t in (a, (a + b) / 2, b)] for a, b in happened), 1
        )
    ]
    sheets = {"CASFEcode_final": rows, "naming rule1": [["s15", "s15", 1]], "naming rule2": [[101, "happy2"]]}
    layouts.write_sheet(root / "CAS(ME)^2code_final.xlsx", sheets)
    copied(folder, root / "rawpic" / "s15" / "15_0101happy", "img{:03d}.jpg")
    code, output = run(
        "--dataset", "casme-sq", "--root", root, "--out", tmp_path / "o", "--spotting-only", "--macro"
    )
    assert code == 0, output
    spotting = json.loads((tmp_path / "o" / "scores.json").read_text())["spotting"]
    assert spotting["macro"]["n"] == len(happened)
    assert spotting["all"]["tp"] == spotting["macro"]["tp"] >= 1
    madtn = str(random_bundle("madtn").path)
    with watch(str(folder), fps=FPS, bundles=(madtn,), config=LiveConfig(macro=True, decide="final")) as live:
        told = [event for event in live if event.kind == "macro"]
    assert [event.state for event in told[:2]] == ["final", "settled"]
    schema = (files("mer_live.realtime.sinks") / "events.schema.json").read_text(encoding="utf-8")
    for event in told:
        line = event_line(event)
        jsonschema.Draft202012Validator(json.loads(schema)).validate(line)
        assert line["kind"] == "macro"
        assert set(flat(line)) <= set(columns(macro=True))


@pytest.mark.slow
def test_judges_learnt_from_two_people_and_used_on_each_other(
    filmed: tuple[Path, list[tuple[int, int, int, str]]], tmp_path: Path
) -> None:
    folder, happened = filmed
    root, out = tmp_path / "root", tmp_path / "out"
    rows = [
        [n, f"disgust2_{k}", on, apex, off, "4", label, "micro-expression", "disgust"]
        for n in (1, 2)
        for k, (on, apex, off, label) in enumerate(happened, 1)
    ]
    sheets = {
        "CASFEcode_final": rows,
        "naming rule1": [["s15", "s15", 1], ["s16", "s16", 2]],
        "naming rule2": [[101, "disgust2"]],
    }
    layouts.write_sheet(root / "CAS(ME)^2code_final.xlsx", sheets)
    for name in ("15", "16"):
        copied(folder, root / "rawpic" / f"s{name}" / f"{name}_0101disgustingteeth", "img{:03d}.jpg")
    base = ["fit-spotter", "--dataset", "casme-sq", "--root", str(root), "--out", str(out), "--jobs", "1"]
    result = CliRunner().invoke(app, [*base, "--cache", str(tmp_path / "cache")])
    assert result.exit_code == 0, result.output
    held = json.loads((out / "held_out.json").read_text())
    assert sorted(held) == ["casme-sq/015", "casme-sq/016"]
    given = ("--dataset", "casme-sq", "--root", root, "--spotting-only", "--out", tmp_path / "scores")
    code, output = run(*given, "--coefficients", out / "held_out.json")
    assert code == 0, output
    made = json.loads((tmp_path / "scores" / "scores.json").read_text())
    assert made["spotting"]["micro"]["n"] == 2 * len(happened)
    assert made["settings"]["coefficients"] == str(out / "held_out.json")
    del held["casme-sq/016"]
    (out / "held_out.json").write_text(json.dumps(held))
    code, output = run(*given, "--coefficients", out / "held_out.json")
    assert code == 2
    assert "nothing that was learnt without casme-sq/016" in output


@pytest.mark.parametrize("name", ["samm-lv", "casme3"])
def test_the_other_two_layouts(
    name: str, filmed: tuple[Path, list[tuple[int, int, int, str]]], tmp_path: Path
) -> None:
    root, out = tmp_path / "root", tmp_path / "out"
    if name == "samm-lv":
        row = ["006", "006_1_2", 1, 20, 25, 31, 12, "Micro - 1/2", "12", None]
        layouts.SAMM_LV.write(root, [row])
        copied(filmed[0], root / "SAMM_longvideos" / "006_1", "006_1_{:04d}.jpg", 40)
    else:
        layouts.CASME3.write(root, [["spNO.1", "a", 20, 25, 31, "4", "II", "disgust"]])
        copied(filmed[0], root / "spNO.1" / "a" / "color", "{}.jpg", 40)
    code, output = run("--dataset", name, "--root", root, "--out", out, "--spotting-only")
    assert code == 0, output
    made = json.loads((out / "scores.json").read_text())
    (watched,) = made["watched"]
    (truth,) = watched["truths"]
    assert (truth["first"], truth["last"], truth["kind"]) == (20, 31, "micro")
    assert made["spotting"]["micro"]["n"] == 1
    assert made["strs"] is None
    assert watched["face_s"] == pytest.approx(40 / (200 if name == "samm-lv" else 30))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--dataset", "casme2", "--root", "."), 2, "has no long videos: choose casme-sq, samm-lv, casme3"),
        (
            ("--dataset", "casme3", "--root", ".", "--spotting-only", "--bundle", "madtn"),
            2,
            "leave --bundle away",
        ),
        (("--dataset", "samm-lv", "--root", "{tmp}"), 3, "SAMM_LongVideos_V2_Release.xlsx"),
    ],
)
def test_what_cannot_be_judged_ends_with_one_sentence(
    arguments: tuple[str, ...], code: int, said: str, tmp_path: Path
) -> None:
    given = [a.format(tmp=tmp_path) for a in arguments]
    ended, output = run(*given, "--out", tmp_path / "out")
    assert ended == code
    assert said in output
    assert not (tmp_path / "out").exists()
