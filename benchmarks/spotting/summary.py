"""The benchmark's numbers for a set of results: found, missed, false, taken for what, when."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from mer_live.realtime.motion.regions import REGIONS, region
from mer_live.realtime.types import State
from mer_live.training.spotter.injected import SPEAKING_PX
from mer_live.training.spotter.match import REACHED, Decision, Judgement
from mer_live.training.spotter.recordings import Recording

CONFUSABLE = ("blink", "speech", "gaze", "shake", "macro")
_UPPER = np.isin(np.arange(len(REGIONS)), region("brow", "lid", "under_eye", "glabella"))
_LIDS = region("lid")
_LID, _HEAD_PX = 1.6, 1.5
"""Texture of the lids, relative to the face's, in a blink; displacement of a head that moves."""

Counts = tuple[int, int, int]
"""True positives, misses, false positives."""


def counts(
    results: Sequence[Judgement],
    least_px: float,
    state: State = "settled",
    by: str = "pairs",
    *,
    speaking: bool | None = None,
    part: str = "",
    score: float = 0.0,
) -> Counts:
    """Decisions of a state against truths of at least ``least_px``.

    A decision that answers a weaker truth is neither right nor wrong. ``speaking`` and ``part`` choose among
    truths; decisions that answer none are counted where the face speaks or does not, in every part.
    ``score``: only decisions of so much.
    """
    tp = fn = fp = 0
    for r in results:
        answers = r.answers[state]
        right = {i for i, k in getattr(answers, by) if answers.decisions[k].score >= score}
        wanted = {
            i
            for i, t in enumerate(r.recording.truths)
            if t.intensity_px >= least_px
            and (not part or t.part == part)
            and (speaking is None or bool(t.speaking) == speaking)
        }
        tp, fn = tp + len(wanted & right), fn + len(wanted - right)
        answering = {k for _, k in getattr(answers, by)}
        for k, d in enumerate(answers.decisions):
            if k not in answering and d.score >= score:
                fp += speaking is None or speaks(r.recording, d.span.apex.t_ns) == speaking
    return tp, fn, fp


def prf(tp: int, fn: int, fp: int) -> dict[str, float | int | None]:
    """Precision, recall and F1 with the number of truths; None where nothing can be said."""
    precision = tp / (tp + fp) if tp + fp else None
    recall = tp / (tp + fn) if tp + fn else None
    f1 = 2 * tp / (2 * tp + fn + fp) if tp + fn + fp else None
    return {"n": tp + fn, "tp": tp, "fp": fp, "precision": precision, "recall": recall, "f1": f1}


def speaks(recording: Recording, t_ns: int) -> bool:
    """Whether the mouth itself moves as in speech at a time; no still's does."""
    if recording.mouth_px is None:
        return False
    k = min(int(np.searchsorted(recording.times_ns, t_ns)), len(recording.mouth_px) - 1)
    return bool(np.isfinite(recording.mouth_px[k]) and recording.mouth_px[k] >= SPEAKING_PX)


def minutes(results: Sequence[Judgement]) -> float:
    """Minutes with a face."""
    return sum(r.recording.face_s for r in results) / 60


def false_alarms(results: Sequence[Judgement], state: State) -> float | None:
    """False alarms a minute; None where there is no face."""
    seen = minutes(results)
    return sum(len(r.answers[state].false) for r in results) / seen if seen else None


def place_of(recording: Recording, d: Decision) -> str:
    """Part of the face that moved from the ends of a decision to its apex: 'upper', 'lower' or 'both'."""
    ends = (d.span.onset.t_ns, d.span.apex.t_ns, d.span.end.t_ns)
    last = len(recording.times_ns) - 1
    seen = [recording.motions[min(int(np.searchsorted(recording.times_ns, t)), last)] for t in ends]
    if any(m is None for m in seen):
        return "both"
    onset, apex, offset = (m.regions for m in seen if m is not None)
    size = np.square(apex - 0.5 * (onset + offset)).sum(1)
    share = float(size[_UPPER].sum() / max(1e-9, float(size.sum())))
    return "upper" if share >= 0.7 else "lower" if share <= 0.3 else "both"


def cause_of(recording: Recording, d: Decision) -> str:
    """What a false decision was taken from: a scripted distractor, else what the face did meanwhile."""
    for kind, start, end in recording.distractors:
        if start - 30_000_000 <= d.span.apex.t_ns <= end + 30_000_000:
            return kind
    if speaks(recording, d.span.apex.t_ns):
        return "speech"
    a, b = np.searchsorted(recording.times_ns, (d.span.onset.t_ns, d.span.end.t_ns))
    seen = [m for m in recording.motions[a : b + 1] if m is not None]
    if not seen:
        return "nothing seen"
    texture = np.stack([m.texture for m in seen])
    if (texture[:, _LIDS].max(1) / np.maximum(np.median(texture, axis=1), 0.5)).max() > _LID:
        return "blink"
    head = np.stack([m.head[:2] for m in seen if m.anchor == seen[0].anchor])
    return "head" if np.ptp(head, axis=0).max() > _HEAD_PX else "other"


