"""Train and test every fold and seed of a protocol, pool, and report; see ``mer-train evaluate``."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.executors import Executor, LocalExecutor
from mer_live.engines.versions import versions
from mer_live.training.evaluation.fold_store import FoldStore
from mer_live.training.evaluation.material import (
    ANNOTATED,
    FoldMaterial,
    FoldResult,
    gather,
    plan,
    resolve_inputs,
    run_job,
)
from mer_live.training.evaluation.protocols import Split, make_split, train_on_all
from mer_live.training.evaluation.results import write_curves, write_predictions
from mer_live.training.evaluation.zero_shot import mixed, rendered_clips, zero_shot
from mer_live.training.learning.compute import CPU, Compute
from mer_live.training.methods import make_method
from mer_live.training.metrics import as_report, average, confusion, per_class, summarise
from mer_live.training.prepared.prepared_set import PreparedSet

Progress = Callable[[int, int, FoldResult], None]
"""(folds done, folds in all, the one that was just finished)."""
_GROUP = 8
"""Folds of a stacked method per job: what shares the cache, and what an interruption loses."""


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What to evaluate."""

    data: Path
    protocol: str
    method: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    seeds: tuple[int, ...] = (0,)
    partial: bool = False
    """Go on although the clips are not the protocol's published list."""
    database: str | None = None
    test_fraction: float = 0.25
    split_seed: int = 0
    stacked: bool = True
    """Train many folds as one model where the method can."""
    compute: Compute = CPU
    """Where networks are trained."""
    synthetic: Path | None = None
    """Train on this rendered set alone and test every clip (`zero_shot`); the protocol ``all`` is then every clip."""
    synthetic_weight: float = 0.0
    """Above 0: the rendered set joins the training side of each fold instead, each clip counting so much (`mixed`)."""


