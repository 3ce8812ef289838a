"""Train a method on all clips of a set and write a bundle that runs live; see ``mer-train export``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from importlib import import_module
from typing import Any

import numpy as np
import torch

from mer_live.engines.bundle import Bundle
from mer_live.engines.representation.specs import RepresentationSpec
from mer_live.training.evaluation.material import (
    FoldError,
    fold_seed,
    gather,
    read_inputs,
    resolve_inputs,
    training_side,
)
from mer_live.training.evaluation.protocols import ProtocolError, Split, make_split, train_on_all
from mer_live.training.export.bundle import check_folder, export_bundle
from mer_live.training.export.card import card_fields
from mer_live.training.export.plan import ExportPlan, ExportRequest
from mer_live.training.export.scores import read_report
from mer_live.training.export.specs import LiveInput, check_tensors, live_inputs
from mer_live.training.learning.data import Unlabelled
from mer_live.training.methods import make_method, method_names
from mer_live.training.methods.base import Method
from mer_live.training.methods.network import NetworkMethod
from mer_live.training.prepared.prepared_set import PreparedSet

Progress = Callable[[int, int, float], None]
"""(epochs done, epochs of this network, mean loss)"""
_SAMPLES = 16


def plan_export(request: ExportRequest) -> ExportPlan:
    """Check all that can be known before training.

    Raises:
        ValueError: What is wrong, in one sentence; `ProtocolError` and `PreparedError` are such errors.
        ImportError: The exporter's libraries are missing.
    """
    for option in ("licence", "attribution", "version"):
        if not getattr(request, option).strip():
            raise ValueError(f"--{option} must not be empty: the card carries it")
    if not re.fullmatch(r"[A-Za-z0-9._-]+", request.name or request.method):
        raise ValueError(f"--name {request.name!r}: take letters, digits, dots, - and _ only")
    if request.seed < 0:
        raise ValueError(f"--seed must be 0 or more, got {request.seed}")
    check_folder(request.out)
    for library in ("onnx", "onnxscript"):
        import_module(library)
    _as_network(make_method(request.method, request.settings))
    prepared = PreparedSet.open(request.data, request.inputs)
    split = _split(prepared, request)
    material = gather(prepared, split, request.method, request.settings, stacked=False, tests=False)
    (fold,) = split.folds
    model = _as_network(make_method(request.method, material.settings))
    stated = dict(request.representations)
    inputs = live_inputs(prepared, model, stated)
    if len(fold.train) < 2:
        raise ValueError("a network needs at least two training clips")
    chosen = np.linspace(0, len(fold.train) - 1, min(_SAMPLES, len(fold.train))).astype(int)
    rows = {name: array[fold.train[chosen]] for name, array in material.inputs.items()}
    check_tensors(model, rows, inputs)
    target, note = _target(request, model, inputs, stated)
    report = None
    if request.scores is not None:
        report = read_report(
            request.scores,
            model=model,
            config=asdict(model.config),
            prepared=prepared,
            inputs=inputs,
            split=split,
            train_split=request.train_split,
            adapted=target is not None,
        )
    kept = np.where(np.isin(np.arange(len(prepared)), fold.train), split.labels, -1)
    trained = train_on_all(prepared, replace(split, labels=kept))
    return ExportPlan(request, prepared, material, model, inputs, trained, target, note, report, rows)


def train(plan: ExportPlan, progress: Progress | None = None) -> NetworkMethod:
    """Train as a fold of an evaluation is trained: same code, one thread, seed of the fold's name.

    Raises:
        FoldError: Training failed.
    """
    (fold,) = plan.material.folds
    model = _as_network(make_method(plan.material.method, plan.material.settings))
    model.progress = progress
    torch.set_num_threads(1)
    try:
        seed = fold_seed(plan.request.seed, fold.name)
        model.fit(training_side(plan.material, fold), plan.target, seed=seed)
    except (ValueError, RuntimeError, ArithmeticError) as error:
        raise FoldError(f"training {model.name}: {error}") from error
    return model


def export(request: ExportRequest, progress: Progress | None = None) -> Bundle:
    """Check, train and write ``request.out``; on any error nothing is written there.

    Raises:
        ValueError: The request is refused, see `plan_export`.
        FoldError: Training failed.
        ExportError: ONNX and torch differ by more than the tolerance on real rows.
    """
    plan = plan_export(request)
    model = train(plan, progress)
    network = model.network
    assert network is not None
    samples = {name: tensor.numpy() for name, tensor in model.tensors(plan.rows).items()}
    specs: dict[str, RepresentationSpec] = {live.spec.name: live.spec for live in plan.inputs.values()}
    return export_bundle(network, specs, samples, request.out, **card_fields(plan, model))


def _as_network(model: Method) -> NetworkMethod:
    if isinstance(model, NetworkMethod):
        return model
    there = ", ".join(name for name in method_names() if isinstance(make_method(name), NetworkMethod))
    raise ValueError(f"{model.name} is no network and cannot run live: --method is one of {there}")


def _split(prepared: PreparedSet, request: ExportRequest) -> Split:
    """Return one fold whose training side is what is asked for."""
    protocol = request.protocol or ("split" if request.train_split else None)
    if protocol is None:
        if request.database is not None:
            raise ProtocolError("--database belongs to --protocol loso or holdout")
        return train_on_all(prepared)
    split = make_split(protocol, prepared, partial=request.partial, database=request.database)
    if not request.train_split:
        return train_on_all(prepared, split)
    if protocol != "split":
        raise ProtocolError(f"--train-split goes with --protocol split, not {protocol}")
    return split


def _target(
    request: ExportRequest,
    model: NetworkMethod,
    inputs: Mapping[str, LiveInput],
    stated: Mapping[str, RepresentationSpec],
) -> tuple[Unlabelled | None, dict[str, Any] | None]:
    """Read the inputs of the target domain; labels are neither read into it nor kept."""
    if request.target is None:
        return None, None
    if not model.adapts:
        raise ValueError(f"--target: {model.name} with these settings makes no use of target clips")
    target = PreparedSet.open(request.target, request.inputs)
    if len(target) < 2:
        raise ValueError(f"--target: MMD needs at least two target clips, {request.target} has {len(target)}")
    if {n: i.spec for n, i in live_inputs(target, model, stated).items()} != {
        n: i.spec for n, i in inputs.items()
    }:
        raise ValueError(
            f"--target: the arrays of {request.target} were made in another way than those of --data"
        )
    read = read_inputs(target, resolve_inputs(target, model), model.wants())
    counts = {name: c["clips"] for name, c in target.counts.items()}
    return Unlabelled(read), {"clips without labels": counts, "sample_list": target.hash}
