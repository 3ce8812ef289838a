"""``mer-bench record``: the ``mer-live`` command records a paced camera; what is lost, and does it replay the same?"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from mer_live.benchmarks.inputs import looped
from mer_live.benchmarks.result import Figure, Result
from mer_live.realtime.demo.clip import demo_clip
from mer_live.realtime.session.layout import EVENTS, INFO, VIDEO, is_session
from mer_live.realtime.session.read import read_lines

CAMERAS = ("crops@200", "h264@200", "ffv1@200")
_CLIP_FPS = 200
_COMMAND = (sys.executable, "-m", "mer_live.realtime.cli")


def run(
    seconds: float = 60.0, cameras: Sequence[str] = CAMERAS, out: Path | None = None, replay: bool = True
) -> Result:
    """Record the demo clip, over and over, as a camera of some rate with some codec, then analyse the sessions again.

    Args:
        seconds: of each recording.
        cameras: CODEC@FPS, of ``--record-codec`` and of the camera: the clip is played slower or faster.
        out: where sessions are kept; those that are there already are not recorded again.
        replay: whether they are analysed again.

    Raises:
        ValueError: a camera is not CODEC@FPS.
        RuntimeError: the command fails; in its own words.
    """
    result = Result("record", {"input": "demo clip, 640x480, decoded from H.264"})
    with tempfile.TemporaryDirectory() as scratch:
        folder = out or Path(scratch)
        folder.mkdir(exist_ok=True)
        for camera in cameras:
            codec, at, fps = camera.partition("@")
            if not at or not fps.isdecimal():
                raise ValueError(f"{camera!r} is not CODEC@FPS, such as crops@200.")
            session = folder / camera
            if not is_session(session):
                clip = looped(demo_clip(), Path(scratch) / "clip.mp4", seconds * int(fps) / _CLIP_FPS)
                _record(clip, int(fps), codec, session)
            name = f"{codec}, {fps} fps"
            result.figures += _figures(session, name)
            if replay:
                result.figures.append(_replayed(session, name, Path(scratch)))
    return result


def _record(clip: Path, fps: int, codec: str, session: Path) -> None:
    _call("--video", clip, "--fps", fps, "--pace", "realtime", "--record", session, "--record-codec", codec)


def _figures(session: Path, name: str) -> list[Figure]:
    info: dict[str, Any] = json.loads((session / INFO).read_text(encoding="utf-8"))
    frames, lost = info["frames"], info["not_recorded"]
    kilobytes = (session / VIDEO).stat().st_size / 1e3 / max(1, info["recorded"])
    return [
        Figure(
            f"{name}: frames that the analysis dropped", frames["dropped"], "", frames["captured"], target=0
        ),
        Figure(f"{name}: frames not recorded", lost, "", frames["captured"], target=0),
        Figure(f"{name}: video", round(kilobytes, 1), "kB a frame"),
    ]


def _replayed(session: Path, name: str, scratch: Path) -> Figure:
    again = scratch / "again.jsonl"
    _call("--video", session, "--events", again)
    pairs = list(zip_longest(*(map(_timeless, read_lines(path)) for path in (session / EVENTS, again))))
    other = sum(one != two for one, two in pairs)
    return Figure(f"{name}: lines that differ when analysed again", other, "", len(pairs), target=0)


def _timeless(line: dict[str, Any]) -> str:
    return json.dumps({**line, "compute_ms": None})


def _call(*options: object) -> None:
    done = subprocess.run(
        [*_COMMAND, *map(str, options), "--no-ui"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"mer-live ended with {done.returncode}: {done.stderr.strip()[-500:]}")
