"""Who is trained on and who is tested: CDE, HDE, CDMER, LOSO on one database, holdout, a split of one's own.

A protocol is a list of clips and a list of folds. The published lists are asserted clip by class, so
that two scores under one name are scores of the same clips.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol as Structural

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.types import CLASSES
from mer_live.training.datasets.labels import emotion_name
from mer_live.training.datasets.published import (
    CDMER,
    CDMER_PUBLIC,
    CDMER_TASKS,
    EMOTIONS,
    MEGC2019,
    MEGC_WITHOUT,
    SHORT,
    Counts,
)
from mer_live.training.learning.data import Rows
from mer_live.training.learning.hold_back import disjoint_rows

PROTOCOLS = ("cde", "hde", "cdmer1", "cdmer2", "loso", "holdout", "split")


class ProtocolError(ValueError):
    """The clips that are there do not make this protocol; the sentence names the difference."""


class Table(Structural):
    """Columns that a protocol reads, each (N,); `training.prepared.PreparedSet` is one."""

    keys: NDArray[np.str_]
    datasets: NDArray[np.str_]
    subjects: NDArray[np.str_]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    """What the labels mean."""
    index: dict[str, NDArray[np.str_]]


@dataclass(frozen=True, slots=True)
class Fold:
    """One model to train and the clips it is tested on."""

    name: str
    """Held-out subject, database, or task such as ``H>V``."""
    train: Rows
    test: Rows
    adapt: bool = False
    """The test clips' inputs, never their labels, are given to the method as target domain."""


@dataclass(frozen=True, slots=True)
class Split:
    """A protocol applied to a table."""

    protocol: str
    folds: tuple[Fold, ...]
    labels: NDArray[np.int64]
    """(N,) labels under this protocol; -1 for rows that it leaves out."""
    rows: Rows
    """Rows that take part."""
    hash: str
    """SHA-256 of the sample list: key, dataset, subject, label of the rows that take part."""
    counts: dict[str, dict[str, int]]
    """Per database: clips, subjects, and clips of each class."""
    differences: tuple[str, ...] = ()
    """How the counts differ from the published ones; empty unless ``partial`` let them pass."""
    classes: tuple[str, ...] = CLASSES
    """What the labels mean."""
    tasks: bool = False
    """Folds are tasks of their own (CDMER): scored apart, then averaged."""


def make_split(
    protocol: str,
    table: Table,
    *,
    partial: bool = False,
    database: str | None = None,
    test_fraction: float = 0.25,
    seed: int = 0,
) -> Split:
    """Apply a protocol.

    Args:
        protocol: One of PROTOCOLS.
        table: The clips; namespaced subjects.
        partial: Go on although the counts are not the published ones; they stay in ``differences``.
        database: ``loso`` and ``holdout``: use this database only.
        test_fraction: ``holdout``: share of the clips that is tested on.
        seed: ``holdout``: which subjects; part of the experiment, not of a method's randomness.

    Raises:
        ProtocolError: Counts differ, a database is missing, or there are too few subjects.
    """
    if protocol not in PROTOCOLS:
        raise ProtocolError(f"unknown protocol {protocol!r}: choose one of {', '.join(PROTOCOLS)}")
    _check_subjects(table)
    if protocol in CDMER_TASKS:
        return _cdmer(protocol, table, partial)
    if protocol in ("cde", "hde"):
        labels = _labels(table, "megc", MEGC2019)
        for who, clip in MEGC_WITHOUT:
            named = np.char.find(table.keys, clip) >= 0
            labels[(table.subjects == who) & named] = -1
        differences = _differences(table, labels, MEGC2019)
        _stop_or_pass(protocol, differences, partial)
    else:
        labels, differences = table.labels.copy(), []
        if database is not None:
            if database not in table.datasets:
                there = ", ".join(sorted(set(table.datasets.tolist())))
                raise ProtocolError(f"no clip of the database {database!r}; there are {there}")
            labels[table.datasets != database] = -1
        elif protocol == "loso" and len(set(table.datasets.tolist())) > 1:
            there = ", ".join(sorted(set(table.datasets.tolist())))
            raise ProtocolError(f"loso is within one database; name one with --database: {there}")
    rows = np.flatnonzero(labels >= 0)
    if protocol == "hde":
        folds = _by_group(rows, table.datasets, "databases")
    elif protocol == "holdout":
        try:
            test = disjoint_rows(table.subjects[rows], labels[rows], test_fraction, seed)
        except ValueError as error:
            raise ProtocolError(str(error)) from error
        folds = (Fold("holdout", rows[~test], rows[test]),)
    elif protocol == "split":
        part = _column(table, "split")
        rows = rows[np.isin(part[rows], ("train", "test"))]
        labels[np.setdiff1d(np.arange(len(labels)), rows)] = -1
        folds = (Fold("split", rows[part[rows] == "train"], rows[part[rows] == "test"]),)
    else:
        folds = _by_group(rows, table.subjects, "subjects")
    split = _finish(protocol, table, labels, folds, tuple(differences))
    for fold in folds:
        assert_disjoint(fold, table.subjects)
    return split


def train_on_all(table: Table, split: Split | None = None) -> Split:
    """Return one fold that trains on every clip (of ``split``, where given) and tests none: what goes live.

    Raises:
        ProtocolError: A subject is not namespaced by its database.
    """
    _check_subjects(table)
    protocol, labels = ("all", table.labels) if split is None else (split.protocol, split.labels)
    fold = Fold("all", np.flatnonzero(labels >= 0), np.empty(0, np.int64))
    return _finish(protocol, table, labels, (fold,), () if split is None else split.differences)


