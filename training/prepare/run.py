"""From samples to a prepared set: clip by clip in parallel, resumable, the same bytes on every run."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.engines.files import whole, write_atomically
from mer_live.realtime.outputs import unwritable
from mer_live.realtime.types import CLASSES
from mer_live.training.datasets.frames import FrameError
from mer_live.training.datasets.sample import DatasetError, Reading, Sample, Skipped
from mer_live.training.prepare.clip import ClipError, Prepared, Represent, prepare_annotated
from mer_live.training.prepare.config import PrepareConfig, clip_fingerprint, fingerprint, software
from mer_live.training.prepared.index import save_array, write_index
from mer_live.training.prepared.prepared_set import COPIES, PreparedSet

Progress = Callable[[int, int], None]
"""(clips done, clips in all)"""
FORMAT = 1
PARTS = ".parts"
EXTRA = ("emotion", "action_units", "found")


class UnwritableError(OSError):
    """The folder of the prepared set cannot be made; one sentence."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What `prepare` did."""

    path: Path
    counts: dict[str, dict[str, int]]
    """Per database: clips, subjects, clips of each class."""
    found: dict[str, int]
    """How many clips' frames come from the sheet, the middle, the search, the spotter."""
    skipped: tuple[Skipped, ...]
    without_class: int
    hash: str
    """Of the sample list."""
    fresh: bool
    """False where the folder already held exactly this."""


def prepare(
    reading: Reading,
    out: Path,
    config: PrepareConfig,
    *,
    jobs: int = 1,
    restart: bool = False,
    progress: Progress | None = None,
) -> Outcome:
    """Prepare every sample that has a class.

    Finished clips are kept in ``out/.parts`` until all are done, so an interrupted run goes on where it
    stopped. The same samples and configuration give the same bytes whatever ``jobs`` is.

    Args:
        reading: Samples, and what the reader skipped, which is listed in ``prepare.json``.
        out: Folder to write; another prepared set there is replaced file by file.
        config: Representations and how frames are chosen.
        jobs: Processes.
        restart: Forget what an earlier run left.
        progress: Called after every clip.

    Raises:
        DatasetError: No clip has a class, or none could be prepared; or a name stands twice in the list.
        LandmarkerError: The landmark model cannot be used.
        UnwritableError: ``out`` cannot be made.
    """
    samples = [sample for sample in reading.samples if sample.label is not None]
    without = len(reading.samples) - len(samples)
    if not reading.samples and reading.skipped:
        first = reading.skipped[0]
        raise DatasetError(
            f"no clip is left of {len(reading.skipped)}; the first, {first.name}: {first.reason}"
        )
    if not samples:
        raise DatasetError(f"none of {without} clips has one of the classes {', '.join(reading.classes)}")
    twice = [key for key, count in Counter(sample.key for sample in samples).items() if count > 1]
    if twice:
        raise DatasetError(f"the clip {twice[0]} is read twice: name each database once")
    prints = [clip_fingerprint(sample, config) for sample in samples]
    listed = [[s.name, s.reason] for s in reading.skipped]
    whole = fingerprint([FORMAT, config.to_json(), prints, listed, *_scheme(reading).values()])
    if restart:
        shutil.rmtree(out / PARTS, ignore_errors=True)
    elif (done := _already(out, config, whole)) is not None:
        return done
    parts = out / PARTS
    try:
        parts.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UnwritableError(str(unwritable(out, error))) from error
    files = [parts / f"{config.variant}-{name}.npz" for name in prints]
    work = [(sample, file) for sample, file in zip(samples, files, strict=True) if not file.is_file()]
    finished = len(samples) - len(work)
    for _ in _run(work, config, jobs):
        finished += 1
        if progress is not None:
            progress(finished, len(samples))
    _assemble(reading, samples, files, out, config, whole)
    shutil.rmtree(parts)
    result = _already(out, config, whole)
    assert result is not None
    return Outcome(**{**{name: getattr(result, name) for name in Outcome.__slots__}, "fresh": True})


def _already(out: Path, config: PrepareConfig, whole: str) -> Outcome | None:
    """Return the outcome that ``out`` holds, if it is of this configuration and whole."""
    file = out / "prepare.json"
    names = [f"{name}.npy" for name, _ in config.representations] + ["index.csv"]
    names += [f"{COPIES}/{name}.npy" for name in config.copied]
    if not file.is_file() or not all((out / name).is_file() for name in names):
        return None
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except ValueError:
        return None
    if not isinstance(data, dict) or data.get("fingerprint") != whole:
        return None
    skipped = tuple(Skipped(entry["name"], entry["reason"]) for entry in data["skipped"])
    return Outcome(
        out, data["counts"], data["found"], skipped, data["without_class"], data["sample_list"], False
    )


def _run(work: Sequence[tuple[Sample, Path]], config: PrepareConfig, jobs: int) -> Iterator[None]:
    if jobs <= 1 or len(work) <= 1:
        for sample, file in work:
            _prepare_one(sample, file, config)
            yield
        return
    # A landmark graph's threads do not survive a fork, so workers start from nothing.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(work)), mp_context=context, initializer=_start_worker) as pool:
        waiting: set[Future[None]] = set()
        todo = iter(work)
        try:
            while True:
                while len(waiting) < 4 * jobs and (item := next(todo, None)) is not None:
                    waiting.add(pool.submit(_prepare_one, *item, config))
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in done:
                    yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _start_worker() -> None:
    cv2.setNumThreads(1)


