"""What an evaluation hands to its workers: arrays, folds and a method's name; and one fold's training."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.types import CLASSES
from mer_live.training.evaluation.protocols import Fold, Split
from mer_live.training.learning.compute import CPU, Compute, computing
from mer_live.training.learning.data import Inputs, Labelled, Unlabelled
from mer_live.training.methods import make_method
from mer_live.training.methods.base import Method
from mer_live.training.prepared.arrays import resize_rows
from mer_live.training.prepared.prepared_set import DEPLOYABLE, PreparedSet

ANNOTATED = "annotated"
_ALIASES = {"flow": "flow3"}


@dataclass(frozen=True, slots=True)
class FoldMaterial:
    """Everything that training and testing the folds needs; plain data, so that it travels anywhere."""

    method: str
    settings: Mapping[str, Any]
    """As given, and what the arrays decided of those left open."""
    inputs: Mapping[str, NDArray[Any]]
    """Input name -> (N, ...), frames as annotated."""
    tested: Mapping[str, Mapping[str, NDArray[Any]]]
    """Variant -> inputs at test; ``annotated`` holds the same arrays as ``inputs``."""
    copies: Mapping[str, tuple[NDArray[Any], NDArray[np.int64]]]
    labels: NDArray[np.int64]
    subjects: NDArray[np.str_]
    keys: NDArray[np.str_]
    folds: tuple[Fold, ...]
    stacked: bool
    """Train many folds as one model where the method can."""
    fingerprint: str
    """SHA-256 of all that decides the results of a (fold, seed)."""
    classes: tuple[str, ...] = CLASSES
    """What the labels mean."""
    weights: NDArray[np.float64] | None = None
    """(N,) as `Labelled.weights`."""
    keep: Path | None = None
    """Folder for the weights of each fold's network (`learning.pretrain.load` reads them); None keeps none."""
    compute: Compute = CPU
    """Where the networks are trained, and where an unfinished fold is kept."""


@dataclass(frozen=True, slots=True)
class Job:
    """Folds that one worker trains in one go, with one seed."""

    seed: int
    folds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class FoldResult:
    """Predictions of one fold and seed."""

    fold: str
    seed: int
    keys: tuple[str, ...]
    """Of the test clips."""
    probabilities: dict[str, list[list[float]]] = field(default_factory=dict)
    """Variant -> one row for each key, a column for each class."""
    seconds: float = 0.0
    losses: list[dict[str, float]] = field(default_factory=list)
    """Per epoch: mean of each loss term, and ``total``; empty without epochs."""


class FoldError(RuntimeError):
    """Training or testing a fold failed; names the fold."""


def gather(
    prepared: PreparedSet,
    split: Split,
    method: str,
    settings: Mapping[str, Any] | None = None,
    *,
    stacked: bool = True,
    tests: bool = True,
    compute: Compute | None = None,
) -> FoldMaterial:
    """Read and check every array before the first fold starts; without ``tests`` only what training needs.

    Raises:
        PreparedError: An array is missing, does not fit, or holds NaN.
        ValueError: Unknown method or setting.
    """
    settings = dict(settings or {})
    model = make_method(method, settings)
    names = resolve_inputs(prepared, model)
    settings |= model.settled({name: prepared.array(array).shape[1:] for name, array in names.items()})
    model = make_method(method, settings)
    wants = model.wants()
    inputs: Inputs = read_inputs(prepared, names, wants)
    tested: dict[str, Inputs] = {ANNOTATED: inputs}
    other = prepared.variant(DEPLOYABLE) if tests else None
    if other is not None:
        tested[DEPLOYABLE] = read_inputs(other, names, wants)
    copies = {}
    for name, array in names.items():
        found = prepared.copies(array)
        if found is not None:
            copies[name] = (resize_rows(np.asarray(found.array), inputs[name].shape[1:], array), found.rows)
    # Once for all folds: what is made of a clip depends on that clip alone.
    tested = {variant: model.extract(arrays) for variant, arrays in tested.items()}
    inputs = tested[ANNOTATED]
    copies = {name: found for name, found in copies.items() if name in inputs}
    config = asdict(model.config)
    digest = hashlib.sha256()
    described = {
        "method": method,
        "config": config,
        "protocol": split.protocol,
        "samples": split.hash,
        "folds": [(f.name, f.train.tolist(), f.test.tolist(), f.adapt) for f in split.folds],
        "stacked": stacked,
        "macro": PreparedSet.open(macro).hash if (macro := config.get("macro")) else None,
        "weights": _weights_described(config),
    }
    if split.classes != CLASSES:
        described["classes"] = split.classes
    compute = compute or CPU
    if compute.cuda:  # another arithmetic
        described["device"] = "cuda"
    digest.update(json.dumps(described, sort_keys=True).encode())
    for name in sorted(copies):
        for part in copies[name]:
            digest.update(name.encode() + np.ascontiguousarray(part).tobytes())
    for variant in tested.values():
        for name in sorted(variant):
            digest.update(name.encode() + np.ascontiguousarray(variant[name]).tobytes())
    return FoldMaterial(
        method,
        settings,
        inputs,
        tested,
        copies,
        split.labels,
        prepared.subjects,
        prepared.keys,
        split.folds,
        stacked,
        digest.hexdigest(),
        split.classes,
        compute=compute,
    )


def _weights_described(config: Mapping[str, Any]) -> dict[str, str]:
    """Setting -> what the folder of first weights that it names says of them, their hash included."""
    named = {key: value for key, value in config.items() if key.endswith("_weights") and value}
    if not named:
        return {}
    from mer_live.training.learning.pretrain import PROVENANCE  # loads torch, which the SVM does without

    files = {key: Path(folder) / PROVENANCE for key, folder in named.items()}
    return {key: file.read_text(encoding="utf-8") for key, file in files.items() if file.is_file()}


