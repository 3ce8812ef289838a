"""How much faster many STSTNet folds train as one stack than one after the other, on the CDE's sizes."""

from __future__ import annotations

import csv
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from mer_live.engines.files import write_json
from mer_live.realtime.types import CLASSES

if TYPE_CHECKING:
    from mer_live.training.evaluation.material import FoldMaterial, Job

EPOCHS, FOLDS = 500, 68


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds are for the whole CDE: 68 folds of 500 epochs, batches of 256."""

    plain_s: float
    """One model after the other, one thread: the loop of `training.learning.trainer`."""
    stacked_s: float
    """Stacks of folds in ``jobs`` processes of one thread each."""
    stacked_one_s: float
    """The same in one process."""
    jobs: int
    ratio: float
    ratio_one: float
    """Against one process: what the stack itself gains, without parallel processes."""
    ratio_cpu: float
    """Processor seconds of the plain loop over those of the stack: what other load cannot blur."""
    load: float
    """Processes that wanted to run at the start, over the processors there are: above 1 distrusts seconds."""


def write_cde(folder: Path, seed: int = 0, signal: float = 12.0) -> Path:
    """Write a prepared set with MEGC 2019's counts and random flow images in which classes differ a little.

    A class moves one of three places; all three are noisy, the rest stands still, as in a face.
    """
    from mer_live.training.datasets.published import MEGC2019  # the readers beside it load OpenCV

    rng = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[:28, :28]
    blobs = [
        np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / 12.0)[..., None] for cy, cx in ((20, 14), (20, 6), (6, 14))
    ]
    moving = np.max(blobs, axis=0) > 0.02
    rows, images = [], []
    for name, (people, *classes) in MEGC2019.items():
        labels = rng.permutation(np.repeat(np.arange(len(CLASSES)), classes))
        for k, label in enumerate(labels):
            rows.append([f"{name}/{k}", name, k % (people or 1) + 1, CLASSES[label]])
            image = 128 + rng.normal(signal, signal / 2) * blobs[label] * rng.normal(1, 0.5, 3)
            images.append(np.clip(image + moving * rng.normal(0, 8, (28, 28, 3)), 0, 255))
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(["key", "dataset", "subject", "label"])
        writer.writerows(rows)
    np.save(folder / "uvs28.npy", np.stack(images).astype(np.uint8))
    return folder


def measure(folder: Path, *, plain_epochs: int, epochs: int, folds: int, jobs: int, repeats: int) -> Speed:
    """Time both ways in turns on the same folds and scale to the whole run.

    Training is linear in folds and epochs; starting the workers (some seconds, once) is left out.
    """
    from mer_live.engines.executors import LocalExecutor
    from mer_live.training.evaluation.material import Job, gather
    from mer_live.training.evaluation.protocols import make_split
    from mer_live.training.prepared.prepared_set import PreparedSet

    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    prepared = PreparedSet.open(folder, {"flow": "uvs28"})
    split = make_split("cde", prepared)

    def material(n: int, stacked: bool) -> FoldMaterial:
        return gather(prepared, split, "ststnet", {"epochs": n}, stacked=stacked)

    short, long = material(plain_epochs, False), material(epochs, True)
    spread = [int(k) for k in np.linspace(0, len(split.folds) - 1, folds)]
    each = max(1, folds // jobs)
    groups = [Job(0, tuple(spread[a : a + each])) for a in range(0, folds, each)]

    def per_fold_epoch(times: list[tuple[float, float, int]], n: int) -> NDArray[np.float64]:
        """Return wall and processor seconds of one fold and epoch."""
        seconds: NDArray[np.float64] = np.array(times)[:, :2].sum(0)
        return seconds / sum(count for *_, count in times) / (n - 1)

    plain, stacked, one = [], [], []
    for _ in range(repeats):
        plain.append(per_fold_epoch([_timed(short, Job(0, (spread[0],)))], plain_epochs))
        one.append(per_fold_epoch([_timed(long, groups[0])], epochs))
        done = [times for _, times in LocalExecutor(jobs).run(_timed, long, groups)]
        stacked.append(per_fold_epoch(done, epochs) / min(jobs, len(groups)))
    whole = EPOCHS * FOLDS
    (a, a_cpu), (b, _), (c, c_cpu) = (np.median(v, axis=0) * whole for v in (plain, stacked, one))
    a, b, c = float(a), float(b), float(c)
    return Speed(a, b, c, jobs, a / b, a / c, float(a_cpu / c_cpu), load)


def _timed(material: FoldMaterial, job: Job) -> tuple[float, float, int]:
    """Wall and processor seconds of all epochs but the first, and the number of folds.

    The job is run with one epoch and with all of them: the difference is training alone, without imports,
    cutting patches and prediction.
    """
    from mer_live.training.evaluation.material import Job, run_job

    warm = replace(material, settings={**material.settings, "epochs": 1})
    run_job(warm, Job(job.seed, job.folds[:1]))  # imports, first allocations
    first = _clock(lambda: run_job(warm, job))
    whole = _clock(lambda: run_job(material, job))
    return whole[0] - first[0], whole[1] - first[1], len(job.folds)


def _clock(work: Callable[[], object]) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def compare_scores(folder: Path, seeds: tuple[int, ...] = (0, 1, 2)) -> dict[str, list[float]]:
    """Return UF1 per seed, plain and stacked, of leave-one-subject-out over a part of the set."""
    from mer_live.training.evaluation.evaluate import EvaluationRequest, evaluate

    settings = {"epochs": 40, "lr": 2e-3}
    found = {}
    for name, stacked in (("plain", False), ("stacked", True)):
        request = EvaluationRequest(
            folder, "loso", "ststnet", {"flow": "uvs28"}, settings, seeds, database="part", stacked=stacked
        )
        report = evaluate(request)
        found[name] = [s["uf1"] for s in report["scores"]["full"]["seeds"].values()]
    return found


def write_part(source: Path, folder: Path, subjects: int = 8) -> Path:
    """Write the clips of the first SMIC-HS subjects as a database of their own, ``part``."""
    folder.mkdir(parents=True, exist_ok=True)
    with (source / "index.csv").open(encoding="utf-8") as handle:
        rows = list(csv.reader(handle))
    chosen = [k for k, r in enumerate(rows[1:]) if r[1] == "smic-hs" and int(r[2]) <= subjects]
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(rows[0])
        writer.writerows([[rows[k + 1][0], "part", *rows[k + 1][2:]] for k in chosen])
    np.save(folder / "uvs28.npy", np.load(source / "uvs28.npy")[chosen])
    return folder


def train(
    folds: Annotated[int, typer.Option(min=2, max=FOLDS, help="Folds to time in the stack.")] = 16,
    epochs: Annotated[int, typer.Option(min=2, help="Epochs of the stack.")] = 6,
    plain_epochs: Annotated[int, typer.Option(min=2, help="Epochs of the plain loop.")] = 6,
    jobs: Annotated[int, typer.Option(min=1, help="Processes of the stack.")] = 2,
    repeats: Annotated[int, typer.Option(min=1, help="Turns; medians are reported.")] = 3,
    scores: Annotated[bool, typer.Option(help="Also compare the scores of both ways.")] = True,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures here.")] = None,
) -> None:
    """Time STSTNet on the composite protocol: plain loop against stacked folds, in one run."""
    begin = time.perf_counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = write_cde(Path(temporary) / "cde")
        speed = measure(
            folder, plain_epochs=plain_epochs, epochs=epochs, folds=folds, jobs=jobs, repeats=repeats
        )
        report: dict[str, Any] = {"speed": asdict(speed), "folds": FOLDS, "epochs": EPOCHS, "batch": 256}
        typer.echo(f"CDE, STSTNet, {FOLDS} folds x {EPOCHS} epochs, 442 clips, batch 256, extrapolated:")
        typer.echo(
            f"  plain loop, 1 thread           {speed.plain_s:8.0f} s ({speed.plain_s / FOLDS:.1f} s a fold)"
        )
        typer.echo(f"  stacked, 1 process             {speed.stacked_one_s:8.0f} s   {speed.ratio_one:.1f} x")
        typer.echo(f"  stacked, {jobs} processes           {speed.stacked_s:8.0f} s   {speed.ratio:.1f} x")
        typer.echo(f"  processor time, plain / stacked       {speed.ratio_cpu:.1f} x")
        if speed.load > 1:
            typer.echo(
                f"  this machine was busy (load {speed.load:.1f} per processor): trust the last line most"
            )
        if scores:
            found = compare_scores(write_part(folder, Path(temporary) / "part"))
            report["uf1"] = found
            for name, values in found.items():
                spread = statistics.stdev(values)
                typer.echo(
                    f"  UF1 {name:<8} {statistics.mean(values):.3f} +- {spread:.3f} over {len(values)} seeds"
                )
    report["seconds"] = time.perf_counter() - begin
    if json_file is not None:
        write_json(json_file, report)