def evaluate(
    request: EvaluationRequest,
    *,
    out: Path | None = None,
    resume: bool = False,
    log_curves: bool = False,
    keep_weights: bool = False,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run a protocol and return the report that ``--json`` writes.

    Args:
        request: What to evaluate.
        out: Folder for the finished folds (``out/folds``) and ``predictions.csv``; None keeps them in memory.
        resume: Take the folds that are there; otherwise they are removed first.
        log_curves: Also write ``out/curves.csv``, the losses of every epoch.
        keep_weights: Also keep each fold's network in ``out/weights``.
        executor: Where folds run; one process on this machine by default.
        progress: Called after every fold.

    Raises:
        ProtocolError: The clips do not make the protocol.
        PreparedError: The prepared set cannot be used.
        StoreError: ``resume`` with folds of another run.
        FoldError: A fold failed.
        ValueError: Unknown method or setting, a seed twice, or no network whose weights could be kept.
    """
    if not request.seeds or len(set(request.seeds)) != len(request.seeds) or min(request.seeds) < 0:
        raise ValueError(f"seeds must be different numbers from 0 on, got {list(request.seeds)}")
    begin = time.perf_counter()
    prepared = PreparedSet.open(request.data, request.inputs)
    if request.synthetic is not None and request.protocol == "all":
        split = train_on_all(prepared)
    else:
        split = make_split(
            request.protocol,
            prepared,
            partial=request.partial,
            database=request.database,
            test_fraction=request.test_fraction,
            seed=request.split_seed,
        )
    compute = request.compute if out is None else replace(request.compute, checkpoints=out / "unfinished")
    material = gather(
        prepared, split, request.method, request.settings, stacked=request.stacked, compute=compute
    )
    if request.synthetic is not None:
        if request.synthetic_weight:
            split, material = mixed(
                split, material, request.synthetic, request.inputs, request.synthetic_weight
            )
        else:
            split, material = zero_shot(split, material, request.synthetic, request.inputs)
    if keep_weights:
        if out is None or not hasattr(make_method(request.method, material.settings), "network"):
            raise ValueError(f"{request.method} has no network whose weights could be kept")
        material = replace(material, keep=out / "weights")
    store = FoldStore(out / "folds", material.fingerprint) if out is not None else None
    results: list[FoldResult] = []
    if store is not None:
        if resume:
            results = [r for r in store.load() if r.seed in request.seeds]
        else:
            store.clear()
            if compute.checkpoints is not None:
                shutil.rmtree(compute.checkpoints, ignore_errors=True)
    done = {(r.seed, r.fold) for r in results}
    jobs = plan(material, request.seeds, done, _GROUP)
    total = len(request.seeds) * len(split.folds)
    # closing: an interruption or a failed fold stops the other workers at once.
    finished: Iterator[Any] = (executor or LocalExecutor()).run(run_job, material, jobs)
    with closing(finished):  # type: ignore[type-var]
        for _, of_job in finished:
            for result in of_job:
                if store is not None:
                    store.save(result)
                results.append(result)
                if progress is not None:
                    progress(len(results), total, result)
    if compute.checkpoints is not None:
        shutil.rmtree(compute.checkpoints, ignore_errors=True)
    found = report(request, prepared, split, material, results, time.perf_counter() - begin)
    if out is not None:
        results.sort(key=lambda r: (r.seed, [fold.name for fold in split.folds].index(r.fold)))
        write_predictions(split, prepared, material, results, out)
        if log_curves:
            write_curves(results, out)
    return found


def report(
    request: EvaluationRequest,
    prepared: PreparedSet,
    split: Split,
    material: FoldMaterial,
    results: Sequence[FoldResult],
    seconds: float,
) -> dict[str, Any]:
    """Pool the folds of each seed and score them: in full, per database or task, per class and subject."""
    model = make_method(request.method, material.settings)
    variants = {}
    for variant in material.tested:
        predicted = _predictions(split, material, results, request.seeds, variant)
        variants[variant] = _scored(prepared, split, material, predicted, request.seeds)
    first = next(iter(variants.values()))
    adapted = any(fold.adapt for fold in split.folds) and model.adapts
    return {
        "format": 1,
        **_rendered(request),
        **first,
        "variants": variants,
        "protocol": request.protocol,
        "database": request.database,
        "folds": len(split.folds),
        "sample_list": split.hash,
        "counts": split.counts,
        "count_differences": list(split.differences),
        "method": request.method,
        "config": asdict(model.config),
        "inputs": {n: prepared.inputs.get(a, a) for n, a in resolve_inputs(prepared, model).items()},
        "prepared": prepared.parameters,
        "frames_found": _found(prepared, material),
        "target_domain": "test clips without labels" if adapted else None,
        "stacked": material.stacked and model.stacks,
        "epoch_choice": model.epoch_choice,
        "seeds": list(request.seeds),
        "split_seed": request.split_seed if request.protocol == "holdout" else None,
        "fingerprint": material.fingerprint,
        "device": material.compute.device,
        "seconds": {"this_run": seconds, "folds": float(sum(r.seconds for r in results))},
        "versions": versions(),
    }


def _rendered(request: EvaluationRequest) -> dict[str, Any]:
    if request.synthetic is None:
        return {}
    about = rendered_clips(request.synthetic)
    if request.synthetic_weight:
        return {"mixed_in": {**about, "weight": request.synthetic_weight}}
    return {"trained_on": about}


def _found(prepared: PreparedSet, material: FoldMaterial) -> dict[str, dict[str, int]]:
    """Return, per variant, where the frames of how many clips come from, as ``prepare`` noted it."""
    result = {}
    for variant in material.tested:
        table = prepared if variant == ANNOTATED else prepared.variant(variant)
        column = table.index.get("found") if table is not None else None
        if column is not None:
            names, counts = np.unique(column, return_counts=True)
            result[variant] = {str(n): int(c) for n, c in zip(names, counts, strict=True)}
    return result


def _predictions(
    split: Split, material: FoldMaterial, results: Sequence[FoldResult], seeds: Sequence[int], variant: str
) -> dict[str, NDArray[np.int64]]:
    """Fold -> (seeds, clips tested) class numbers."""
    found = {(r.seed, r.fold): r for r in results}
    predicted = {}
    for fold in split.folds:
        rows = []
        for seed in seeds:
            result = found[seed, fold.name]
            if result.keys != tuple(str(material.keys[r]) for r in fold.test):
                raise ValueError(f"fold {fold.name}: the stored clips are others; run without --resume")
            rows.append(np.argmax(result.probabilities[variant], axis=1))
        predicted[fold.name] = np.stack(rows).astype(np.int64)
    return predicted


def _scored(
    prepared: PreparedSet,
    split: Split,
    material: FoldMaterial,
    predicted: Mapping[str, NDArray[np.int64]],
    seeds: Sequence[int],
) -> dict[str, Any]:
    """Pool first, score then; CDMER's tasks are pooled apart and averaged."""
    tested = np.concatenate([fold.test for fold in split.folds])
    guesses = np.concatenate([predicted[fold.name] for fold in split.folds], axis=1)
    truth, subjects, classes = material.labels[tested], prepared.subjects[tested], len(split.classes)
    if split.tasks:
        owner = np.concatenate([np.full(len(fold.test), k) for k, fold in enumerate(split.folds)])
        parts = {fold.name: owner == k for k, fold in enumerate(split.folds)}
    else:
        databases = prepared.datasets[tested]
        parts = {name: databases == name for name in sorted(set(databases.tolist()))}
    summaries = {
        name: summarise(truth[mine], [g[mine] for g in guesses], subjects[mine], classes=classes)
        for name, mine in parts.items()
    }
    full = (
        average(list(summaries.values()))
        if split.tasks
        else summarise(truth, list(guesses), subjects, classes=classes)
    )
    tables = [confusion(truth, g, classes) for g in guesses]
    people = {}
    for name in sorted(set(subjects.tolist())):
        mine = subjects == name
        people[name] = {
            "clips": int(mine.sum()),
            "accuracy": float((guesses[:, mine] == truth[mine]).mean()),
        }
    return {
        "scores": {n: as_report(s, seeds) for n, s in {"full": full, **summaries}.items()},
        "classes": list(split.classes),
        "confusion": sum(tables).tolist(),  # type: ignore[union-attr]
        "confusion_of": {n: _counted(truth, guesses, mine, classes) for n, mine in parts.items()},
        "confusion_per_seed": {str(s): t.tolist() for s, t in zip(seeds, tables, strict=True)},
        "per_class": per_class(sum(tables), split.classes),  # type: ignore[arg-type]
        "per_subject": people,
    }


def _counted(
    truth: NDArray[np.int64], guesses: NDArray[np.int64], rows: NDArray[np.bool_], classes: int
) -> list[list[int]]:
    """Confusion of some of the clips, added over seeds."""
    counts: list[list[int]] = sum(confusion(truth[rows], g[rows], classes) for g in guesses).tolist()  # type: ignore[union-attr]
    return counts
