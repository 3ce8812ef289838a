"""F1 of intervals found in long videos, and STRS, as the micro-expression grand challenges (MEGC) count them.

Spotting follows MEGC 2020 (He, Wang, Li and Yap, "Spotting macro- and micro-expression intervals in long video
sequences", FG 2020): an interval is right where the frames that it shares with an annotated one are at least half of
the frames of both together; counts of all videos are added before F1 is taken; "all" adds those of micro- and
macro-expressions, each matched among its own kind. Recognition and STRS follow Liong, See and Chan,
"Spot-then-recognize" (Signal Processing: Image Communication 110, 2023), which MEGC took over: recognition is judged
on the right intervals alone, its F1 is the harmonic mean of precision and recall averaged over classes, and STRS is
the product of the two F1. Two deviations: their script lets one annotated interval be found twice, here, as in the
text of MEGC 2020, it is found once and the second detection is a false one; and classes are the three of CLASSES, or
those of the bundles that name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mer_live.realtime.types import CLASSES, Kind, State
from mer_live.training.metrics import confusion, per_class, scores
from mer_live.training.spotter.match import pair

LEAST_IOU = 0.5


@dataclass(frozen=True, slots=True)
class Expression:
    """An interval, annotated or found."""

    first: int
    """Frame number of the onset, the file's own."""
    last: int
    """Of the offset; it belongs to the interval."""
    kind: Kind = "micro"
    label: int | None = None
    """Number of its class; None where nobody names one."""


@dataclass(frozen=True, slots=True)
class Watched:
    """A long video and what was found in it."""

    key: str
    subject: str
    face_s: float
    """Seconds with a face."""
    truths: tuple[Expression, ...]
    found: tuple[Expression, ...]
    delays_ms: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Of the right detections, by state: provisional ones after the apex, the others after the offset."""


def frame_iou(a: Expression, b: Expression) -> float:
    """Frames in both over frames in either, 0..1."""
    common = min(a.last, b.last) - max(a.first, b.first) + 1
    both = (a.last - a.first + 1) + (b.last - b.first + 1)
    return common / (both - common) if common > 0 else 0.0


def right(truths: Sequence[Expression], found: Sequence[Expression]) -> list[tuple[int, int]]:
    """(truth, detection) of one kind with an IoU of at least .5, each used once, the best first."""

    def score(t: Expression, d: Expression) -> float:
        iou = frame_iou(t, d) if t.kind == d.kind else 0.0
        return iou if iou >= LEAST_IOU else 0.0

    return pair(truths, found, score)


def score(
    videos: Sequence[Watched], *, macro: bool = False, classes: Sequence[str] = CLASSES
) -> dict[str, Any]:
    """Every figure of a database, JSON-able; None where nothing can be said.

    Args:
        videos: All of them.
        macro: Macro-expressions were looked for.
        classes: What the labels mean.

    Returns:
        ``spotting`` {micro, macro, all}, each {n, tp, fp, fn, precision, recall, f1}, macro None where none was looked
        for and none is told of; ``recognition`` {n, f1, uf1, uar, accuracy, per_class} of right micro-expressions
        whose class is known; ``strs``; ``delay_ms`` by state {n, p50, p90, p95}; ``false_alarms_per_minute``;
        ``false_alarms_on_macro``: how many of them share a frame with an annotated macro-expression; ``minutes`` with
        a face; ``videos``; ``subjects``.
    """
    pairs = [right(video.truths, video.found) for video in videos]
    spotting = {kind: _count(videos, pairs, kinds) for kind, kinds in _KINDS.items()}
    named = [
        (t.label, d.label)
        for video, found in zip(videos, pairs, strict=True)
        for t, d in ((video.truths[i], video.found[k]) for i, k in found)
        if t.kind == "micro" and t.label is not None and d.label is not None
    ]
    recognition = _recognition(named, classes)
    f1 = spotting["micro"]["f1"]
    minutes = sum(video.face_s for video in videos) / 60
    false = [
        (video, d)
        for video, found in zip(videos, pairs, strict=True)
        for k, d in enumerate(video.found)
        if d.kind == "micro" and k not in {k for _, k in found}
    ]
    macros = [any(t.kind == "macro" and frame_iou(t, d) > 0 for t in video.truths) for video, d in false]
    macro = macro or any(d.kind == "macro" for video in videos for d in video.found)
    return {
        "videos": len(videos),
        "subjects": len({video.subject for video in videos}),
        "minutes": minutes,
        "spotting": spotting if macro else spotting | {"macro": None},
        "recognition": recognition,
        "strs": None if f1 is None or recognition is None else f1 * recognition["f1"],
        "delay_ms": {state: _spread(videos, state) for state in _STATES},
        "false_alarms_per_minute": len(false) / minutes if minutes else None,
        "false_alarms_on_macro": sum(macros),
    }


_STATES: tuple[State, ...] = ("provisional", "final", "settled")
_KINDS: Mapping[str, tuple[Kind, ...]] = {"micro": ("micro",), "macro": ("macro",), "all": ("micro", "macro")}


def _count(
    videos: Sequence[Watched], pairs: Sequence[list[tuple[int, int]]], kinds: tuple[Kind, ...]
) -> dict[str, Any]:
    truths = sum(t.kind in kinds for video in videos for t in video.truths)
    found = sum(d.kind in kinds for video in videos for d in video.found)
    tp = sum(video.truths[i].kind in kinds for video, one in zip(videos, pairs, strict=True) for i, _ in one)
    return {
        "n": truths,
        "tp": tp,
        "fp": found - tp,
        "fn": truths - tp,
        "precision": tp / found if found else None,
        "recall": tp / truths if truths else None,
        "f1": 2 * tp / (truths + found) if truths + found else None,
    }


def _recognition(named: Sequence[tuple[int, int]], classes: Sequence[str]) -> dict[str, Any] | None:
    """Of (true, said) classes; classes that occur in neither are left out of every mean."""
    if not named:
        return None
    table = confusion([t for t, _ in named], [p for _, p in named], len(classes))
    hit, true, said = np.diag(table), table.sum(1), table.sum(0)
    there = true + said > 0
    precision = float(np.mean(hit[there] / np.maximum(said[there], 1)))
    recall = float(np.mean(hit[there] / np.maximum(true[there], 1)))
    f1 = 2 * precision * recall / (precision + recall) if precision + recall else 0.0
    return {"n": len(named), "f1": f1, **scores(table).as_dict(), "per_class": per_class(table, classes)}


def _spread(videos: Sequence[Watched], state: State) -> dict[str, float | int | None]:
    values = [value for video in videos for value in video.delays_ms.get(state, ())]
    if not values:
        return {"n": 0, "p50": None, "p90": None, "p95": None}
    p50, p90, p95 = (float(v) for v in np.percentile(values, [50, 90, 95]))
    return {"n": len(values), "p50": p50, "p90": p90, "p95": p95}
