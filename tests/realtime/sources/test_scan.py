"""A file that is looked through tells what a run that reads it tells."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from support.playing import play
from support.video_clips import frames, numbered, write_packets, write_video

from mer_live.realtime.sources import scan
from mer_live.realtime.sources.config import CameraConfig
from mer_live.realtime.sources.open import open_source
from mer_live.realtime.sources.video import FileSource


def scanned(path: Path, fps: float | None = None) -> scan.Scan:
    """What is found in a file; a run must tell the same."""
    with open_source(CameraConfig(source=str(path), fps=fps)) as source:
        assert isinstance(source, FileSource)
        found = source.scan()
    assert found is not None
    run = open_source(CameraConfig(source=str(path), fps=fps))
    numbers, _ = play(run)
    assert found.frames == len(numbers)
    assert asdict(found.mended) == run.facts["stamps_mended"]
    assert "; ".join(found.words) == (run.hint or "")
    return found


@pytest.mark.parametrize("bf", ["0", "2"])
def test_a_rewind_late_in_the_file(tmp_path: Path, bf: str) -> None:
    parts = [
        write_video(tmp_path / f"{k}.ts", frames(40), options={"bf": bf}, container_format="mpegts")
        for k in (0, 1)
    ]
    path = tmp_path / "joined.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    assert scanned(path).words == ["1 rewind of the clock: times go on, the analysis starts anew"]
    assert scanned(path, fps=50).words == []


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi", "xvid.avi", "a.ts", "a.webm"])
def test_reordered_pictures_are_no_mistake(tmp_path: Path, name: str) -> None:
    codec = {"a.avi": "mjpeg", "xvid.avi": "mpeg4", "a.webm": "libvpx"}.get(name, "libx264")
    options = {"bf": "3"} if codec in ("libx264", "mpeg4") else {}
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = write_video(tmp_path / name, frames(60), codec=codec, pix_fmt=pix_fmt, options=options)
    found = scanned(path)
    assert (found.frames, found.share, found.words) == (60, 1.0, [])
    assert found.sizes == ((128, 96),)
    assert found.read_s == pytest.approx(59 / 50, abs=0.002)


def test_stamps_that_cannot_be_true_and_pauses(tmp_path: Path) -> None:
    ticks = [200 * i for i in range(60)]
    ticks[20] = 10 * 3600 * 10_000  # ten hours
    ticks[40:] = [tick + 30_000 for tick in ticks[40:]]
    path = tmp_path / "odd.mkv"
    write_packets(path, frames(60), ticks)
    assert scanned(path).words == [
        "1 stamp out of line, set from the frames around; 1 pause of over a second: the analysis starts anew"
    ]


def test_sizes_that_change(tmp_path: Path) -> None:
    parts = [
        write_video(
            tmp_path / f"{k}.ts",
            [numbered(n, 128 * scale, 96 * scale) for n in range(20 * k, 20 * k + 20)],
            options={"bf": "0"},
            ticks=[200 * n for n in range(20 * k, 20 * k + 20)],
            container_format="mpegts",
        )
        for k, scale in enumerate((2, 1, 2))
    ]
    path = tmp_path / "sizes.ts"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    found = scanned(path)
    assert found.sizes == ((256, 192), (128, 96), (256, 192))
    assert found.words == ["the picture changes its size 2 times: the analysis starts anew"]


def test_an_end_before_the_promise(tmp_path: Path) -> None:
    whole = write_video(tmp_path / "a.avi", frames(60), codec="mjpeg", pix_fmt="yuvj420p").read_bytes()
    path = tmp_path / "cut.avi"
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with open_source(CameraConfig(source=str(path))) as source:
        assert isinstance(source, FileSource)
        found = source.scan()
    assert found is not None
    (words,) = found.words
    assert "of 60 frames could be read: the file is damaged or was cut off" in words


def test_it_ends_in_time_and_says_how_far_it_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "LIMIT_S", 0.0)
    noise = np.random.default_rng(0).integers(0, 255, (200, 96, 128, 3), np.uint8)
    path = write_video(tmp_path / "a.mkv", list(noise), codec="mjpeg", pix_fmt="yuvj420p")
    with open_source(CameraConfig(source=str(path))) as source:
        assert isinstance(source, FileSource)
        found = source.scan()
        assert found is not None
        assert (found.frames, found.words) == (64, [])
        assert 0.25 < found.share < 0.4
        assert len(list(source.glimpses(3))) == 4