_makers: dict[PrepareConfig, Represent] = {}


def _prepare_one(sample: Sample, file: Path, config: PrepareConfig) -> None:
    """Prepare one sample into a part file; what cannot be prepared leaves its reason there instead."""
    make = _makers.setdefault(config, Represent(config))
    try:
        if config.variant == "annotated":
            result = prepare_annotated(sample, config, make)
        else:
            from mer_live.training.prepare.deployable import prepare_deployable

            result = prepare_deployable(sample, config, make)
    except (ClipError, FrameError, OSError) as error:
        _save_part(file, {"reason": str(error)}, {})
        return
    about = {"onset": result.onset, "apex": result.apex, "offset": result.offset, "found": result.found}
    _save_part(file, about, _flat(result))


def _flat(result: Prepared) -> dict[str, NDArray[Any]]:
    copies = {f"copies/{name}": array for name, array in result.copies.items()}
    return {**{f"array/{name}": array for name, array in result.arrays.items()}, **copies}


def _save_part(file: Path, about: dict[str, Any], arrays: dict[str, NDArray[Any]]) -> None:
    text = np.frombuffer(json.dumps(about).encode(), np.uint8)
    with whole(file) as partial, partial.open("wb") as handle:
        np.savez(handle, about=text, **arrays)  # type: ignore[arg-type]


def _assemble(
    reading: Reading,
    samples: Sequence[Sample],
    files: Sequence[Path],
    out: Path,
    config: PrepareConfig,
    whole: str,
) -> None:
    """Write arrays, then the index, and ``prepare.json`` last: its presence says that all is there."""
    rows: list[dict[str, Any]] = []
    kept: list[Path] = []
    skipped = list(reading.skipped)
    for sample, file in zip(samples, files, strict=True):
        with np.load(file) as part:
            about = json.loads(part["about"].tobytes())
        if "reason" in about:
            skipped.append(Skipped(sample.key, about["reason"]))
            continue
        assert sample.label is not None
        row = {"key": sample.key, "dataset": sample.dataset, "subject": sample.subject, "fps": sample.fps}
        row |= {"label": reading.classes[sample.label], "emotion": sample.emotion, **about}
        rows.append({**row, "action_units": sample.action_units})
        kept.append(file)
    if not rows:
        raise DatasetError(f"none of {len(samples)} clips could be prepared; the first: {skipped[-1].reason}")
    _remove_older(out, config)
    for name, _ in config.representations:
        _stack(out / f"{name}.npy", kept, f"array/{name}", one=True)
    for name in config.copied:
        counts = _stack(out / COPIES / f"{name}.npy", kept, f"copies/{name}", one=False)
        owners = np.repeat(np.arange(len(kept), dtype=np.int64), counts)
        save_array(out / COPIES / f"{name}.rows.npy", owners)
    write_index(out, rows, EXTRA)
    if scheme := _scheme(reading):  # the index cannot be read without
        write_atomically(out / "prepare.json", json.dumps(scheme).encode())
    made = PreparedSet.open(out)
    description = {
        "format": FORMAT,
        "fingerprint": whole,
        "sample_list": made.hash,
        "counts": made.counts,
        "found": dict(sorted(Counter(row["found"] for row in rows).items())),
        "without_class": len(reading.samples) - len(samples),
        "skipped": [{"name": entry.name, "reason": entry.reason} for entry in skipped],
        "notes": list(reading.notes),
        "software": software(),
        **config.to_json(),
        **scheme,
    }
    text = json.dumps(description, indent=1, sort_keys=True, ensure_ascii=False)
    write_atomically(out / "prepare.json", text.encode() + b"\n")


def _scheme(reading: Reading) -> dict[str, Any]:
    """What ``prepare.json`` says of the classes: nothing where they are the usual three."""
    return {} if reading.classes == CLASSES else {"classes": list(reading.classes)}


def _remove_older(out: Path, config: PrepareConfig) -> None:
    """Remove what an earlier preparation wrote here and this one does not; leave foreign arrays alone."""
    file = out / "prepare.json"
    try:
        older = list(json.loads(file.read_text(encoding="utf-8"))["representations"])
    except (OSError, ValueError, KeyError, TypeError):
        older = []
    file.unlink(missing_ok=True)
    now = {name for name, _ in config.representations}
    for name in older:
        if name not in now:
            (out / f"{name}.npy").unlink(missing_ok=True)
        if name not in config.copied:
            for copy in (f"{name}.npy", f"{name}.rows.npy"):
                (out / COPIES / copy).unlink(missing_ok=True)


def _stack(file: Path, parts: Sequence[Path], name: str, one: bool) -> NDArray[np.int64]:
    """Join one array of every part, part by part through a memory map; returns the rows of each."""
    shapes = []
    for part in parts:
        with np.load(part) as data:
            shapes.append((data[name].shape, data[name].dtype))
    shape, dtype = shapes[0]
    counts = np.array([1 if one else shape[0] for shape, _ in shapes], np.int64)
    with whole(file) as partial:
        rows = (int(counts.sum()), *(shape if one else shape[1:]))
        target = np.lib.format.open_memmap(partial, "w+", dtype, rows)
        row = 0
        for part, count in zip(parts, counts.tolist(), strict=True):
            with np.load(part) as data:
                target[row : row + count] = data[name]
            row += count
        target.flush()
        del target
    return counts
