from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from support.spotted import recording

from mer_live.realtime.motion.regions import REGIONS, region
from mer_live.realtime.spotter.matched import FEATURES, ROWS
from mer_live.realtime.spotter.pulses import COURSES, FINISHED
from mer_live.realtime.spotter.score import COEFFICIENTS, Scorer
from mer_live.training.spotter.fit import Source, fit, halves, labels
from mer_live.training.spotter.match import decide
from mer_live.training.spotter.net import Examples, calibrated, joined, train
from mer_live.training.spotter.recordings import Truth
from mer_live.training.spotter.signals import Signals, mirrored, mixed, signals, varied, with_events

S = 1_000_000_000


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
