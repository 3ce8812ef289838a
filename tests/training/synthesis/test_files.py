"""The command's files: videos with truth, clips with truth, the demo clip, and errors in one sentence."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from support.moving_crops import crop_gray
from typer.testing import CliRunner

from mer_live.realtime.face.crop import crop_warp
from mer_live.realtime.types import CLASSES
from mer_live.training.cli.main import app
from mer_live.training.synthesis.faces.face_model import CROP, FacePhoto, load_photo
from mer_live.training.synthesis.sequence import (
    Plan,
    Stage,
    film_frames,
    perform,
    render_crops,
    stage_margin,
)
from mer_live.training.synthesis.video import write_truth, write_video

DEMO = Path(__file__).resolve().parents[3] / "realtime" / "demo"


@pytest.fixture(scope="module")
def photo(faces: Path) -> FacePhoto:
    return load_photo(faces, "002")


def decoded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="bgr24") for frame in container.decode(video=0)]


def test_a_sequence_keeps_happenings_apart(photo: FacePhoto) -> None:
    frames, truth, landmarks = render_crops(
        photo, np.random.default_rng(5), duration_s=20, fps=25, plan=Plan(event_every_s=1.0)
    )
    assert len(truth.events) >= 6
    assert {e.label for e in truth.events} == set(CLASSES)
    assert landmarks.shape == (478, 2)
    for event in truth.events:
        assert event.span.onset.frame <= event.span.apex.frame <= event.span.end.frame < truth.frames
        assert 0.5 <= event.intensity_px <= 4
        for kind, start, end in truth.distractors:
            assert kind == "gaze" or end < event.span.onset.t_ns / 1e9 or start > event.span.end.t_ns / 1e9
    gray, t_ns = next(frames)
    assert gray.shape == (CROP, CROP)
    assert t_ns == 0


def test_a_video_and_its_truth(photo: FacePhoto, tmp_path: Path) -> None:
    """The encoded frames show the head where the truth's landmarks are and the events' motion survives."""
    stage = Stage((320, 240), face_px=150.0)
    rng = np.random.default_rng(1)
    show = perform(
        photo, rng, duration_s=2.2, density=1.4, colour=True, margin=stage_margin(stage),
        plan=Plan(blink_every_s=0, other_every_s=0, intensity_px=(3, 3), sway=0.3),
    )  # fmt: skip
    filmed = list(film_frames(show, stage, 50, rng))
    path = tmp_path / "a.mp4"
    assert write_video(path, (f for f, _ in filmed), 50) == 110
    seen = decoded(path)
    assert len(seen) == 110
    error = np.mean([np.abs(a.astype(int) - b).mean() for a, (b, _) in zip(seen, filmed, strict=True)])
    assert error < 3
    truth = show.truth(50, stage.size, 1)
    write_truth(tmp_path / "a.json", truth)
    data = json.loads((tmp_path / "a.json").read_text())
    assert data["fps"] == 50
    assert data["size"] == [320, 240]
    assert data["events"][0].keys() >= {
        "label", "onset_s", "apex_s", "offset_s", "onset_frame", "apex_frame", "offset_frame", "intensity_px",
    }  # fmt: skip
    event = truth.events[0]
    onset, apex = event.span.onset.frame, event.span.apex.frame
    warp = crop_warp(filmed[onset][1])
    frames = (onset, apex, max(onset - 3, 0))
    still, moved, rest = (cv2.GaussianBlur(crop_gray(seen[k], warp), (0, 0), 2).astype(float) for k in frames)
    assert np.abs(moved - still).max() > 2 * np.abs(rest - still).max()


def test_lossless_video_is_lossless(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (32, 48, 3)).astype(np.uint8) for _ in range(3)]
    write_video(tmp_path / "a.mkv", iter(frames), 30, codec="ffv1")
    assert all(np.array_equal(a, b) for a, b in zip(decoded(tmp_path / "a.mkv"), frames, strict=True))
    with pytest.raises(ValueError, match="even"):
        write_video(tmp_path / "b.mp4", iter([np.zeros((31, 32, 3), np.uint8)]), 30)
    with pytest.raises(ValueError, match="at least one frame"):
        write_video(tmp_path / "c.mp4", iter([]), 30)


def test_command_writes_clips_that_repeat(faces: Path, tmp_path: Path) -> None:
    for out in ("one", "two"):
        result = CliRunner().invoke(
            app,
            [
                "synth",
                "--faces",
                str(faces),
                "--out",
                str(tmp_path / out),
                "--count",
                "3",
                "--fps",
                "25",
                "--seed",
                "4",
            ],
        )
        assert result.exit_code == 0, result.output
    labels = []
    for k in range(3):
        a, b = (np.load(tmp_path / out / f"clip_{k:05d}.npz") for out in ("one", "two"))
        assert np.array_equal(a["gray"], b["gray"])
        assert a["flow"].shape == (224, 224, 2)
        truth = json.loads((tmp_path / "one" / f"clip_{k:05d}.json").read_text())
        labels.append(truth["label"])
        assert truth["fps"] == 25
        assert truth["offset_frame"] < len(a["gray"])
    assert sorted(labels) == sorted(CLASSES)


def test_command_writes_videos(faces: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(
        app,
        ["synth", "--faces", str(faces), "--out", str(tmp_path), "--count", "1", "--fps", "25",
         "--video", "--seconds", "2", "--size", "160x120", "--split", "test"],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert len(decoded(tmp_path / "video_00000.mp4")) == 50
    assert json.loads((tmp_path / "video_00000.json").read_text())["frames"] == 50


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--faces", "nowhere"], "is not a folder"),
        (["--faces", "."], "no face photographs"),
        (["--faces", ".", "--fps", "0"], "1..1000"),
        (["--faces", ".", "--split", "half"], "split must be"),
        (["--faces", ".", "--size", "big"], "WIDTHxHEIGHT"),
    ],
)
def test_bad_input_is_one_sentence(arguments: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    arguments = [str(tmp_path / "empty") if a == "." else a for a in arguments]
    result = CliRunner().invoke(app, ["synth", "--out", str(tmp_path / "out"), *arguments])
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_the_demo_clip_shows_what_its_truth_says() -> None:
    truth = json.loads((DEMO / "demo.json").read_text())
    assert {e["label"] for e in truth["events"]} == set(CLASSES)
    assert sum(d["kind"] == "blink" for d in truth["distractors"]) >= 3
    path = DEMO / "demo.mp4"
    assert path.stat().st_size < 2e6
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert float(stream.average_rate) == truth["fps"] == 200
        assert (stream.width, stream.height) == tuple(truth["size"]) == (640, 480)
        wanted = {e[k] for e in truth["events"] for k in ("onset_frame", "apex_frame", "offset_frame")}
        frames = {
            k: frame.to_ndarray(format="gray")
            for k, frame in enumerate(container.decode(video=0))
            if k in wanted
        }
        assert k_last(container) <= truth["frames"]
    face = (slice(100, 330), slice(200, 440))
    for event in truth["events"]:
        onset, apex, offset = (
            cv2.GaussianBlur(frames[event[k]][face], (0, 0), 2).astype(float)
            for k in ("onset_frame", "apex_frame", "offset_frame")
        )
        assert np.abs(apex - onset).max() > 1.5 * np.abs(offset - onset).max()


def k_last(container: av.container.InputContainer) -> int:
    return int(container.streams.video[0].frames)


def test_stage_margin_covers_the_frame(photo: FacePhoto) -> None:
    stage = dataclasses.replace(Stage(), size=(640, 480), face_px=240.0)
    left, top, right, bottom = stage_margin(stage)
    assert (left + CROP + right) * 240 / CROP >= 640
    assert (top + CROP + bottom) * 240 / CROP >= 480
