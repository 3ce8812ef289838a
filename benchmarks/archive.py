"""``mer-bench archive``: 200 short recordings through ``mer-live batch``: 1 and 2 workers, and with workers killed."""

from __future__ import annotations

import csv
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import av
import psutil

from mer_live.benchmarks.inputs import demo_recording
from mer_live.benchmarks.result import Figure, Result
from mer_live.realtime.batch.journal import JOURNAL
from mer_live.realtime.batch.tables import EVENTS, RECORDINGS

_COMMAND = [sys.executable, "-m", "mer_live.realtime.cli", "batch"]
_CUTS = 20
_SIZE = (320, 240)
_BEGIN_S, _LENGTH_S, _STEP_S = 0.4, 1.5, 0.01
_PATIENCE_S = 3600.0


def make_archive(folder: Path, count: int) -> float:
    """Write ``count`` videos of 1.5 s at 200 fps around the demo clip's first event; seconds of video in all.

    Twenty are cut at places of their own; the others are copies of these.
    """
    folder.mkdir(parents=True)
    cuts = min(count, _CUTS)
    clip = demo_recording(_BEGIN_S + _LENGTH_S + cuts * _STEP_S).at_size(*_SIZE)
    for k in range(count):
        path = folder / f"{k:03}.mp4"
        if k >= cuts:
            path.write_bytes((folder / f"{k % cuts:03}.mp4").read_bytes())
            continue
        first = round((_BEGIN_S + k * _STEP_S) * clip.fps)
        frames = clip.frames[first : first + round(_LENGTH_S * clip.fps)]
        with av.open(str(path), "w") as container:
            stream = container.add_stream("libx264", rate=round(clip.fps), options={"crf": "14"})
            stream.width, stream.height = _SIZE
            stream.pix_fmt = "yuv420p"
            for frame in frames:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="bgr24")))
            container.mux(stream.encode())
    return count * _LENGTH_S


def run(count: int = 200) -> Result:
    """Run an archive of ``count`` recordings by one worker and by two, then by two of which two are killed."""
    result = Result("archive", {"recordings": count, "seconds_each": _LENGTH_S})
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "archive"
        length_s = make_archive(folder, count)
        for workers in (1, 2):
            before, started = _processor_s(), time.monotonic()
            analyse(folder, Path(scratch) / f"by-{workers}", workers)
            wall_s, used_s = time.monotonic() - started, _processor_s() - before
            note = f"{wall_s:.0f} s for {length_s:.0f} s of video at 200 fps, the workers' start included"
            name = f"{workers} worker(s)"
            result.figures += [
                Figure(name, round(length_s / wall_s, 2), "h of video an hour", count, note=note),
                Figure(f"{name}: processor time", round(used_s / length_s, 2), "h an hour of video", count),
            ]
        killed = Path(scratch) / "killed"
        analyse(folder, killed, 2, kill_after=(count // 5, count // 2))
        names = Counter(row["recording"] for row in read(killed / RECORDINGS))
        lost = [path.name for path in folder.iterdir() if path.name not in names]
        twice = [name for name, times in names.items() if times > 1]
        other = sum(
            one != two
            for one, two in itertools.zip_longest(
                *(without_compute(place / EVENTS) for place in (Path(scratch) / "by-1", killed))
            )
        )
        failed = sum(bool(row["reason"]) for row in read(killed / RECORDINGS))
        for name, number in (
            ("lost", len(lost)),
            ("twice", len(twice)),
            ("failed", failed),
            ("other events", other),
        ):
            result.figures.append(
                Figure(f"two workers killed: {name}", number, "", count, target=0, better="lower")
            )
        result.details["events"] = len(read(killed / EVENTS))
    return result


def _processor_s() -> float:
    """Of the children that have ended; theirs included."""
    times = os.times()
    return times.children_user + times.children_system


def analyse(folder: Path, out: Path, workers: int, kill_after: tuple[int, ...] = ()) -> None:
    """Run ``mer-live batch``; after each of so many recordings a worker is killed."""
    command = [*_COMMAND, str(folder), "--out", str(out), "--jobs", str(workers)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        for number in kill_after:
            kill_a_worker(process, out / JOURNAL, number)
        assert process.stderr is not None
        said = process.stderr.read().decode()
    if process.returncode:
        raise RuntimeError(f"mer-live batch ended with {process.returncode}: {said}")


def kill_a_worker(process: subprocess.Popen[bytes], journal: Path, number: int) -> None:
    """Wait until ``number`` recordings are done, then kill the worker that has used most time."""
    until = time.monotonic() + _PATIENCE_S
    while done(journal) < number:
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"mer-live batch ended before {number} recordings were done")
        time.sleep(0.02)
    workers = [
        one for one in psutil.Process(process.pid).children() if "spawn_main" in " ".join(one.cmdline())
    ]
    max(workers, key=lambda one: sum(one.cpu_times()[:2])).send_signal(signal.SIGKILL)


def done(journal: Path) -> int:
    """Recordings in a journal."""
    return max(0, journal.read_bytes().count(b"\n") - 1) if journal.exists() else 0


def read(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def without_compute(path: Path) -> list[dict[str, str]]:
    """Events of an archive without the times that differ from run to run."""
    return [{name: cell for name, cell in row.items() if name != "compute_ms"} for row in read(path)]
