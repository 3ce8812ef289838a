"""The papers' comparison: rows x protocols x seeds as one list of jobs, resumable fold by fold."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.executors import Executor, LocalExecutor
from mer_live.engines.versions import versions
from mer_live.training.evaluation.evaluate import EvaluationRequest, report
from mer_live.training.evaluation.fold_store import FoldStore, StoreError
from mer_live.training.evaluation.material import (
    FoldError,
    FoldMaterial,
    FoldResult,
    Job,
    gather,
    plan,
    run_job,
)
from mer_live.training.evaluation.protocols import ProtocolError, Split, make_split
from mer_live.training.evaluation.zero_shot import zero_shot
from mer_live.training.learning.compute import CPU, Compute
from mer_live.training.methods import make_method
from mer_live.training.prepare.papers import PAPER, RECIPES
from mer_live.training.prepared.prepared_set import PreparedSet
from mer_live.training.table.paired_rows import against_best
from mer_live.training.table.rows import UNAVAILABLE, TableRow, all_rows, row_settings

Progress = Callable[[int, int, str, float], None]
"""(jobs done, jobs in all, row and protocol of the one just finished, its seconds)."""
_GROUP = 8
"""Folds of a stacked method per job, as in an evaluation."""


@dataclass(frozen=True, slots=True)
class TableRequest:
    """What to compare on what."""

    data: tuple[Path, ...]
    """Prepared sets; each protocol is run on every one that makes it."""
    rows: tuple[TableRow, ...]
    protocols: tuple[str, ...]
    seeds: tuple[int, ...] = (0, 1, 2)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Method or row -> settings of its configuration."""
    partial: bool = False
    database: str | None = None
    test_fraction: float = 0.25
    split_seed: int = 0
    inputs: Mapping[str, str] = field(default_factory=dict)
    """What a method calls an array -> the array it is read from."""
    synthetic: Path | None = None
    """Rendered set that rows ``@zero-shot`` are trained on."""
    compute: Compute = CPU
    """Where networks are trained."""


@dataclass(slots=True)
class _Entry:
    """One row in one table, while it is being worked on."""

    row: TableRow
    request: EvaluationRequest
    prepared: PreparedSet
    split: Split
    """Its own folds; of other rows those of ``place``."""
    place: Split
    material: FoldMaterial | None = None
    store: FoldStore | None = None
    results: list[FoldResult] = field(default_factory=list)
    reason: str = ""
    """Why there are no scores."""


