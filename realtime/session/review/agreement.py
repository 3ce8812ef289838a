"""How far two codings agree: F1 of what was found, Cohen's kappa of what it was called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

IOU = 0.5


def iou(a: Mapping[str, Any], b: Mapping[str, Any]) -> float:
    """Frames that two events share over those that either has; 0 where an offset is not known."""
    if a["offset_frame"] is None or b["offset_frame"] is None:
        return 0.0
    shared = min(a["offset_frame"], b["offset_frame"]) - max(a["onset_frame"], b["onset_frame"]) + 1
    both = max(a["offset_frame"], b["offset_frame"]) - min(a["onset_frame"], b["onset_frame"]) + 1
    return float(max(0, shared) / both)


def agreement(ours: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """F1 at an IoU of 0.5 (each event pairs once, the best first), and kappa over the labels of the pairs.

    Returns:
        ``f1``, ``kappa``, ``pairs``, ``ours``, ``theirs``; a figure that is not defined is None: F1 without any
        event, kappa without a pair, or with one class on both sides.
    """
    by_overlap = sorted(
        ((iou(a, b), i, j) for i, a in enumerate(ours) for j, b in enumerate(theirs)), reverse=True
    )
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for overlap, i, j in by_overlap:
        if overlap >= IOU and i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    total = len(ours) + len(theirs)
    labels = [(str(ours[i]["label"]), str(theirs[j]["label"])) for i, j in pairs.items()]
    return {
        "f1": 2 * len(pairs) / total if total else None,
        "kappa": cohen_kappa(labels),
        "pairs": len(pairs),
        "ours": len(ours),
        "theirs": len(theirs),
    }


def cohen_kappa(pairs: Sequence[tuple[str, str]]) -> float | None:
    """Agreement beyond chance (Cohen 1960, eq. 1); None where chance alone would agree always."""
    if not pairs:
        return None
    n = len(pairs)
    observed = sum(a == b for a, b in pairs) / n
    left, right = Counter(a for a, _ in pairs), Counter(b for _, b in pairs)
    chance = sum(left[name] * right[name] for name in left) / n**2
    return None if chance == 1 else (observed - chance) / (1 - chance)