def _column(table: Table, name: str) -> NDArray[np.str_]:
    if name not in table.index:
        raise ProtocolError(f"index.csv has no column {name!r}: write train or test into one of that name")
    return table.index[name]


def assert_disjoint(fold: Fold, subjects: NDArray[np.str_]) -> None:
    """Raise ProtocolError when a subject stands on both sides of a fold, or a side is empty."""
    if not len(fold.train) or not len(fold.test):
        raise ProtocolError(f"fold {fold.name}: no clip to {'test' if len(fold.train) else 'train'} on")
    both = sorted(set(subjects[fold.train].tolist()) & set(subjects[fold.test].tolist()))
    if both:
        raise ProtocolError(f"fold {fold.name}: {both[0]} is in training and in test; splits go by subject")


def sample_hash(table: Table, labels: NDArray[np.int64], rows: Rows) -> str:
    """SHA-256 over the sorted lines ``key, dataset, subject, class``; the order of rows is free."""
    lines = sorted(
        "\t".join((table.keys[r], table.datasets[r], table.subjects[r], table.classes[labels[r]]))
        for r in rows
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _cdmer(protocol: str, table: Table, partial: bool) -> Split:
    labels = _labels(table, "cdmer", CDMER)
    used = {SHORT[letter] for task in CDMER_TASKS[protocol] for letter in task.split(">")}
    labels[~np.isin(table.datasets, sorted(used))] = -1
    differences = _differences(table, labels, {name: CDMER[name] for name in CDMER if name in used})
    _stop_or_pass(protocol, [found for found in differences if found != CDMER_PUBLIC], partial)
    folds = []
    for task in CDMER_TASKS[protocol]:
        source, target = (
            np.flatnonzero((table.datasets == SHORT[letter]) & (labels >= 0)) for letter in task.split(">")
        )
        if len(source) and len(target):
            folds.append(Fold(task, source, target, adapt=True))
    if not folds:
        raise ProtocolError(f"{protocol} needs two of {', '.join(sorted(used))}; not one pair is there")
    return _finish(protocol, table, labels, tuple(folds), tuple(differences), tasks=True)


def _labels(table: Table, rule: str, counts: Counts) -> NDArray[np.int64]:
    """Labels under a rule: from the annotator's word where ``index.csv`` has an ``emotion`` column."""
    if table.classes != CLASSES:
        raise ProtocolError(
            f"the composite and CDMER have the classes {', '.join(CLASSES)}, this set has {', '.join(table.classes)}: "
            "prepare one without --classes"
        )
    labels = table.labels.copy()
    labels[~np.isin(table.datasets, list(counts))] = -1
    words = table.index.get("emotion")
    if words is not None:
        for dataset, meaning in EMOTIONS[rule].items():
            for row in np.flatnonzero(table.datasets == dataset):
                word = emotion_name(str(words[row]))
                if word:
                    labels[row] = meaning.get(word, -1)
    return labels


def _differences(table: Table, labels: NDArray[np.int64], expected: Counts) -> list[str]:
    found = []
    for dataset, (subjects, *classes) in expected.items():
        mine = (table.datasets == dataset) & (labels >= 0)
        if not mine.any():
            found.append(f"{dataset}: no clip at all instead of {sum(classes)}")
            continue
        have = len(set(table.subjects[mine].tolist()))
        if subjects is not None and have != subjects:
            found.append(f"{dataset}: {have} subjects instead of {subjects}")
        for c, want in enumerate(classes):
            n = int((labels[mine] == c).sum())
            if n != want:
                found.append(f"{dataset}: {n} {CLASSES[c]} clips instead of {want}")
    return found


def _stop_or_pass(protocol: str, differences: Sequence[str], partial: bool) -> None:
    if differences and not partial:
        raise ProtocolError(
            f"these clips are not the published list of {protocol}: {'; '.join(differences)}. "
            "Repair the set, or pass --partial to score what is there under its own count and hash"
        )


def _by_group(rows: Rows, groups: NDArray[np.str_], what: str) -> tuple[Fold, ...]:
    names = sorted(set(groups[rows].tolist()))
    if len(names) < 2:
        raise ProtocolError(
            f"leaving one out needs at least two {what}, there is {', '.join(names) or 'none'}"
        )
    return tuple(Fold(name, rows[groups[rows] != name], rows[groups[rows] == name]) for name in names)


def _check_subjects(table: Table) -> None:
    for subject, key in zip(table.subjects, table.keys, strict=True):
        if "/" not in subject.strip("/"):
            raise ProtocolError(
                f"subject {subject!r} of {key} is not namespaced by its database: write samm/006, or "
                "open the folder with PreparedSet.open, which does it"
            )


def _finish(
    protocol: str,
    table: Table,
    labels: NDArray[np.int64],
    folds: tuple[Fold, ...],
    differences: tuple[str, ...],
    tasks: bool = False,
) -> Split:
    rows = np.flatnonzero(labels >= 0)
    counts: dict[str, dict[str, int]] = {}
    for dataset in sorted(set(table.datasets[rows].tolist())):
        mine = rows[table.datasets[rows] == dataset]
        counts[dataset] = {"clips": len(mine), "subjects": len(set(table.subjects[mine].tolist()))}
        for c, name in enumerate(table.classes):
            counts[dataset][name] = int((labels[mine] == c).sum())
    digest = sample_hash(table, labels, rows)
    return Split(protocol, folds, labels, rows, digest, counts, differences, table.classes, tasks)
