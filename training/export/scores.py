"""A report of ``mer-train evaluate`` as the scores of a bundle, if it is of the very same settings and clips."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mer_live.training.evaluation.protocols import Split
from mer_live.training.export.specs import STATED, LiveInput
from mer_live.training.methods.base import Method
from mer_live.training.prepared.prepared_set import PreparedSet

_NEEDED = {
    "method": str, "protocol": str, "config": dict, "inputs": dict, "variants": dict, "sample_list": str,
    "seeds": list, "folds": int, "counts": dict, "count_differences": list, "prepared": dict,
}  # fmt: skip


def read_report(
    file: Path,
    *,
    model: Method,
    config: Mapping[str, Any],
    prepared: PreparedSet,
    inputs: Mapping[str, LiveInput],
    split: Split,
    train_split: bool,
    adapted: bool,
) -> dict[str, Any]:
    """Read a report and check that it scores what is exported.

    Args:
        file: Written by ``mer-train evaluate --json``.
        model: The method.
        config: Its settled settings.
        prepared: The set that is trained on.
        inputs: What the network's inputs are read from.
        split: Clips that are trained on, or whose training part is.
        train_split: Whether only the part ``train`` of the column ``split`` is trained on.
        adapted: Whether there is a target domain.

    Raises:
        ValueError: No such report, or the first thing that differs.
    """
    try:
        report = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"--scores {file} cannot be read ({error})") from error
    if not isinstance(report, dict) or any(not isinstance(report.get(k), t) for k, t in _NEEDED.items()):
        raise ValueError(f"--scores {file} is no report of mer-train evaluate --json")
    for difference in _differences(report, model, config, prepared, inputs, split, train_split, adapted):
        raise ValueError(f"--scores {file} is of something else: {difference}")
    return report


def _differences(
    report: Mapping[str, Any],
    model: Method,
    config: Mapping[str, Any],
    prepared: PreparedSet,
    inputs: Mapping[str, LiveInput],
    split: Split,
    train_split: bool,
    adapted: bool,
) -> Iterator[str]:
    if report["method"] != model.name:
        yield f"it scores {report['method']}, exported is {model.name}"
    here = json.loads(json.dumps(config))
    for key in sorted({*here, *report["config"]}):
        if report["config"].get(key) != here.get(key):
            yield f"it was trained with {key} {report['config'].get(key)!r}, exported is {here.get(key)!r}"
    arrays = {name: live.array for name, live in inputs.items()}
    if report["inputs"] != arrays:
        yield f"its inputs are {report['inputs']}, exported are {arrays}"
    then, now = (p.get("representations") or {} for p in (report["prepared"], prepared.parameters))
    for live in inputs.values():
        if live.source != STATED and then.get(live.array) != now.get(live.array):
            yield f"its array {live.array!r} was prepared with other parameters"
    if report["sample_list"] != split.hash:
        yield (
            f"its clips are the sample list {report['sample_list'][:12]} of protocol {report['protocol']}, exported "
            f"is {split.hash[:12]} ({split.protocol}); --protocol takes a protocol's clips"
        )
    if train_split and report["protocol"] != "split":
        yield f"it is of the protocol {report['protocol']}, --train-split trains on the training part of split"
    if bool(report.get("target_domain")) != adapted:
        with_target, without = "with a target domain", "without one"
        there, mine = (with_target, without) if not adapted else (without, with_target)
        yield f"its networks were trained {there}, exported is one {mine} (--target)"


def card_scores(report: Mapping[str, Any] | None, train_split: bool, subjects: int) -> dict[str, Any]:
    """Return the card's ``scores``: those of the folds, and whose they are not."""
    if report is None:
        return {"note": "not scored: no report of mer-train evaluate was given"}
    kept = ("protocol", "database", "folds", "seeds", "sample_list", "counts", "count_differences")
    whose = (
        "networks of these settings trained on the same training part"
        if train_split
        else f"networks of these settings trained on the folds; this network saw all {subjects} subjects, so it "
        "has no score of its own"
    )
    return {
        "note": f"scores are of {whose}",
        **{key: report.get(key) for key in (*kept, "target_domain", "epoch_choice", "versions")},
        "scores": {variant: scored["scores"] for variant, scored in report["variants"].items()},
    }