def resolve_inputs(prepared: PreparedSet, model: Method) -> dict[str, str]:
    """Return input name -> array name; a method that wants nothing in particular gets all that is mapped."""
    wanted = list(model.wants()) or list(prepared.inputs)
    if not wanted:
        there = ", ".join(prepared.names) or "none"
        raise ValueError(f"{model.name} takes any array; name one with --input NAME=ARRAY (there: {there})")
    names = {}
    for name in wanted:
        other = _ALIASES.get(name, name)
        names[name] = other if not prepared.has(name) and prepared.has(other) else name
    return names


def read_inputs(
    prepared: PreparedSet, names: Mapping[str, str], wants: Mapping[str, tuple[int, ...] | None]
) -> dict[str, NDArray[Any]]:
    """Return input name -> (N, ...) rows of the shape that the method wants; ``names`` as of `resolve_inputs`."""
    return {name: np.asarray(prepared.array(array, wants.get(name))) for name, array in names.items()}


def training_side(material: FoldMaterial, fold: Fold) -> Labelled:
    """Return the training clips of a fold: all that `fit` ever gets to see with labels."""
    barred = frozenset(material.subjects[fold.test].tolist())
    whole = Labelled(
        material.inputs, material.labels, material.subjects, material.copies, barred, material.classes,
        material.weights,
    )  # fmt: skip
    return whole.take(fold.train)


def target_side(material: FoldMaterial, fold: Fold, model: Method) -> Unlabelled | None:
    """Return the target clips' inputs where the protocol hands them out and the method uses them."""
    if not (fold.adapt and model.adapts):
        return None
    return Unlabelled({name: array[fold.test] for name, array in material.inputs.items()})


def fold_seed(seed: int, fold: str) -> int:
    """Return the seed of one fold: folds differ, however they are grouped or spread over machines."""
    return int(np.random.SeedSequence([seed, zlib.crc32(fold.encode())]).generate_state(1)[0])


def run_job(material: FoldMaterial, job: Job) -> list[FoldResult]:
    """Train and test the folds of a job; single-threaded, so that every executor gives the same numbers.

    Raises:
        FoldError: A fold failed.
    """
    begin = time.perf_counter()
    folds = [material.folds[k] for k in job.folds]
    models: list[Method] = [make_method(material.method, material.settings) for _ in folds]
    if "torch" in sys.modules:  # the SVM does without
        sys.modules["torch"].set_num_threads(1)
    seeds = [fold_seed(job.seed, fold.name) for fold in folds]
    name = ", ".join(fold.name for fold in folds)
    try:
        if material.stacked and models[0].stacks:
            pool = np.unique(np.concatenate([fold.train for fold in folds]))
            whole = Labelled(
                material.inputs, material.labels, material.subjects, classes=material.classes
            ).take(pool)
            rows = [np.searchsorted(pool, fold.train) for fold in folds]
            models[0].fit_many(models, whole, rows, pool, seeds=seeds, order_seed=job.seed)
        else:
            for fold, model, seed in zip(folds, models, seeds, strict=True):
                name = fold.name
                part = f"{material.fingerprint[:16]}/{seed}"
                with computing(material.compute, part):
                    model.fit(training_side(material, fold), target_side(material, fold, model), seed=seed)
                if material.compute.checkpoints is not None:
                    shutil.rmtree(material.compute.checkpoints / part, ignore_errors=True)
        results = []
        for fold, model in zip(folds, models, strict=True):
            name = fold.name
            results.append(_test(material, fold, model, job.seed))
            if material.keep is not None:
                from mer_live.training.evaluation.fold_weights import keep_weights  # loads torch

                seen = material.subjects[fold.train].tolist()
                keep_weights(material.keep, model, material.classes, seen, fold.name, job.seed)
    except (ValueError, RuntimeError, ArithmeticError) as error:
        raise FoldError(f"fold {name}, seed {job.seed}: {error}") from error
    each = (time.perf_counter() - begin) / len(folds)
    return [replace(result, seconds=each) for result in results]


def plan(material: FoldMaterial, seeds: Sequence[int], done: set[tuple[int, str]], group: int) -> list[Job]:
    """Return the jobs that are left; stacked methods take ``group`` folds at a time."""
    size = group if material.stacked and can_stack(material.method, material.settings) else 1
    jobs = []
    for seed in seeds:
        left = [k for k, fold in enumerate(material.folds) if (seed, fold.name) not in done]
        jobs += [Job(seed, tuple(left[a : a + size])) for a in range(0, len(left), size)]
    return jobs


def can_stack(method: str, settings: Mapping[str, Any]) -> bool:
    """Return whether the method trains many folds as one model with these settings."""
    return make_method(method, settings).stacks


def _test(material: FoldMaterial, fold: Fold, model: Method, seed: int) -> FoldResult:
    probabilities = {}
    for variant, inputs in material.tested.items():
        p = model.predict({name: array[fold.test] for name, array in inputs.items()})
        if p.shape != (len(fold.test), len(material.classes)) or not np.isfinite(p).all():
            raise ValueError(f"the method answered {p.shape} with NaN or of a wrong shape")
        probabilities[variant] = [[float(v) for v in row] for row in p]
    keys = tuple(str(material.keys[r]) for r in fold.test)
    return FoldResult(fold.name, seed, keys, probabilities, losses=model.losses)
