"""What the card of an exported bundle says: clips, settings, scores, and where it departs from the paper."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mer_live.engines.bundle import NOT_VALIDATED
from mer_live.engines.representation.specs import AdmSpec, FramesSpec, MotionSpec
from mer_live.engines.versions import versions
from mer_live.training.export.plan import ExportPlan
from mer_live.training.export.scores import card_scores
from mer_live.training.export.specs import STATED
from mer_live.training.learning.pretrain import card_of, load
from mer_live.training.methods.network import NetworkMethod
from mer_live.training.prepared.prepared_set import PreparedSet

_ALWAYS: Mapping[str, tuple[str, ...]] = {
    "atnet": ("no ImageNet weights",),
    "micro-attention": ("no ImageNet or macro-expression weights",),
    "ststnet": ("clips are shuffled every epoch",),
}
_RECORDED = (
    "Scores, if any, are of cut clips of the databases named here; not validated live, nor on other people."
)
_PREPARED = (
    "variant",
    "missing_apex",
    "apex",
    "copies",
    "sensitivity",
    "lead_s",
    "tail_s",
    "margin_s",
    "software",
)


def card_fields(plan: ExportPlan, model: NetworkMethod) -> dict[str, Any]:
    """Return the fields of ``engines.bundle.Card`` that `export.export_bundle` does not make itself."""
    request = plan.request
    return {
        "name": request.name or request.method,
        "version": request.version,
        "classes": plan.trained.classes,
        "data": data_text(plan),
        "licence": request.licence,
        "attribution": request.attribution,
        "scores": card_scores(plan.report, request.train_split, plan.subjects),
        "training": _training(plan, model),
        "papers": (model.paper,) if model.paper else (),
        "deviations": tuple(_deviations(plan)),
        "validation": NOT_VALIDATED if plan.prepared.parameters.get("synthetic") else _RECORDED,
    }


def data_text(plan: ExportPlan) -> str:
    """Return what was trained on: databases, clips, subjects, classes and the hash of the list."""
    parts = []
    for name, c in plan.trained.counts.items():
        classes = ", ".join(f"{c[label]} {label}" for label in plan.trained.classes)
        parts.append(f"{name}: {c['clips']} clips of {c['subjects']} subjects ({classes})")
    text = f"{'; '.join(parts)}. Sample list {plan.trained.hash}."
    if plan.trained.differences:
        text += f" Not the published list of {plan.trained.protocol}: {'; '.join(plan.trained.differences)}."
    if rendered := plan.prepared.parameters.get("synthetic"):
        text += f" Rendered people ({rendered.get('kind', 'micro')}-expressions), no recordings."
    if stated := [live.array for live in plan.inputs.values() if live.source == STATED]:
        text += f" How {', '.join(stated)} was made is {STATED}."
    return text


def told_of(model: NetworkMethod) -> dict[str, Any]:
    """Return what a card tells of a trained method: its settings, epochs and losses, and what it began with."""
    report = model.report
    config = asdict(model.config)
    begun: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, str) and value and (key == "macro" or key.endswith("_weights")):
            config[key] = Path(value).name  # where it lay is nobody's business
            if key == "macro":
                macro = PreparedSet.open(value)
                begun[key] = {"sample_list": macro.hash, "counts": macro.counts}
            else:
                begun[key] = card_of(load(value).provenance)
    return {
        "method": model.name,
        "config": config,
        "epochs seen": report.epochs if report is not None else 0,
        "first and last losses": [report.losses[0], report.losses[-1]] if report and report.losses else [],
        **begun,
        "versions": versions(),
    }


def _training(plan: ExportPlan, model: NetworkMethod) -> dict[str, Any]:
    request, parameters = plan.request, plan.prepared.parameters
    return {
        **told_of(model),
        "inputs": {name: {"array": i.array, "made": i.source} for name, i in plan.inputs.items()},
        "seed": request.seed,
        "protocol": plan.trained.protocol,
        "train_split": request.train_split,
        "sample_list": plan.trained.hash,
        "counts": plan.trained.counts,
        "prepared": {key: parameters[key] for key in _PREPARED if key in parameters},
        "frames_found": plan.found,
        "target": plan.target_note,
    }


def _deviations(plan: ExportPlan) -> list[str]:
    method, settings = plan.request.method, asdict(plan.model.config)
    found = list(_ALWAYS.get(method, ()))
    for live in plan.inputs.values():
        spec = live.spec
        if isinstance(spec, MotionSpec):
            if spec.flow.method != "farneback":
                name = {"dis": "DIS", "tvl1": "TV-L1"}[spec.flow.method]
                found.append(f"flow by {name} instead of Farneback")
            if spec.middle == "apex":
                found.append("the apex instead of the temporal centre as middle frame")
            if spec.scaling == "fixed":
                found.append(f"flow magnitude on a fixed scale ({spec.r_max_px} px at {spec.size} px)")
        if getattr(spec, "steady", False):
            found.append(f"{spec.name}: the movement of the head, a similarity, is taken out")
        if method == "mtm" and isinstance(spec, FramesSpec) and spec.end == "offset":
            found.append("frames from onset to offset, not to the apex")
        if isinstance(spec, AdmSpec) and spec.direction == "circular":
            found.append("ADM directions by circular mean")
    if method == "madtn" and plan.target is None:
        found.append("no target domain, so no MMD: cross entropy alone")
    defaults = asdict(plan.model.Config())
    changed = {k: v for k, v in settings.items() if v != defaults[k]}
    changed = {k: Path(v).name if k == "macro" or k.endswith("_weights") else v for k, v in changed.items()}
    if changed:
        found.append("settings: " + ", ".join(f"{k} {json.dumps(v)}" for k, v in changed.items()))
    cut = (
        []
        if settings.get("provisional")
        else [
            name
            for name, live in plan.inputs.items()
            if isinstance(live.spec, AdmSpec)
            or (isinstance(live.spec, FramesSpec) and live.spec.end == "offset")
            or (isinstance(live.spec, MotionSpec) and "offset" in live.spec.channels)
        ]
    )
    offsets = plan.prepared.index.get("offset")  # empty where a movement was not seen to end
    if cut and (offsets is None or (offsets[plan.trained.rows] != "").all()):
        found.append(
            f"trained on whole clips only: a provisional decision shows {' and '.join(cut)} of a movement that "
            "has not ended, which no training clip did"
        )
    return found
