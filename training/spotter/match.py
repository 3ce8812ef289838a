"""Decisions against truth: who found what, how exactly, how late, and what was taken for something else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mer_live.realtime.spotter.score import Scorer
from mer_live.realtime.spotter.spotter import Judged, Spotter, SpotterConfig
from mer_live.training.spotter.recordings import Recording, Truth

CONFUSABLE = ("blink", "speech", "gaze", "shake", "macro")


@dataclass(slots=True)
class Decision:
    """All that the spotter said about one candidate it announced."""

    id: int
    onset_ns: int
    apex_ns: int
    score: float
    announced_ns: int | None = None
    """When the apex was announced; None where only the finished event was."""
    offset_ns: int | None = None
    final_ns: int | None = None
    withdrawn: str = ""

    @property
    def stands(self) -> bool:
        """Whether it ended as a final event."""
        return self.final_ns is not None


@dataclass(slots=True)
class Result:
    """A recording, what was decided on it, and which decision answers which truth."""

    recording: Recording
    decisions: list[Decision]
    pairs: list[tuple[int, int]] = field(default_factory=list)
    """(truth, decision) with IoU of at least 0.5, each used once."""
    touching: list[tuple[int, int]] = field(default_factory=list)
    """(truth, decision) with the apex inside the event, each used once."""
    spotter_ms: float = 0.0
    """Mean time per frame."""

    @property
    def finals(self) -> list[Decision]:
        """Decisions that stand."""
        return [d for d in self.decisions if d.stands]


def overlap(a: tuple[int, int], b: tuple[int, int]) -> float:
    """Intersection over union of two spans."""
    common = min(a[1], b[1]) - max(a[0], b[0])
    return max(0.0, common / (max(a[1], b[1]) - min(a[0], b[0]))) if common > 0 else 0.0


def decide(
    recording: Recording,
    config: SpotterConfig | None = None,
    listen: Callable[[Judged], None] | None = None,
    scorer: Scorer | None = None,
) -> Result:
    """Run the spotter over a recording and pair its final events with the truth."""
    import time

    spotter = Spotter(config, listen, scorer)
    found: dict[int, Decision] = {}
    started = time.thread_time()
    for motion, t_ns in zip(recording.motions, recording.times_ns, strict=True):
        for spot in spotter.update(motion, int(t_ns)):
            span = spot.span
            d = found.setdefault(spot.id, Decision(spot.id, span.onset.t_ns, span.apex.t_ns, spot.score))
            if spot.phase == "withdrawn":
                d.withdrawn = spot.reason
                continue
            d.onset_ns, d.apex_ns, d.score = span.onset.t_ns, span.apex.t_ns, spot.score
            if spot.phase == "apex":
                d.announced_ns = spot.decided.t_ns
            elif span.offset is not None:
                d.offset_ns, d.final_ns = span.offset.t_ns, spot.decided.t_ns
    took = (time.thread_time() - started) * 1e3 / max(1, len(recording.times_ns))
    result = Result(recording, sorted(found.values(), key=lambda d: d.id), spotter_ms=took)
    result.pairs = _pair(recording.truths, result.finals, _iou_score)
    result.touching = _pair(recording.truths, result.finals, _inside_score)
    return result


def _iou_score(t: Truth, d: Decision) -> float:
    assert d.offset_ns is not None
    iou = overlap((t.onset_ns, t.offset_ns), (d.onset_ns, d.offset_ns))
    return iou if iou >= 0.5 else 0.0


def _inside_score(t: Truth, d: Decision) -> float:
    return 1.0 / (1 + abs(d.apex_ns - t.apex_ns)) if t.onset_ns <= d.apex_ns <= t.offset_ns else 0.0


def _pair(
    truths: Sequence[Truth], decisions: Sequence[Decision], score: Callable[[Truth, Decision], float]
) -> list[tuple[int, int]]:
    """Greedy one-to-one pairs, best first."""
    table = [(score(t, d), i, k) for i, t in enumerate(truths) for k, d in enumerate(decisions)]
    pairs: list[tuple[int, int]] = []
    for value, i, k in sorted(table, reverse=True):
        if value > 0 and all(i != a and k != b for a, b in pairs):
            pairs.append((i, k))
    return sorted(pairs)


def counts(
    results: Sequence[Result], least_px: float, by: str = "pairs", moving: bool | None = None
) -> tuple[int, int, int]:
    """True positives, misses, false positives for truths of at least ``least_px``.

    A decision that answers a weaker truth is neither right nor wrong. With ``moving``, only what ends while
    the face moves of itself, or only what does not.
    """
    tp = fn = fp = 0
    for r in results:
        pairs, finals = getattr(r, by), r.finals

        def counted(t_ns: int | None, recording: Recording = r.recording) -> bool:
            return moving is None or (t_ns is not None and recording.moving(t_ns) == moving)

        strong = {
            i for i, t in enumerate(r.recording.truths) if t.intensity_px >= least_px and counted(t.offset_ns)
        }
        tp += len(strong & {i for i, _ in pairs})
        fn += len(strong - {i for i, _ in pairs})
        answering = {k for _, k in pairs}
        fp += sum(k not in answering and counted(d.offset_ns) for k, d in enumerate(finals))
    return tp, fn, fp


def prf(tp: int, fn: int, fp: int) -> dict[str, float | int | None]:
    """Precision, recall and F1 with the number of truths; None where nothing can be said."""
    precision = tp / (tp + fp) if tp + fp else None
    recall = tp / (tp + fn) if tp + fn else None
    f1 = 2 * tp / (2 * tp + fn + fp) if tp + fn + fp else None
    return {"n": tp + fn, "tp": tp, "fp": fp, "precision": precision, "recall": recall, "f1": f1}


def _spread(values: Sequence[float]) -> dict[str, float | int | None]:
    if not values:
        return {"n": 0, "p50": None, "p90": None, "p95": None}
    p50, p90, p95 = np.percentile(values, [50, 90, 95])
    return {"n": len(values), "p50": float(p50), "p90": float(p90), "p95": float(p95)}


def summarise(results: Sequence[Result]) -> dict[str, Any]:
    """Every figure of the benchmark for one set of recordings."""
    apex_error: list[float] = []
    signed: list[float] = []
    provisional: list[float] = []
    final: list[float] = []
    for r in results:
        finals = r.finals
        for i, k in r.touching:
            t, d = r.recording.truths[i], finals[k]
            signed.append((d.apex_ns - t.apex_ns) / 1e6)
            apex_error.append(abs(signed[-1]))
            if d.announced_ns is not None:
                provisional.append((d.announced_ns - t.apex_ns) / 1e6)
        for i, k in r.pairs:
            decided = finals[k].final_ns
            assert decided is not None
            final.append((decided - r.recording.truths[i].offset_ns) / 1e6)
    minutes = sum(r.recording.watched_s for r in results) / 60
    extra = sum(len(r.finals) - len(r.touching) for r in results)
    withdrawn = sum(bool(d.withdrawn) for r in results for d in r.decisions)
    motion = np.concatenate([r.recording.motion_ms for r in results]) if results else np.zeros(0)
    bands = ((0.5, 0.75), (0.75, 1.0), (1.0, 1.5), (1.5, 2.5), (2.5, 99.0))
    return {
        "clips": len(results),
        "minutes": minutes,
        "iou": {
            "all": prf(*counts(results, 0.0)),
            "from_1.5_px": prf(*counts(results, 1.5)),
            "at_rest": prf(*counts(results, 1.5, moving=False)),
            "moving": prf(*counts(results, 1.5, moving=True)),
        },
        "apex_inside": {
            "all": prf(*counts(results, 0.0, "touching")),
            "from_1.5_px": prf(*counts(results, 1.5, "touching")),
        },
        "recall_by_px": {f"{a:g}-{b:g}": _band(results, a, b) for a, b in bands},
        "recall_near_0.75_px": _band(results, 0.65, 0.9),
        "apex_error_ms": _spread(apex_error),
        "apex_bias_ms": float(np.median(signed)) if signed else None,
        "provisional_delay_ms": _spread(provisional),
        "final_delay_ms": _spread(final),
        "false_alarms_per_minute": extra / minutes if minutes else None,
        "provisional_withdrawn_per_minute": withdrawn / minutes if minutes else None,
        "taken_for": {kind: _taken(results, kind) for kind in CONFUSABLE},
        "motion_ms_per_frame": _spread(motion.tolist()),
        "flow_ms_per_frame": float(np.nanmedian([r.recording.flow_ms for r in results])) if results else None,
        "spotter_ms_per_frame": float(np.mean([r.spotter_ms for r in results])) if results else None,
    }


def _band(results: Sequence[Result], low: float, high: float) -> dict[str, float | int | None]:
    n = hit = 0
    for r in results:
        found = {i for i, _ in r.pairs}
        inside = {i for i, t in enumerate(r.recording.truths) if low <= t.intensity_px < high}
        n, hit = n + len(inside), hit + len(inside & found)
    return {"n": n, "recall": hit / n if n else None}


def _taken(results: Sequence[Result], kind: str) -> dict[str, float | int | None]:
    """How many distractors of a kind hold the apex of a final event that answers no truth."""
    n = taken = 0
    for r in results:
        used = {k for _, k in r.touching} | {k for _, k in r.pairs}
        false = [d for k, d in enumerate(r.finals) if k not in used]
        for what, start, end in r.recording.distractors:
            if what == kind:
                n += 1
                taken += any(start - 30_000_000 <= d.apex_ns <= end + 30_000_000 for d in false)
    return {"n": n, "taken": taken, "part": taken / n if n else None}
