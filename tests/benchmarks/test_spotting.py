from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mer_live.benchmarks import spotting_fit
from mer_live.benchmarks.result import Result as BenchmarkResult
from mer_live.benchmarks.spotting import Scale, measure, reliable
from mer_live.benchmarks.spotting_figures import figures
from mer_live.benchmarks.spotting_fit import Examples, fit, joined, mixed, patterns, resampled
from mer_live.benchmarks.spotting_match import Decision, Result, counts, decide, overlap, prf, summarise
from mer_live.benchmarks.spotting_sets import Recording, Truth
from mer_live.realtime.regions import REGIONS, region
from mer_live.realtime.score import APEX_FEATURES, OFFSET_FEATURES, Scorer
from mer_live.realtime.types import Motion

S = 1_000_000_000
TRUTH = Truth("surprise", round(2.0 * S), round(2.15 * S), round(2.4 * S), 2.0)


def recording(fps: float = 100, seconds: float = 5.0, truths: tuple[Truth, ...] = (TRUTH,)) -> Recording:
    """Raised brows in noise, at the times of the truths."""
    rng = np.random.default_rng(0)
    t = np.arange(0, seconds, 1 / fps)
    values = rng.normal(0, 0.05, (len(t), len(REGIONS), 2))
    for truth in truths:
        a, b, c = (x / S for x in (truth.onset_ns, truth.apex_ns, truth.offset_ns))
        pulse = 0.25 * (1 - np.cos(np.pi * np.clip((t - a) / (b - a), 0, 1)))
        pulse = pulse * (1 + np.cos(np.pi * np.clip((t - b) / (c - b), 0, 1)))
        values[:, region("brow"), 1] -= truth.intensity_px * pulse[:, None]
    motions = tuple(
        Motion(
            index=i,
            t_ns=round(t[i] * S),
            anchor=1,
            regions=values[i].astype(np.float32),
            speed=np.zeros((len(REGIONS), 2), np.float32),
            texture=np.full(len(REGIONS), 2.0, np.float32),
            head=np.zeros(4, np.float32),
            adm=np.zeros(128, np.float32),
        )
        for i in range(len(t))
    )
    times = np.array([m.t_ns for m in motions], np.int64)
    blink = (("blink", round(3.0 * S), round(3.3 * S)),)
    return Recording("clip", "animated", fps, times, motions, truths, blink, np.ones(len(t)), 0.6)


def decision(number: int, onset: float, apex: float, offset: float) -> Decision:
    a, b, c = (round(x * S) for x in (onset, apex, offset))
    return Decision(number, a, b, 0.9, b + 40_000_000, c, c + 10_000_000)


def test_overlap_is_intersection_over_union() -> None:
    assert overlap((0, 10), (0, 10)) == 1
    assert overlap((0, 10), (5, 15)) == pytest.approx(1 / 3)
    assert overlap((0, 10), (10, 20)) == 0


def test_an_event_is_found_and_timed() -> None:
    result = decide(recording())
    assert result.pairs == [(0, 0)]
    s = summarise([result])
    assert s["iou"]["from_1.5_px"]["f1"] == 1.0
    assert s["apex_error_ms"]["p50"] < 20
    assert s["false_alarms_per_minute"] == 0
    assert s["taken_for"]["blink"] == {"n": 1, "taken": 0, "part": 0.0}
    assert s["recall_by_px"]["1.5-2.5"] == {"n": 1, "recall": 1.0}


def test_misses_and_false_alarms_are_counted() -> None:
    rec = recording()
    result = Result(rec, [decision(1, 3.0, 3.1, 3.2), decision(2, 4.0, 4.1, 4.2)])
    s = summarise([result])
    assert counts([result], 1.5) == (0, 1, 2)
    assert s["taken_for"]["blink"]["taken"] == 1
    assert s["false_alarms_per_minute"] == pytest.approx(2 / (5 / 60))
    assert prf(0, 0, 0)["f1"] is None


def test_a_weak_event_that_is_found_is_no_false_alarm() -> None:
    weak = replace(TRUTH, intensity_px=0.7)
    result = decide(recording(truths=(weak,)))
    assert counts([result], 1.5) == (0, 0, 0)


def test_each_truth_is_used_once() -> None:
    rec = recording()
    result = Result(rec, [])
    result.decisions = [decision(1, 2.0, 2.15, 2.4), decision(2, 2.02, 2.16, 2.38)]
    from mer_live.benchmarks.spotting_match import _iou_score, _pair

    assert _pair(rec.truths, result.finals, _iou_score) == [(0, 0)]


