"""Runs one package over the frames of a clip and prints what that took as one line of JSON.

``mer-bench peers`` starts this file as a script, by its path, inside the environment of that package. So it
imports the standard library and numpy only, until the package itself is wanted.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Answer = Callable[[NDArray[np.uint8]], bool]
"""Takes a (H, W, 3) BGR frame; whether the package said anything about a face in it."""

_WARM = 3


class RawFrames:
    """A clip as bare bytes in a file, read frame by frame so that no peer is charged for holding it."""

    def __init__(self, path: Path, width: int, height: int, fps: float) -> None:
        self._file = path.open("rb")
        self.shape = (height, width, 3)
        self.fps = fps
        self.count = path.stat().st_size // math.prod(self.shape)

    def read(self, k: int, slot: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Put frame ``k`` into ``slot`` (H, W, 3), contiguous, and return it."""
        self._file.seek(k * slot.nbytes)
        self._file.readinto(slot.data)
        return slot


class Webcam:
    """The clip there and back once, as a camera of 30 fps would have taken it."""

    fps = 30.0

    def __init__(self, frames: RawFrames) -> None:
        self._frames = frames
        self.shape = frames.shape
        self.count = max(1, int(2 * frames.count * self.fps / frames.fps))

    def read(self, k: int, slot: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Put frame ``k`` into ``slot`` (H, W, 3) and return it."""
        at = round(k * self._frames.fps / self.fps)
        return self._frames.read(min(at, 2 * self._frames.count - 1 - at), slot)


def mediapipe(options: argparse.Namespace) -> tuple[str, Answer]:
    """FaceLandmarker with blendshapes in VIDEO mode: LIVE_STREAM computes the same but hides its duration."""
    mp, cv2 = import_module("mediapipe"), import_module("cv2")
    vision = import_module("mediapipe.tasks.python.vision")
    base = import_module("mediapipe.tasks.python").BaseOptions(model_asset_path=options.model)
    task = vision.FaceLandmarker.create_from_options(
        vision.FaceLandmarkerOptions(
            base_options=base, running_mode=vision.RunningMode.VIDEO, output_face_blendshapes=True
        )
    )
    t_ms = 0

    def answer(frame: NDArray[np.uint8]) -> bool:
        nonlocal t_ms
        t_ms += max(1, round(1000 / options.fps))
        image = mp.Image(mp.ImageFormat.SRGB, cv2.cvtColor(frame, cv2.COLOR_BGR2RGB))
        return bool(task.detect_for_video(image, t_ms).face_blendshapes)

    return metadata.version("mediapipe"), answer


def fer(_: argparse.Namespace) -> tuple[str, Answer]:
    """As its README says: the quantized model, faces by Haar cascade."""
    detector = import_module("fer.fer").FER()
    return metadata.version("fer"), lambda frame: bool(detector.detect_emotions(frame))


def facex(_: argparse.Namespace) -> tuple[str, Answer]:
    """One worker of its pool."""
    pool = import_module("facex.core").PoolManager(pool_size=1)
    return metadata.version("facex"), lambda frame: bool(pool.predict(frame))


ADAPTERS = {"mediapipe": mediapipe, "fer": fer, "facex": facex}


def measure_minute(answer: Answer, frames: Webcam, budget_s: float) -> float:
    """Processor time of a minute of which every frame is looked at, s."""
    slot, cpu, started = np.empty(frames.shape, np.uint8), time.process_time(), time.perf_counter()
    for done in range(1, frames.count + 1):
        answer(frames.read(done - 1, slot))
        if time.perf_counter() - started > budget_s:
            break
    return (time.process_time() - cpu) * 60 * frames.fps / done


def measure_calls(answer: Answer, frames: RawFrames, budget_s: float) -> dict[str, Any]:
    """Every frame one after the other, then as a camera would give them: newest frame first, rest lost."""
    slot = np.empty(frames.shape, np.uint8)
    for k in range(min(_WARM, frames.count)):
        answer(frames.read(k, slot))
    taken, faces, cpu, started = [], 0, time.process_time(), time.perf_counter()
    for k in range(frames.count):
        frames.read(k, slot)
        before = time.perf_counter_ns()
        faces += answer(slot)
        taken.append(time.perf_counter_ns() - before)
        if time.perf_counter() - started > budget_s:
            break
    wall_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    curve = np.percentile(np.asarray(taken) / 1e6, np.arange(101)).round(4).tolist()
    found = {"frames": len(taken), "faces": faces, "fps": len(taken) / wall_s, "cores": cpu_s / wall_s}
    return {**found, "curve_ms": curve, "live": _live(answer, frames, slot)}


def _live(answer: Answer, frames: RawFrames, slot: NDArray[np.uint8]) -> dict[str, float]:
    answered, k, cpu, started = 0, -1, time.process_time(), time.perf_counter()
    while True:
        newest = int((time.perf_counter() - started) * frames.fps)
        if newest >= frames.count:
            break
        if newest == k:
            time.sleep(max(0.0, started + (k + 1) / frames.fps - time.perf_counter()))
            continue
        k = newest
        answer(frames.read(k, slot))
        answered += 1
    wall_s = time.perf_counter() - started
    cores = (time.process_time() - cpu) / wall_s
    return {"offered": frames.count, "answered": answered, "cores": cores}


def peak_mb() -> float | None:
    """Highest resident memory of this process, MB."""
    try:
        # getrusage would do, but a child inherits its parent's peak there.
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024 / 1e6
    except OSError:
        pass
    try:
        info = import_module("psutil").Process().memory_info()
    except ImportError:
        return None
    return float(getattr(info, "peak_wset", info.rss)) / 1e6


def unreachable() -> int | None:
    """Packets that this network namespace had no way to send; of use only where all network is refused."""
    total = None
    try:
        head, values = (
            line.split()
            for line in Path("/proc/self/net/snmp").read_text(encoding="ascii").splitlines()
            if line.startswith("Ip:")
        )
        total = int(values[head.index("OutNoRoutes")])
        for line in Path("/proc/self/net/snmp6").read_text(encoding="ascii").splitlines():
            total += int(line.split()[1]) if line.startswith("Ip6OutNoRoutes") else 0
    except (OSError, ValueError):
        pass
    return total


def main() -> None:
    """Measure one package and print one line of JSON, the last of stdout."""
    started = time.monotonic()
    parser = argparse.ArgumentParser()
    parser.add_argument("adapter", choices=[*ADAPTERS, "mer-live"])
    parser.add_argument("clip", type=Path)
    parser.add_argument("--size", type=int, nargs=2, required=True)
    parser.add_argument("--fps", type=float, required=True)
    parser.add_argument("--budget", type=float, default=60.0)
    parser.add_argument("--model", default="")
    parser.add_argument("--bundle", action="append", default=[])
    options = parser.parse_args()
    frames, silent = RawFrames(options.clip, options.size[0], options.size[1], options.fps), unreachable()
    if options.adapter == "mer-live":
        from mer_live.benchmarks.peers.ours import measure_self

        found = measure_self(frames, Webcam(frames), options.bundle, started)
    else:
        version, answer = ADAPTERS[options.adapter](options)
        answer(frames.read(0, np.empty(frames.shape, np.uint8)))
        start_s = time.monotonic() - started
        found = {"version": version, "start_s": start_s, **measure_calls(answer, frames, options.budget)}
        options.fps = Webcam.fps
        found["minute_cpu_s"] = measure_minute(answer, Webcam(frames), options.budget)
    attempts = None if silent is None else (unreachable() or silent) - silent
    sys.stdout.flush()
    print("\n" + json.dumps({**found, "peak_mb": peak_mb(), "attempts": attempts}), flush=True)


if __name__ == "__main__":
    main()
