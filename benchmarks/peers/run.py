"""``mer-bench peers``: what a user might pick instead, on the same clip, in the same run, one after the other."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mer_live.benchmarks.peers.env import PeerError, last_line, offline, python_of
from mer_live.benchmarks.peers.known import FEATURES, NOT_RUN, PEERS, Peer
from mer_live.benchmarks.result import Figure, Result, Times
from mer_live.realtime.config import BUNDLES
from mer_live.realtime.demo.clip import demo_clip
from mer_live.realtime.face.landmarks import MODEL_PATH
from mer_live.realtime.sources.config import CameraConfig
from mer_live.realtime.sources.open import open_source

_RUNNER = Path(__file__).with_name("runner.py")
_LIMIT_S = 600.0
_QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "", "GLOG_minloglevel": "2"}


@dataclass(frozen=True, slots=True)
class Measured:
    """What one peer took."""

    version: str
    start_s: float
    """From the start of the process to the first answer."""
    frames: int
    fps: float
    """Frames a second as fast as it goes."""
    cores: float
    """CPU time over wall time meanwhile."""
    curve_ms: tuple[float, ...]
    """Percentiles 0 .. 100 of the time of one frame."""
    offered: int
    answered: int
    """Frames of a live camera, and those that it looked at."""
    live_cores: float
    minute_cpu_s: float
    """CPU time of a minute of 30 fps video, every frame looked at."""
    peak_mb: float | None
    events: int | None
    attempts: int | None
    """Packets it tried to send with the network refused; None where that cannot be seen."""

    @property
    def cpu_ms(self) -> float:
        """CPU time of one frame, all threads: the figure that the machine's load disturbs least."""
        return 1e3 * self.cores / self.fps

    @property
    def share(self) -> float:
        """Part of a live camera's frames that were looked at, 0..1."""
        return self.answered / max(1, self.offered)

    @classmethod
    def parse(cls, text: str) -> Measured:
        """Read the runner's last line; ValueError when it is not its answer."""
        try:
            found = json.loads(text.strip().splitlines()[-1])
            live = found["live"]
            return cls(
                version=str(found["version"]),
                start_s=float(found["start_s"]),
                frames=int(found["frames"]),
                fps=float(found["fps"]),
                cores=float(found["cores"]),
                curve_ms=tuple(float(ms) for ms in found["curve_ms"]),
                offered=int(live["offered"]),
                answered=int(live["answered"]),
                live_cores=float(live["cores"]),
                minute_cpu_s=float(found["minute_cpu_s"]),
                peak_mb=found["peak_mb"],
                events=found.get("events"),
                attempts=found["attempts"],
            )
        except (IndexError, KeyError, TypeError, json.JSONDecodeError) as error:
            raise ValueError(f"the runner's answer cannot be read ({error!r})") from error


@dataclass(frozen=True, slots=True)
class RawClip:
    """A clip unpacked for the runners."""

    path: Path
    size: tuple[int, int]
    fps: float
    frames: int


def run(
    quick: bool = False,
    video: Path | None = None,
    envs: Path = Path("out/peers"),
    peers: Sequence[Peer] = PEERS,
    bundles: Sequence[str] = BUNDLES,
) -> Result:
    """Measure every peer on the first 800 frames of the clip (quick: 200); a minute a peer, once installed."""
    with tempfile.TemporaryDirectory() as folder:
        clip = unpack(video or demo_clip(), 200 if quick else 800, Path(folder))
        result = Result(
            "peers",
            {
                "quick": quick,
                "clip": "bundled demo clip" if video is None else video.name,
                "size": clip.size,
                "fps": clip.fps,
                "frames": clip.frames,
                "network": "refused" if offline() else "not refused: this system cannot",
            },
        )
        measured: dict[str, Measured] = {}
        reasons: dict[str, str] = {}
        for peer in peers:
            try:
                measured[peer.name] = measure(peer, clip, envs, bundles)
            except PeerError as error:
                reasons[peer.name] = str(error)
            result.time_kernel()
    for name, found in measured.items():
        result.times.append(_times(name, found))
    result.figures += [figure for name, found in measured.items() for figure in _figures(name, found, clip)]
    result.figures += [Figure(name, None, note=reason) for name, reason in reasons.items()]
    result.details = {
        "measured": {name: {"fps": found.fps, "share": found.share} for name, found in measured.items()},
        "not_run": {**reasons, **dict(NOT_RUN)},
        "tables": tables(peers, measured, reasons),
    }
    return result


