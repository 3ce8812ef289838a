from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mer_live.benchmarks.result import Result as BenchmarkResult
from mer_live.benchmarks.spotting.figures import figures
from mer_live.benchmarks.spotting.run import Scale, measure, reliable
from mer_live.realtime.motion.regions import REGIONS, region
from mer_live.realtime.spotter.matched import FEATURES, ROWS
from mer_live.realtime.spotter.pulses import COURSES, FINISHED
from mer_live.realtime.spotter.score import COEFFICIENTS, Scorer
from mer_live.realtime.types import Motion
from mer_live.training.spotter.fit import Source, fit, halves, labels
from mer_live.training.spotter.match import Decision, Result, counts, decide, overlap, prf, summarise
from mer_live.training.spotter.net import Examples, calibrated, joined, train
from mer_live.training.spotter.recordings import Recording, Truth
from mer_live.training.spotter.signals import Signals, mirrored, mixed, signals, varied, with_events

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
    from mer_live.training.spotter.match import _iou_score, _pair

    assert _pair(rec.truths, result.finals, _iou_score) == [(0, 0)]


def test_signals_come_in_stretches_with_a_face() -> None:
    rec = recording(25, 8.0)
    lost = replace(rec, motions=(*rec.motions[:100], None, *rec.motions[101:]))
    pieces = signals(lost)
    assert [len(p.times) for p in pieces] == [100, 99]
    assert pieces[0].rows.shape == (100, ROWS, 2)
    assert pieces[0].rows[50:60, region("brow")[0], 1].min() == pytest.approx(-2.0, abs=0.2)


def test_mirroring_twice_changes_nothing() -> None:
    rows = np.random.default_rng(0).normal(0, 1, (3, ROWS, 2))
    assert np.array_equal(mirrored(mirrored(rows)), rows)
    assert mirrored(rows)[0, region("brow_inner_left")[0], 0] == -rows[0, region("brow_inner_right")[0], 0]


def test_variations_differ_and_keep_their_shape() -> None:
    rng = np.random.default_rng(0)
    pieces = signals(recording(25, 12.0))
    made = [varied(pieces, rng) for _ in range(6)]
    assert all(m.rows.shape == (len(m.times), ROWS, 2) and np.isfinite(m.rows).all() for m in made)
    assert len({len(m.times) for m in made}) > 1


def test_events_are_added_to_signals_and_recordings() -> None:
    rng = np.random.default_rng(0)
    shape = np.zeros((1, len(REGIONS), 2))
    shape[:, region("brow"), 1] = -1.0
    still = Signals(np.arange(0, 20, 0.01), np.zeros((2000, ROWS, 2)))
    made = with_events(still, rng, shape, 1.2)
    assert made.truths
    for t in made.truths:
        apex = int(np.searchsorted(made.times, t.apex_ns * 1e-9))
        assert made.rows[apex, region("brow")[0], 1] == pytest.approx(-t.intensity_px, rel=0.02)
    silent = recording(seconds=20.0, truths=())
    both = mixed(silent, rng, shape)
    assert both.truths
    assert len(both.motions) == len(silent.motions)


def test_hypotheses_are_labelled_by_their_overlap() -> None:
    k = FINISHED.stop - 1
    ages = (COURSES.onset[k], COURSES.apex[k], COURSES.offset[k])
    now = 5.0
    onset, apex, offset = (round((now - age) * S) for age in ages)
    assert labels("offset", now, [Truth("", onset, apex, offset, 2.0)])[k] == 1
    assert not labels("offset", now, [Truth("", onset - S, apex - S, offset - S, 2.0)]).any()
    assert labels("apex", now, []).tolist() == [0] * 6


def _cloud(n: int = 4000) -> Examples:
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, (n, len(FEATURES)))
    return Examples(x, x[:, 0] + 0.3 * rng.normal(0, 1, n) > 0)


def test_trained_networks_are_what_the_spotter_loads() -> None:
    net = train(joined([_cloud(), _cloud()]), members=2)
    heard = [(0.9, True)] * 30 + [(0.9, False)] * 10 + [(0.1, False)] * 40
    faces = json.loads(COEFFICIENTS.read_text())["faces"]
    made = {"faces": faces, "networks": {"apex": net, "offset": calibrated(net, heard)}}
    scorer = Scorer(json.loads(json.dumps(made)))
    x = np.zeros((2, len(FEATURES)))
    x[:, 0] = -2, 2
    low, high = scorer.apex(x)
    assert low < 0.3 < 0.7 < high
    net = made["networks"]["offset"]
    logit = net["gain"] * np.log(9.0) + net["bias"]
    assert 1 / (1 + np.exp(-logit)) == pytest.approx(0.75, abs=0.02)
    made["networks"]["apex"] = {**net, "features": ["other"]}
    with pytest.raises(ValueError, match="fit-spotter"):
        Scorer(made)


def test_fitting_scores_what_it_has_not_seen() -> None:
    moves = tuple(
        Truth("surprise", *(round((1.0 + 1.5 * k + x) * S) for x in (0.0, 0.15, 0.4)), 2.0)  # type: ignore[call-arg]
        for k in range(6)
    )
    rng = np.random.default_rng(0)
    shapes = np.zeros((14, len(REGIONS), 2))
    shapes[:, region("brow"), 1] = -1.0
    shapes += rng.normal(0, 0.05, shapes.shape)
    talk = recording(25, 12.0, ())
    stills = recording(50, 12.0, moves)
    sources = [
        Source(stills=tuple(signals(stills)), recordings=(stills,)),
        *(Source(talking=tuple(signals(r)), recordings=(r, mixed(r, rng, shapes))) for r in halves(talk)),
    ]
    made = fit(sources, shapes, 0, seconds=20.0)
    found = decide(recording(50, 12.0, moves), scorer=Scorer(made))
    assert len(found.pairs) >= 4


def test_reliability_of_nothing_is_empty() -> None:
    assert reliable([]) == []


@pytest.mark.slow
def test_the_benchmark_runs_without_any_data(tmp_path: Path) -> None:
    pytest.importorskip("skimage")
    report = measure(
        None, None, tmp_path, scale=Scale(clips=1, seconds=2.5, rates=(200.0, 25.0), jobs=1), plots=True
    )
    assert "portrait" in report["note"]
    assert set(report["sets"]) == {f"animated {r} fps" for r in (200, 25)}
    result = BenchmarkResult("spotting", figures=figures(report), details=report)
    result.write(tmp_path / "result.json")
    again = BenchmarkResult.read(tmp_path / "result.json")
    assert again.figure("beyond the shared flow").target == 1.0
    assert len(list(tmp_path.glob("animated-*.json"))) == 2
    assert len(list(tmp_path.glob("animated-*.png"))) == 2
    assert (tmp_path / "reliability.png").exists()