def run_table(
    requests: Sequence[TableRequest],
    out: Path,
    executor: Executor | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Run what is missing and return everything that the written tables hold; all requests share the workers.

    A row that cannot be run keeps its place with the reason. Finished folds lie in ``out/folds``; folds of other
    data or settings are replaced.

    Returns:
        ``tables`` [{protocol, data, counts, count_differences, sample_list, folds, rows}], each row {row, method,
        ablation_of, and ``scores``, ``config``, ``seeds``, ``seconds``, or ``reason``; of ``METHOD@paper`` also
        ``inputs_differ`` and ``deviations``}, and ``paired`` [{row, against, and the fields of `Paired`}], each row
        against the best one; ``missing`` protocols [{protocol, reason}]; ``unavailable``;
        ``seconds``; ``versions``.

    Raises:
        ValueError: No seed, a seed twice, or no protocol can be run on the data.
        ExecutorError: The place where folds run failed; the finished ones are kept.
    """
    begin = time.perf_counter()
    places: list[Place] = []
    missing: list[dict[str, str]] = []
    entries: list[_Entry] = []
    shared: dict[tuple[str, str], NDArray[Any]] = {}
    for request in requests:
        seeds = request.seeds
        if not seeds or len(set(seeds)) != len(seeds) or min(seeds) < 0:
            raise ValueError(f"seeds must be different numbers from 0 on, got {list(seeds)}")
        found, lacking = _places(request)
        places, missing = places + found, missing + lacking
        entries += [
            _prepare(request, row, *place, out, shared)
            for place in found
            for row in request.rows
            if not row.needs_target or any(fold.adapt for fold in place[2].folds)
        ]
    if not places:
        raise ValueError(
            "; ".join(f"{m['protocol']}: {m['reason']}" for m in missing) or "no protocol is named"
        )
    _run(entries, executor or LocalExecutor(), progress)
    return {
        "format": 1,
        "tables": [_table(place, entries) for place in places],
        "missing": missing,
        "unavailable": dict(UNAVAILABLE),
        "seconds": time.perf_counter() - begin,
        "versions": versions(),
    }


Place = tuple[str, Path, Split, PreparedSet]


def _places(request: TableRequest) -> tuple[list[Place], list[dict[str, str]]]:
    """Find the (protocol, folder) pairs that can be run, and the protocols that no folder makes."""
    places: list[Place] = []
    missing = []
    for protocol in request.protocols:
        reasons = []
        before = len(places)
        for folder in request.data:
            prepared = PreparedSet.open(folder, request.inputs)
            try:
                split = make_split(
                    protocol,
                    prepared,
                    partial=request.partial,
                    database=request.database,
                    test_fraction=request.test_fraction,
                    seed=request.split_seed,
                )
            except ProtocolError as error:
                reasons.append(f"{folder}: {error}")
                continue
            places.append((protocol, folder, split, prepared))
        if len(places) == before:
            missing.append({"protocol": protocol, "reason": "; ".join(reasons)})
    return places, missing


def _prepare(
    table: TableRequest,
    row: TableRow,
    protocol: str,
    folder: Path,
    split: Split,
    prepared: PreparedSet,
    out: Path,
    shared: dict[tuple[str, str], NDArray[Any]],
) -> _Entry:
    settings = row_settings(row, table.settings)
    deterministic = make_method(row.method, settings).deterministic
    seeds = table.seeds[:1] if deterministic else table.seeds
    request = EvaluationRequest(
        folder, protocol, row.method, table.inputs, settings, seeds, table.partial, table.database,
        table.test_fraction, table.split_seed,
        synthetic=table.synthetic if row.zero_shot else None,
        compute=replace(table.compute, checkpoints=out / "unfinished"),
    )  # fmt: skip
    entry = _Entry(row, request, prepared, split, split)
    try:
        material = gather(prepared, split, row.method, settings, compute=request.compute)
        if row.zero_shot:
            if table.synthetic is None:
                raise ValueError("name the rendered set that it is trained on with --synthetic FOLDER")
            entry.split, material = zero_shot(split, material, table.synthetic, table.inputs)
        entry.material = _interned(material, shared)
    except (ValueError, ImportError) as error:
        entry.reason = str(error)
        return entry
    name = re.sub(r"[^A-Za-z0-9.+-]+", "_", f"{protocol}-{folder.resolve().name}")
    place = out / "folds" / name / re.sub(r"[^A-Za-z0-9.+-]+", "_", row.name)
    entry.store = FoldStore(place, entry.material.fingerprint)
    try:
        entry.results = [r for r in entry.store.load() if r.seed in seeds]
    except StoreError:
        entry.store.clear()
    return entry


def _interned(material: FoldMaterial, shared: dict[tuple[str, str], NDArray[Any]]) -> FoldMaterial:
    """The same arrays of two rows become one object, which goes to each worker once."""

    def one(array: NDArray[Any]) -> NDArray[Any]:
        solid = np.ascontiguousarray(array)
        key = f"{solid.dtype}{solid.shape}", hashlib.sha256(solid.tobytes()).hexdigest()
        return shared.setdefault(key, solid)

    tested = {v: {n: one(a) for n, a in inputs.items()} for v, inputs in material.tested.items()}
    inputs = {n: one(a) for n, a in material.inputs.items()}
    copies = {n: (one(a), one(rows)) for n, (a, rows) in material.copies.items()}
    return replace(material, inputs=inputs, tested=tested, copies=copies)


def _run(entries: Sequence[_Entry], executor: Executor, progress: Progress | None) -> None:
    jobs: list[tuple[int, Job]] = []
    for k, entry in enumerate(entries):
        if entry.material is not None:
            done = {(r.seed, r.fold) for r in entry.results}
            jobs += [(k, job) for job in plan(entry.material, entry.request.seeds, done, _GROUP)]
    # Long jobs first, so that no worker is left with one at the end: rows stand from the cheap to the dear.
    order = {row.name: -k for k, row in enumerate(all_rows())}
    jobs.sort(key=lambda job: order.get(entries[job[0]].row.name, 0))
    finished: Iterator[Any] = executor.run(run_entry_job, tuple(e.material for e in entries), jobs)
    with closing(finished):  # type: ignore[type-var]
        for count, ((k, _), result) in enumerate(finished, 1):
            entry = entries[k]
            if isinstance(result, str):
                entry.reason = entry.reason or result
            else:
                for fold in result:
                    if entry.store is not None:
                        entry.store.save(fold)
                    entry.results.append(fold)
            if progress is not None:
                seconds = 0.0 if isinstance(result, str) else sum(fold.seconds for fold in result)
                progress(count, len(jobs), f"{entry.request.protocol} {entry.row.name}", seconds)


def run_entry_job(materials: Sequence[FoldMaterial | None], job: tuple[int, Job]) -> list[FoldResult] | str:
    """Train and test the folds of one job; a fold that fails gives the reason, and the other rows go on."""
    material = materials[job[0]]
    assert material is not None
    try:
        return run_job(material, job[1])
    except (FoldError, ImportError, OSError) as error:
        return str(error)


def _table(place: Place, entries: Sequence[_Entry]) -> dict[str, Any]:
    protocol, folder, split, prepared = place
    mine = [entry for entry in entries if entry.place is split]
    lines = [_line(entry) for entry in mine]  # which finds out what is not whole
    return {
        "protocol": protocol,
        "data": str(folder),
        "synthetic": "synthetic" in prepared.parameters,
        "folds": len(split.folds),
        "counts": split.counts,
        "count_differences": list(split.differences),
        "sample_list": split.hash,
        "classes": list(split.classes),
        "rows": lines,
        "paired": against_best(split, prepared, {e.row.name: e.results for e in mine if not e.reason}),
    }


def _line(entry: _Entry) -> dict[str, Any]:
    row = entry.row
    line: dict[str, Any] = {"row": row.name, "method": row.method, "ablation_of": row.ablation_of}
    wanted = len(entry.request.seeds) * len(entry.split.folds)
    if not entry.reason and len(entry.results) < wanted:
        entry.reason = f"{len(entry.results)} of {wanted} folds are done: repeat the command"
    if row.name.endswith(PAPER):
        recipe = RECIPES[row.method]
        line["inputs_differ"] = recipe.differences(entry.prepared.parameters)
        line["deviations"] = list(recipe.deviations)
    if entry.reason or entry.material is None:
        return line | {"reason": entry.reason}
    found = report(entry.request, entry.prepared, entry.split, entry.material, entry.results, 0.0)
    keep = ("scores", "config", "seeds", "target_domain", "fingerprint")
    variants = {name: scored["scores"] for name, scored in found["variants"].items()}
    return line | {k: found[k] for k in keep} | {"variants": variants, "seconds": found["seconds"]["folds"]}
