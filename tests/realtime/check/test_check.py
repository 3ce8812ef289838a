from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from support.video_clips import frames, write_video
from typer.testing import CliRunner

from mer_live.realtime.cli.main import app
from mer_live.realtime.demo.clip import demo_clip


def check(*args: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["--check", *map(str, args)])
    return result.exit_code, result.output


def demo_frames(count: int, step: int = 1) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(demo_clip()))
    found = []
    for k in range(count * step):
        ok, image = capture.read()
        assert ok
        if k % step == 0:
            found.append(image)
    return found


STANDING = demo_frames(1)[0]


@pytest.fixture(scope="module")
def few() -> list[np.ndarray]:
    return demo_frames(80, 4)


def test_the_demo_is_fit_and_the_report_says_the_same(tmp_path: Path) -> None:
    code, told = check(demo_clip(), "--duration", 1, "--report", tmp_path / "r.json")
    assert code == 0, told
    assert "200.0 fps: onsets of 60 ms are 12.0 frames" in told
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["verdict"] == "fit"
    assert report["input"]["usable"] == 1
    assert report["input"]["face_px"] == pytest.approx(251, abs=8)


@pytest.mark.parametrize(
    ("change", "fps", "code", "says"),
    [
        (lambda image: image, 30, 1, "1.8 frames"),
        (lambda image: image, 10, 3, "0.6 frames, too few"),
        (lambda image: image * 0 + STANDING, 100, 3, "the picture stands still in 99% of the frames"),
        (lambda image: np.ascontiguousarray(image[::-1, ::-1]), 100, 1, "lies upside down"),
        (lambda image: np.ascontiguousarray(np.rot90(image)), 100, 1, "lies on its side"),
        (lambda image: image // 40, 100, 3, "the picture is dark"),
        (lambda image: cv2.GaussianBlur(image, (0, 0), 5), 100, 1, "the face is soft"),
        (
            lambda image: cv2.resize(image, (200, 150), interpolation=cv2.INTER_AREA),
            100,
            3,
            "narrower than 80 px",
        ),
        (
            lambda image: cv2.resize(image, (280, 210), interpolation=cv2.INTER_AREA),
            100,
            1,
            "px wide: come nearer",
        ),
    ],
)
def test_what_is_wrong_is_named(
    tmp_path: Path, few: list[np.ndarray], change: object, fps: int, code: int, says: str
) -> None:
    images = [change(image) for image in few]  # type: ignore[operator]
    path = write_video(tmp_path / "a.mkv", images, codec="ffv1", pix_fmt="bgr0", fps=fps)
    found, told = check(path)
    assert says in told
    assert found == code, told


def test_pictures_with_gaps_no_face_and_files_that_are_none(tmp_path: Path) -> None:
    for k, image in enumerate(frames(12)):
        if k not in (4, 5):
            cv2.imwrite(str(tmp_path / f"img{k}.png"), image)
    code, told = check(tmp_path, "--fps", 200)
    assert code == 3
    assert "2 missing by their numbers" in told
    assert "warning: 2 of 12 frames are missing: what happens there is not seen" in told
    assert "a face could be analysed in 0%" in told
    (tmp_path / "no.mp4").write_bytes(b"hello" * 100)
    assert check(tmp_path / "no.mp4")[0] == 3
    assert check("999")[0] == 3  # there is no such camera
    assert check("--video", "a", "--camera", "0")[0] == 2
    assert CliRunner().invoke(app, ["clip.mp4"]).exit_code == 2


def test_the_doctor_says_what_is_here(tmp_path: Path) -> None:
    code, told = check("--report", tmp_path / "d.json")
    assert code == 0, told
    lines = {line["what"]: line for line in json.loads((tmp_path / "d.json").read_text())["lines"]}
    assert lines["face model"]["level"] == "ok"
    assert {"versions", "engine", "tensorrt", "writing"} <= set(lines)
    assert all(line["text"] for line in lines.values())


def small(few: list[np.ndarray]) -> list[np.ndarray]:
    return [cv2.resize(image, (320, 240), interpolation=cv2.INTER_AREA) for image in few[:40]]


def test_a_clock_that_rewinds_late_is_told(tmp_path: Path, few: list[np.ndarray]) -> None:
    parts = [
        write_video(tmp_path / f"{k}.ts", images, fps=25, options={"bf": "0"}, container_format="mpegts")
        for k, images in enumerate((small(few) * 6, small(few)))
    ]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    code, told = check(path, "--report", tmp_path / "r.json")
    assert code == 1, told
    assert "looked at: the first 200 frames; of the file's stamps and sizes, all of it" in told
    assert "1 rewind of the clock" in told
    seen = json.loads((tmp_path / "r.json").read_text())["input"]
    assert seen["stamps_mended"]["rewinds"] == 1
    assert (seen["sizes"], seen["looked_through"], seen["places"]) == ([[320, 240]], 1, None)


def test_who_comes_later_into_the_picture_is_seen(tmp_path: Path, few: list[np.ndarray]) -> None:
    dark = [np.zeros_like(small(few)[0])] * 210  # longer than is read
    path = write_video(tmp_path / "a.mkv", [*dark, *small(few) * 5], fps=25, options={"g": "20"})
    code, told = check(path, "--report", tmp_path / "r.json")
    assert code == 1, told
    assert "warning: a face could be analysed in 0% of 200 frames; else: the picture is dark (200)" in told
    usable, looked = json.loads((tmp_path / "r.json").read_text())["input"]["places"]
    assert f"a face can be analysed at {usable} of {looked} places of the whole file" in told
    assert looked == 12
    assert 5 <= usable <= 7