def test_resampling_keeps_the_course() -> None:
    slow = recording(25)
    fast = resampled(slow, 100, np.random.default_rng(0), noise_px=0.0)
    assert fast.fps == 100
    assert len(fast.motions) == pytest.approx(4 * len(slow.motions), abs=8)
    k = region("brow")[0]
    peak = min(m.regions[k, 1] for m in fast.motions if m is not None)
    assert peak == pytest.approx(-2.0, abs=0.25)
    assert decide(fast).finals


def test_patterns_are_put_into_other_recordings() -> None:
    events = patterns([recording()])
    assert len(events) == 1
    assert events[0][1][region("brow")[0], 1] == pytest.approx(-2.0, abs=0.2)
    rec = mixed(recording(truths=(), seconds=20.0), events, np.random.default_rng(0))
    assert rec.truths
    assert all(t.onset_ns < t.apex_ns < t.offset_ns for t in rec.truths)


def _cloud(names: tuple[str, ...], n: int = 200) -> Examples:
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, (n, len(names)))
    return Examples(x, x[:, 0] + 0.3 * rng.normal(0, 1, n) > 0, np.ones(n), np.arange(n) % 6)


def test_fitted_networks_are_what_the_spotter_loads() -> None:
    made = {
        "apex": fit(_cloud(APEX_FEATURES), APEX_FEATURES, hidden=3, members=1),
        "offset": fit(_cloud(OFFSET_FEATURES), OFFSET_FEATURES, hidden=3, members=1),
    }
    scorer = Scorer(json.loads(json.dumps(made)))
    low, high = np.zeros(len(APEX_FEATURES)), np.zeros(len(APEX_FEATURES))
    low[0], high[0] = -2, 2
    assert scorer.apex(low) < 0.3 < 0.7 < scorer.apex(high)
    made["apex"]["features"] = ["other"]
    with pytest.raises(ValueError, match="refit"):
        Scorer(made)


def test_fitting_writes_shipped_and_held_out_coefficients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moves = tuple(
        Truth("surprise", *(round((1.0 + k + x) * S) for x in (0.0, 0.15, 0.4)), 2.0)  # type: ignore[call-arg]
        for k in range(4)
    )
    seen = recording(50, 6.0, moves)
    silent = replace(seen, truths=())

    class Clip:
        def __init__(self, path: Path) -> None:
            self.path = path

        def untouched(self) -> Recording:
            return silent

        def injected(self, seed: int) -> Recording:
            return seen

    (tmp_path / "one.mp4").touch()
    (tmp_path / "two.mp4").touch()
    shipped, held_out = tmp_path / "spotter.json", tmp_path / "held_out.json"
    monkeypatch.setattr(spotting_fit, "COEFFICIENTS", shipped)
    monkeypatch.setattr(spotting_fit, "HELD_OUT", held_out)
    monkeypatch.setattr(spotting_fit, "Footage", Clip)
    monkeypatch.setattr(spotting_fit, "list_subjects", lambda folder: ["a", "b", "c", "d", "e", "f"])
    monkeypatch.setattr(spotting_fit, "split_of", lambda name: "train")
    monkeypatch.setattr(spotting_fit, "load_photo", lambda folder, name: name)
    monkeypatch.setattr(spotting_fit, "animated", lambda photo, fps, seed, seconds: seen)
    monkeypatch.setattr(spotting_fit, "resampled", lambda recording, fps, rng: silent)
    spotting_fit.fit_all(tmp_path, tmp_path)
    Scorer.load(shipped)
    assert set(json.loads(held_out.read_text())) == {"one", "two"}


def test_examples_keep_their_recordings_apart() -> None:
    both = joined([_cloud(APEX_FEATURES), _cloud(APEX_FEATURES)])
    assert len(both.label) == 400
    assert len(set(both.group.tolist())) == 12


def test_reliability_of_nothing_is_empty() -> None:
    assert reliable([]) == []


@pytest.mark.slow
def test_the_benchmark_runs_without_any_data(tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    report = measure(None, None, tmp_path, scale=Scale(clips=1, seconds=2.5, rates=(200.0, 25.0)), plots=True)
    assert "portrait" in report["note"]
    assert set(report["sets"]) == {f"animated {r} fps" for r in (200, 25)}
    result = BenchmarkResult("spotting", figures=figures(report), details=report)
    result.write(tmp_path / "result.json")
    again = BenchmarkResult.read(tmp_path / "result.json")
    assert again.figure("beyond the shared flow").target == 1.0
    assert len(list(tmp_path.glob("animated-*.json"))) == 2
    assert len(list(tmp_path.glob("animated-*.png"))) == 2
    assert (tmp_path / "reliability.png").exists()
