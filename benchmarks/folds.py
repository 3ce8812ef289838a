"""How much faster many STSTNet folds train as one stack than one after the other, on the CDE's sizes."""

from __future__ import annotations

import csv
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from mer_live.engines.files import write_json
from mer_live.realtime.types import CLASSES

if TYPE_CHECKING:
    from torch import Tensor

    from mer_live.engines.networks.ststnet import StstnetNetwork
    from mer_live.training.evaluation.material import FoldMaterial, Job
    from mer_live.training.methods.ststnet.stack import StstnetStack

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
    ratios: tuple[float, ...]
    """Of each turn, ascending; ``ratio`` is of the medians."""
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
    turns = sorted(float(p[0] / s[0]) for p, s in zip(plain, stacked, strict=True))
    return Speed(a, b, c, jobs, a / b, tuple(turns), a / c, float(a_cpu / c_cpu), load)


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


@dataclass(frozen=True, slots=True)
class Agreement:
    """The same folds trained both ways, with the same first weights, order of the clips and dropout."""

    folds: int
    epochs: int
    clips: int
    """Test clips of these folds."""
    uf1_plain: float
    uf1_stacked: float
    differing: int
    """Clips that are told apart otherwise."""
    largest: float
    """Largest difference of a probability."""
    median: float
    """Median, over clips, of the largest difference of a probability."""


def agree(folder: Path, *, folds: int, epochs: int, lr: float) -> Agreement:
    """Train ``folds`` of the CDE by torch's own layers and by the stack; compare what they say of each test clip."""
    import torch

    from mer_live.training.evaluation.material import fold_seed, gather
    from mer_live.training.evaluation.protocols import make_split
    from mer_live.training.learning.trainer import derive, seeded
    from mer_live.training.methods.ststnet.loop import train_stack
    from mer_live.training.methods.ststnet.method import Ststnet
    from mer_live.training.methods.ststnet.stack import StstnetStack
    from mer_live.training.metrics import confusion, scores
    from mer_live.training.prepared.prepared_set import PreparedSet

    torch.set_num_threads(1)
    prepared = PreparedSet.open(folder, {"flow": "uvs28"})
    split = make_split("cde", prepared)
    material = gather(prepared, split, "ststnet")
    chosen = [split.folds[int(k)] for k in np.linspace(0, len(split.folds) - 1, folds)]
    seeds = [fold_seed(0, fold.name) for fold in chosen]
    model = Ststnet()
    x, labels = model.tensors(material.inputs)["flow3"], torch.from_numpy(material.labels)
    said: list[NDArray[np.float64]] = []
    for make in (plain_stack(), StstnetStack):
        networks: list[Any] = []
        for seed in seeds:
            with seeded(derive(seed, 0)):
                networks.append(model.build())
        trained, _ = train_stack(
            networks, x, labels, [fold.train for fold in chosen], np.arange(len(labels)), order_seed=0, seeds=seeds,
            epochs=epochs, batch=model.config.batch, lr=lr, make=make,
        )  # fmt: skip
        with torch.no_grad():
            pairs = zip(trained, chosen, strict=True)
            said.append(
                torch.cat([network(x[fold.test]).softmax(1) for network, fold in pairs]).double().numpy()
            )
    tested = np.concatenate([fold.test for fold in chosen])
    plain, stacked = (scores(confusion(material.labels[tested], p.argmax(1))).uf1 for p in said)
    apart = np.abs(said[0] - said[1]).max(1)
    differing = int((said[0].argmax(1) != said[1].argmax(1)).sum())
    return Agreement(
        folds, epochs, len(tested), plain, stacked, differing, float(apart.max()), float(np.median(apart))
    )


def plain_stack() -> type[StstnetStack]:
    """What a stack is held against; made here since torch is loaded late."""
    import torch

    from mer_live.training.methods.ststnet.stack import Batch, StstnetStack

    class PlainStack(StstnetStack):
        """One network after the other, by torch's own layers, autograd and Adam."""

        def __init__(self, networks: Sequence[StstnetNetwork], x: Tensor, lr: float) -> None:
            super().__init__(networks, x, lr)
            self.x = x
            self.adams = [torch.optim.Adam(network.parameters(), lr=lr) for network in networks]

        def step(self, batches: Sequence[Batch | None]) -> list[float]:
            losses = [float("nan")] * len(batches)
            for k, (network, batch) in enumerate(zip(self.networks, batches, strict=True)):
                if batch is None:
                    continue
                streams: Any = network.train().streams
                maps = torch.cat([stream[:-1](self.x[batch.rows]) for stream in streams], 1)  # (B, C, Q, Q)
                kept = torch.from_numpy(batch.kept).view_as(maps)
                logits = network.classify(network.pool(maps * kept).flatten(1))  # type: ignore[operator]
                loss = torch.nn.functional.cross_entropy(logits, batch.labels)
                self.adams[k].zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                self.adams[k].step()
                losses[k] = loss.item()
            return losses

        def unpack(self) -> list[StstnetNetwork]:
            return [network.eval() for network in self.networks]

    return PlainStack


def train(
    folds: Annotated[int, typer.Option(min=2, max=FOLDS, help="Folds to time in the stack.")] = 16,
    epochs: Annotated[int, typer.Option(min=2, help="Epochs of the stack.")] = 6,
    plain_epochs: Annotated[int, typer.Option(min=2, help="Epochs of the plain loop.")] = 6,
    jobs: Annotated[int, typer.Option(min=1, help="Processes of the stack.")] = 2,
    repeats: Annotated[int, typer.Option(min=1, help="Turns; medians are reported.")] = 3,
    scores: Annotated[bool, typer.Option(help="Also compare what both ways say of every test clip.")] = True,
    score_epochs: Annotated[int, typer.Option(min=1, help="Epochs of that comparison.")] = 40,
    score_lr: Annotated[
        float, typer.Option(help="Its rate; the paper's 5e-5 learns little in so few epochs.")
    ] = 1e-3,
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
        typer.echo(
            f"  stacked, {jobs} processes           {speed.stacked_s:8.0f} s   {speed.ratio:.1f} x "
            f"({speed.ratios[0]:.1f} .. {speed.ratios[-1]:.1f} in {repeats} turns)"
        )
        typer.echo(f"  processor time, plain / stacked       {speed.ratio_cpu:.1f} x")
        if speed.load > 1:
            typer.echo(
                f"  this machine was busy (load {speed.load:.1f} per processor): trust the last line most"
            )
        if scores:
            found = agree(folder, folds=8, epochs=score_epochs, lr=score_lr)
            report["agreement"] = asdict(found)
            typer.echo(
                f"  {found.folds} folds x {found.epochs} epochs, same weights, order and dropout both ways: UF1 plain "
                f"{found.uf1_plain:.4f}, stacked {found.uf1_stacked:.4f}; {found.differing} of {found.clips} "
                f"test clips told apart otherwise; a probability differs by {found.median:.1e} (median), "
                f"{found.largest:.1e} (most)"
            )
    report["seconds"] = time.perf_counter() - begin
    if json_file is not None:
        write_json(json_file, report)