def unpack(video: Path, frames: int, folder: Path) -> RawClip:
    """Write the first ``frames`` frames of ``video`` as bare BGR bytes; ValueError when there are under two."""
    source = open_source(CameraConfig(source=str(video)))
    width, height = source.size
    slot, times = np.empty((height, width, 3), np.uint8), list[int]()
    with source, (folder / "clip.raw").open("wb") as file:
        while len(times) < frames and (t_ns := source.fill(slot)) is not None:
            file.write(slot.data)
            times.append(t_ns)
    if len(times) < 2:
        raise ValueError(f"{video} holds no two frames to measure on")
    return RawClip(
        folder / "clip.raw", (width, height), 1e9 * (len(times) - 1) / (times[-1] - times[0]), len(times)
    )


def measure(peer: Peer, clip: RawClip, envs: Path, bundles: Sequence[str] = BUNDLES) -> Measured:
    """Run one peer in its environment, network refused; PeerError with the reason when that fails."""
    command = [*offline(), str(python_of(peer, envs)), "-P", str(_RUNNER), peer.adapter, str(clip.path)]
    command += ["--size", *map(str, clip.size), "--fps", str(clip.fps), "--model", str(MODEL_PATH)]
    command += [word for bundle in bundles for word in ("--bundle", bundle)]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            env={**os.environ, **_QUIET},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise PeerError(f"did not run: {error}") from error
    if done.returncode:
        raise PeerError(f"failed: {last_line(done.stderr)}")
    try:
        return Measured.parse(done.stdout)
    except ValueError as error:
        raise PeerError(str(error)) from error


def _times(name: str, found: Measured) -> Times:
    p50, p95, p99, most = (found.curve_ms[k] for k in (50, 95, 99, 100))
    return Times(name, found.frames, p50, p95, p99, most, "one frame", found.curve_ms)


def _figures(name: str, found: Measured, clip: RawClip) -> list[Figure]:
    camera = f"of a {clip.fps:.0f} fps camera"
    return [
        Figure(f"{name}: rate", found.fps, "fps", found.frames, better="higher", note="as fast as it goes"),
        Figure(f"{name}: CPU time a frame", found.cpu_ms, "ms", found.frames, note="all threads"),
        Figure(f"{name}: cores", found.cores, "", found.frames, note="CPU time over wall time, same run"),
        Figure(
            f"{name}: frames seen",
            100 * found.share,
            "%",
            found.offered,
            better="higher",
            note=f"{camera}, live",
        ),
        Figure(f"{name}: cores, live", found.live_cores, "", found.offered, note=camera),
        Figure(f"{name}: CPU time of a minute at 30 fps", found.minute_cpu_s, "s", note="every frame"),
        Figure(f"{name}: peak memory", found.peak_mb, "MB"),
        Figure(f"{name}: first answer", found.start_s, "s", note="from the start of the process"),
    ]


def tables(
    peers: Sequence[Peer], measured: dict[str, Measured], reasons: dict[str, str]
) -> list[dict[str, Any]]:
    """What a reader compares: measured, offered, and what could not be run."""
    columns = [
        "",
        "fps",
        "p50 ms",
        "p99 ms",
        "CPU ms",
        "cores",
        "seen live %",
        "cores live",
        "CPU s a minute of 30 fps",
        "peak MB",
        "first answer s",
    ]
    rows = [
        [
            f"{name} {m.version}",
            f"{m.fps:.0f}",
            f"{m.curve_ms[50]:.2f}",
            f"{m.curve_ms[99]:.2f}",
            f"{m.cpu_ms:.1f}",
            f"{m.cores:.2f}",
            f"{100 * m.share:.0f}",
            f"{m.live_cores:.2f}",
            f"{m.minute_cpu_s:.1f}",
            "-" if m.peak_mb is None else f"{m.peak_mb:.0f}",
            f"{m.start_s:.1f}",
        ]
        for name, m in measured.items()
    ]
    features = [
        [
            peer.name,
            *(getattr(peer, attribute) for attribute in FEATURES.values()),
            _sent(measured.get(peer.name)),
        ]
        for peer in peers
    ]
    return [
        {"title": "measured", "columns": columns, "rows": rows},
        {"title": "offered", "columns": ["", *FEATURES, "tried to send"], "rows": features},
        {
            "title": "not run",
            "columns": ["package", "reason"],
            "rows": [list(pair) for pair in (*reasons.items(), *NOT_RUN)],
        },
    ]


def _sent(found: Measured | None) -> str:
    if found is None or found.attempts is None or not offline():
        return "not measured"
    return f"{found.attempts} packets"
