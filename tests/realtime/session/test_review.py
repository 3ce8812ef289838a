from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from support.made_session import make_session
from support.moving_clips import shifted, texture
from support.web_browser import browser, browser_path

from mer_live.realtime.cli.export import export
from mer_live.realtime.session.read import read_session
from mer_live.realtime.session.review.agreement import agreement, cohen_kappa
from mer_live.realtime.session.review.coder import CoderFile, CodingError
from mer_live.realtime.session.review.loop import event_loop, magnify
from mer_live.realtime.session.review.pictures import PictureIndex


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_session(tmp_path / "s")


@contextmanager
def page(folder: Path) -> Iterator[str]:
    """``mer-live review`` in a process of its own; its address."""
    command = [sys.executable, "-m", "mer_live.realtime.cli.main", "review", str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        try:
            assert said.startswith("Open http://127.0.0.1:"), said + process.stderr.read()
            yield said.split()[1]
        finally:
            process.terminate()


@pytest.mark.slow
def test_a_coder_accepts_rejects_moves_and_adds_by_keyboard(folder: Path) -> None:
    path = browser_path()
    from playwright.sync_api import sync_playwright

    machine = (folder / "events.jsonl").read_bytes()
    with page(folder) as address, sync_playwright() as playwright:
        opened = browser(playwright, path, None)
        try:
            view = opened.new_page(bypass_csp=True)  # the waits below are evaluated in the page
            wrong: list[str] = []
            view.on("pageerror", lambda error: wrong.append(str(error)))
            view.goto(address)
            view.wait_for_function("document.querySelector('#why').textContent.includes('px')")
            for keys, says in (
                (["a"], "#2 surprise, open"),
                (["r"], "#3 surprise, open"),
                (["1"], "#3 negative"),
                (["ArrowRight", "ArrowRight", "p"], ", 104, "),
            ):
                for key in keys:
                    view.keyboard.press(key)
                view.wait_for_function(f"document.querySelector('#title').textContent.includes({says!r})")
            for part, frame in (("onset", 20), ("apex", 30), ("offset", 40)):
                view.evaluate("document.querySelector('#line').scrollIntoView()")
                view.locator("#line").click(position={"x": 1 + frame / 119 * (width(view) - 1), "y": 20})
                view.click(f"#add-{part}")
            view.click("#add")
            view.wait_for_function("document.querySelectorAll('#list li').length === 4")
            view.fill("#comment", "looked twice")
            view.keyboard.press("Tab")
            view.wait_for_function("document.querySelector('#comment').value === 'looked twice'")
            assert not view.is_visible("#error")
            assert not wrong
        finally:
            opened.close()
    session = read_session(folder)
    coded = {one["id"]: one for one in CoderFile(folder).decided(session.last_revisions)}
    assert [coded[name]["verdict"] for name in "123"] == ["accepted", "rejected", None]
    assert (coded["3"]["label"], coded["3"]["apex_frame"]) == ("negative", 104)
    (added,) = (one for one in coded.values() if one["added"])
    assert abs(added["onset_frame"] - 20) <= 1
    assert (folder / "events.jsonl").read_bytes() == machine
    elan = pytest.importorskip("pympi.Elan", reason="ELAN files need: pip install pympi-ling")
    (path,) = export(session, "elan", folder.parent)
    decided = sorted(elan.Eaf(str(path)).get_annotation_data_for_tier("coder"))
    assert [text for *_, text in decided] == [
        "#1 surprise, accepted",
        "added negative, accepted",
        "#2 surprise, rejected",
        "#3 negative, open looked twice",
    ]
    onset, offset = decided[1][:2]
    assert (onset, offset) == (5 * added["onset_frame"], 5 * added["offset_frame"])


def width(view: object) -> float:
    return float(view.evaluate("document.querySelector('#line').clientWidth"))  # type: ignore[attr-defined]


def test_steps_are_saved_at_once_and_taken_back(folder: Path) -> None:
    events = read_session(folder).last_revisions
    file = CoderFile(folder)
    file.add({"op": "accept", "id": "1"})
    file.add({"op": "comment", "id": "1", "text": "sure"})
    file.add({"op": "undo"})
    file.add({"op": "reject", "id": "2"})
    again = CoderFile(folder).decided(events)
    assert again == file.decided(events)
    assert [(one["verdict"], one["comment"]) for one in again] == [
        ("accepted", ""),
        ("rejected", ""),
        (None, ""),
    ]
    with file.path.open("a") as cut:
        cut.write('{"op": "rej')
    survivor = CoderFile(folder)
    assert survivor.decided(events) == again


@pytest.mark.parametrize(
    "step",
    [
        {"op": "delete", "id": "1"},
        {"op": "accept"},
        {"op": "relabel", "id": "1", "label": "joy"},
        {"op": "move", "id": "1", "part": "end", "frame": 3},
        {"op": "move", "id": "1", "part": "apex", "frame": -3},
        {"op": "add", "label": "negative", "onset_frame": 9, "apex_frame": 5, "offset_frame": 12},
        {"op": "comment", "id": "1", "text": "x" * 2001},
    ],
)
def test_a_step_that_cannot_be_is_refused_and_not_saved(folder: Path, step: dict[str, object]) -> None:
    file = CoderFile(folder)
    with pytest.raises(CodingError):
        file.add(step)
    assert not file.path.exists()


def test_agreement_against_figures_by_hand() -> None:
    def event(onset: int, label: str) -> dict[str, object]:
        return {"onset_frame": onset, "offset_frame": onset + 9, "label": label}

    ours = [event(0, "negative"), event(100, "positive"), event(200, "surprise")]
    theirs = [event(1, "negative"), event(107, "positive"), event(200, "negative"), event(201, "surprise")]
    found = agreement(ours, theirs)
    assert (found["pairs"], found["f1"]) == (2, pytest.approx(4 / 7))
    # Two pairs: (negative, negative), (surprise, negative); chance agrees as often as they do.
    assert found["kappa"] == pytest.approx(0.0)
    assert cohen_kappa([("a", "a"), ("b", "b"), ("a", "b"), ("b", "b")]) == pytest.approx(0.5)
    assert agreement([], [])["f1"] is None
    assert cohen_kappa([("a", "a")]) is None


def test_magnified_motion_is_the_measured_one_times_the_gain() -> None:
    image = texture()
    field = np.zeros((224, 224, 2), np.float32)
    field[..., 0], field[..., 1] = 0.5, -0.25
    inner = slice(20, -20)
    magnified, true = magnify(image, field, 8.0), shifted(image, 4.0, -2.0)
    assert np.abs(magnified[inner, inner].astype(int) - true[inner, inner]).mean() < 1.0


def test_a_loop_shows_the_event_and_says_what_moved(folder: Path) -> None:
    session = read_session(folder)
    pictures = PictureIndex(session)
    for event in reversed(session.last_revisions):
        loop = event_loop(session, pictures, event, 10.0)
        assert loop["index"][0] < event["onset_frame"] < event["offset_frame"] < loop["index"][-1]
        assert len(loop["plain"]) == len(loop["magnified"]) == len(loop["index"])
        most = max(loop["moves"], key=lambda move: move["px"])
        assert most["region"] in (
            "mouth_left",
            "mouth_right",
            "lower_lip",
            "upper_lip",
            "chin",
            "jaw_left",
            "jaw_right",
        )
        assert most["px"] > 1
        assert (loop["ms"], loop["why"]) == (pytest.approx(90), "")
        moved = np.array(next(iter(loop["curves"].values())))
        course = np.array(loop["course"])
        assert np.corrcoef(moved, course)[0, 1] > 0.5, "the course follows what moved most"
        x, y, dx, dy = np.array(loop["flow"]).T
        assert ((x > 0) & (x < 224) & (y > 0) & (y < 224)).all()
        assert np.hypot(dx, dy).max() > 0.5
    pictures.close()