def summarise(results: Sequence[Judgement]) -> dict[str, Any]:
    """Every figure of the benchmark for one set of recordings."""
    motion = np.concatenate([r.recording.motion_ms for r in results]) if results else np.zeros(0)
    flow = [r.recording.flow_ms for r in results if np.isfinite(r.recording.flow_ms)]
    false = [(r.recording, d) for r in results for d in r.answers["settled"].false]
    bands = ((0.5, 0.75), (0.75, 1.0), (1.0, 1.5), (1.5, 2.5), (2.5, 99.0))
    apex = _apex_errors(results)
    return {
        "clips": len(results),
        "minutes": minutes(results),
        "iou": {
            "all": prf(*counts(results, 0.0)),
            "from_1.5_px": prf(*counts(results, 1.5)),
            **{f"final_{part}": prf(*counts(results, 1.5, "final", part=part)) for part in _parts(results)},
            **{part: prf(*counts(results, 1.5, part=part)) for part in _parts(results)},
        },
        "apex_inside": {
            "all": prf(*counts(results, 0.0, by="touching")),
            "from_1.5_px": prf(*counts(results, 1.5, by="touching")),
        },
        "recall_by_px": {f"{a:g}-{b:g}": band(results, a, b) for a, b in bands},
        "apex_error_ms": _spread(np.abs(apex).tolist()),
        "apex_bias_ms": float(np.median(apex)) if len(apex) else None,
        "delay_ms": {state: _spread(_delays(results, state)) for state in REACHED},
        "false_alarms_per_minute": {state: false_alarms(results, state) for state in REACHED},
        "false_alarms_from": _share([cause_of(r, d) for r, d in false]),
        "false_alarms_at": _share([place_of(r, d) for r, d in false]),
        "taken_for": {kind: _taken(results, kind) for kind in CONFUSABLE},
        "withdrawn_for": _share([d.withdrawn for r in results for d in r.decisions if d.withdrawn]),
        "motion_ms_per_frame": _spread(motion.tolist()),
        "flow_ms_per_frame": float(np.median(flow)) if flow else None,
        "spotter_ms_per_frame": float(np.mean([r.spotter_ms for r in results])) if results else None,
    }


def _parts(results: Sequence[Judgement]) -> list[str]:
    return sorted({t.part for r in results for t in r.recording.truths if t.part})


def _share(said: Sequence[str]) -> dict[str, int]:
    return {what: said.count(what) for what in sorted(set(said))}


def _apex_errors(results: Sequence[Judgement]) -> np.ndarray[Any, np.dtype[np.float64]]:
    found = [
        (r.answers["settled"].decisions[k].span.apex.t_ns - r.recording.truths[i].span.apex.t_ns) / 1e6
        for r in results
        for i, k in r.answers["settled"].touching
    ]
    return np.asarray(found, np.float64)


def _delays(results: Sequence[Judgement], state: State) -> list[float]:
    """Of right decisions, ms: provisional ones after the true apex, the others after the true offset."""
    found = []
    for r in results:
        answers = r.answers[state]
        for i, k in answers.pairs:
            t, d = r.recording.truths[i], answers.decisions[k]
            if state == "provisional" and d.announced_ns is not None:
                found.append((d.announced_ns - t.span.apex.t_ns) / 1e6)
            at = d.final_ns if state == "final" else d.settled_ns
            if state != "provisional" and at is not None:
                found.append((at - t.span.end.t_ns) / 1e6)
    return found


def _spread(values: Sequence[float]) -> dict[str, float | int | None]:
    if not len(values):
        return {"n": 0, "p50": None, "p90": None, "p95": None}
    p50, p90, p95 = np.percentile(values, [50, 90, 95])
    return {"n": len(values), "p50": float(p50), "p90": float(p90), "p95": float(p95)}


def band(results: Sequence[Judgement], low: float, high: float) -> dict[str, float | int | None]:
    """Recall of truths of some strength."""
    n = hit = 0
    for r in results:
        found = {i for i, _ in r.pairs}
        inside = {i for i, t in enumerate(r.recording.truths) if low <= t.intensity_px < high}
        n, hit = n + len(inside), hit + len(inside & found)
    return {"n": n, "recall": hit / n if n else None}


def _taken(results: Sequence[Judgement], kind: str) -> dict[str, float | int | None]:
    """How many distractors of a kind hold the apex of a settled event that answers no truth."""
    n = taken = 0
    for r in results:
        for what, start, end in r.recording.distractors:
            if what == kind:
                n += 1
                inside = (start - 30_000_000, end + 30_000_000)
                taken += any(inside[0] <= d.span.apex.t_ns <= inside[1] for d in r.answers["settled"].false)
    return {"n": n, "taken": taken, "part": taken / n if n else None}


def reliability(
    results: Sequence[Judgement], edges: Sequence[float] = (0.0, 0.2, 0.4, 0.5, 0.6, 0.8, 1.0)
) -> list[dict[str, Any]]:
    """How many settled events of a score are micro-expressions, band by band."""
    said = []
    for r in results:
        false = {d.id for d in r.answers["settled"].false}
        said += [(d.score, d.id not in false) for d in r.answers["settled"].decisions]
    rows = []
    for low, high in itertools.pairwise(edges):
        inside = [right for score, right in said if low <= score < high or score == high == 1.0]
        right = float(np.mean(inside)) if inside else None
        rows.append({"from": low, "to": high, "n": len(inside), "right": right})
    return rows
