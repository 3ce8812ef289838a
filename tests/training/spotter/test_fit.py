from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.spotted import recording, span

from mer_live.engines.representation.specs import AdmSpec
from mer_live.realtime.motion.cpu import CpuStage
from mer_live.realtime.motion.regions import REGIONS, region
from mer_live.realtime.motion.stage import FlowSpec
from mer_live.realtime.path import FacePath
from mer_live.realtime.spotter.matched import FEATURES, ROWS, Faces
from mer_live.realtime.spotter.pulses import COURSES, FINISHED
from mer_live.realtime.spotter.score import COEFFICIENTS, INPUTS, Scorer
from mer_live.realtime.spotter.spotter import Spotter
from mer_live.training.spotter import fit as fitting
from mer_live.training.spotter.fit import calibrate, fit, listen
from mer_live.training.spotter.looks import Looks, labels, rightness
from mer_live.training.spotter.match import decide
from mer_live.training.spotter.material import Folders, folds
from mer_live.training.spotter.net import calibrated, scorer, train
from mer_live.training.spotter.signals import Signals, mirrored, signals, varied, with_events
from mer_live.training.synthesis.clips import Truth

S = 1_000_000_000
SHAPES = np.zeros((14, len(REGIONS), 2))
SHAPES[:, region("brow"), 1] = -1.0
SHAPES += np.random.default_rng(0).normal(0, 0.05, SHAPES.shape)


def known_faces() -> Faces:
    return Scorer.load().faces


def quiet(seconds: float, fps: float = 25.0, seed: int = 0, people: frozenset[str] = frozenset()) -> Signals:
    """A face that breathes."""
    rng = np.random.default_rng(seed)
    n = round(seconds * fps)
    rows = np.zeros((n, ROWS, 2))
    rows[:, : len(REGIONS)] = rng.normal(0, 0.05, (n, len(REGIONS), 2))
    rows[:, -1, 0] = 1.0
    return Signals(np.arange(n) / fps, rows, (), np.zeros(n), people)


def talking(
    seconds: float, fps: float = 25.0, seed: int = 0, people: frozenset[str] = frozenset()
) -> Signals:
    """A jaw that goes up and down."""
    s = quiet(seconds, fps, seed, people)
    rows = s.rows.copy()
    jaw = 3.0 * np.sin(2 * np.pi * 3.3 * s.times + seed) + 2.0 * np.sin(2 * np.pi * 4.9 * s.times)
    rows[:, region("chin", "lower_lip"), 1] += jaw[:, None]
    rows[:, region("jaw", "mouth"), 1] += 0.5 * jaw[:, None]
    return replace(s, rows=rows, speaking=np.ones(len(s.times)))


def test_signals_come_in_stretches_with_a_face() -> None:
    rec = recording(25, 8.0)
    lost = replace(rec, motions=(*rec.motions[:100], None, *rec.motions[101:]))
    voice = np.arange(len(rec.motions)) / 1000.0
    pieces = signals(lost, "anna", voice)
    assert [len(p.times) for p in pieces] == [100, 99]
    assert pieces[0].rows.shape == (100, ROWS, 2)
    assert pieces[0].rows[50:60, region("brow")[0], 1].min() == pytest.approx(-2.0, abs=0.2)
    assert pieces[1].people == {"anna"}
    assert pieces[1].speaking is not None
    assert pieces[1].speaking[0] == pytest.approx(0.101)


def test_mirroring_twice_changes_nothing() -> None:
    rows = np.random.default_rng(0).normal(0, 1, (3, ROWS, 2))
    assert np.array_equal(mirrored(mirrored(rows)), rows)
    assert mirrored(rows)[0, region("brow_inner_left")[0], 0] == -rows[0, region("brow_inner_right")[0], 0]


def test_variations_know_who_is_in_them() -> None:
    rng = np.random.default_rng(0)
    people = {
        name: [talking(3.0, seed=k, people=frozenset({name}))]
        for k, name in enumerate(("anna", "ben", "cleo"))
    }
    made = [varied(people, rng) for _ in range(60)]
    assert all(m.rows.shape == (len(m.times), ROWS, 2) and np.isfinite(m.rows).all() for m in made)
    assert all(m.speaking is not None and len(m.speaking) == len(m.times) for m in made)
    assert {len(m.people) for m in made} == {1, 2}
    assert frozenset.union(*(m.people for m in made)) == {"anna", "ben", "cleo"}
    assert len({len(m.times) for m in made}) > 3


def test_events_are_added_to_signals() -> None:
    made = with_events(quiet(20.0, 100.0), np.random.default_rng(0), SHAPES, 1.2)
    assert len(made.truths) > 5
    still = quiet(20.0, 100.0)
    brow = region("brow")[0]
    for t in made.truths:
        apex = int(np.searchsorted(made.times, t.span.apex.t_ns * 1e-9))
        added = made.rows[apex, brow, 1] - still.rows[apex, brow, 1]
        assert added == pytest.approx(-t.intensity_px, rel=0.2)


def test_events_are_added_where_a_stretch_is_that_begins_late() -> None:
    late = quiet(20.0, 100.0)
    late = replace(late, times=late.times + 30.0)
    made = with_events(late, np.random.default_rng(0), SHAPES, 1.2)
    assert len(made.truths) > 5
    assert min(t.span.onset.t_ns for t in made.truths) > 30 * S
    assert late.seconds == pytest.approx(19.99)


def test_hypotheses_are_labelled_by_their_overlap() -> None:
    k = FINISHED.stop - 1
    ages = (COURSES.onset[k], COURSES.apex[k], COURSES.offset[k])
    now = 5.0
    truth = Truth("", span(*(now - age for age in ages)), 2.0)
    assert labels("offset", now, [truth])[k] == 1
    assert not labels("offset", now, [replace(truth, span=truth.span.since(S))]).any()
    assert not labels("apex", now, []).any()


def test_looks_taken_beforehand_are_those_of_the_live_spotter() -> None:
    s = with_events(quiet(6.0, 60.0), np.random.default_rng(3), SHAPES, 0.8)
    judge = Scorer.load()
    told, spots = Looks(s, judge.faces).judged(judge)
    window_spots = []
    spotter = Spotter(scorer=judge)
    for index, (t, rows) in enumerate(zip(s.times, s.rows, strict=True)):
        motion = replace(_motion(index, round(t * S)), regions=rows[: len(REGIONS)].astype(np.float32))
        window_spots += spotter.update(motion, motion.t_ns)
    window_spots += spotter.finish()
    assert {s.phase for s in spots} >= {"offset", "settled"}
    assert [(s.phase, s.span.apex.frame) for s in spots] == [
        (s.phase, s.span.apex.frame) for s in window_spots
    ]
    assert any(rightness(j, s.truths) > 0.5 for j in told if j.phase == "settled")


def _motion(index: int, t_ns: int):  # type: ignore[no-untyped-def]
    from mer_live.realtime.types import Motion

    still = np.zeros((len(REGIONS), 2), np.float32)
    return Motion(
        index, t_ns, 1, still, still, np.ones(len(REGIONS), np.float32), np.zeros(4, np.float32), None
    )


def test_trained_networks_are_what_the_spotter_loads() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(0, 1, (4000, len(FEATURES)))
    net = train("offset", x, x[:, 0] + 0.3 * rng.normal(0, 1, len(x)) > 0)
    heard = [(0.9, True, 1.0)] * 30 + [(0.9, False, 1.0)] * 10 + [(0.1, False, 1.0)] * 40
    even = calibrated(net, heard)
    faces = known_faces()
    x = np.zeros((2, len(FEATURES)))
    x[:, 0] = -2, 2
    low, high = scorer(faces, {"offset": json.loads(json.dumps(net))}).offset(x)
    assert low < -1.0
    assert high > 1.0
    logit = even["gain"] * np.log(9.0) + even["bias"]
    assert 1 / (1 + np.exp(-logit)) == pytest.approx(0.75, abs=0.02)
    rare = calibrated(net, [(s, ok, 0.1 if ok else 1.0) for s, ok, _ in heard])
    assert rare["bias"] < even["bias"]


def test_other_constants_are_refused() -> None:
    made = json.loads(COEFFICIENTS.read_text(encoding="utf-8"))
    assert set(made["networks"]) == set(INPUTS)
    with pytest.raises(ValueError, match=r"meter\._LOST = 0\.5, and it is 0\.35 now: .*fit-spotter"):
        Scorer({**made, "constants": {**made["constants"], "meter._LOST": 0.5}})
    with pytest.raises(ValueError, match=r"gone\.NAME = 1, and it is None"):
        Scorer({**made, "constants": {**made["constants"], "gone.NAME": 1}})
    with pytest.raises(ValueError, match="fit-spotter"):
        Scorer({name: made[name] for name in ("faces", "networks")})


def test_the_motion_is_measured_with_the_flow_that_the_coefficients_name() -> None:
    made = json.loads(COEFFICIENTS.read_text(encoding="utf-8"))
    assert Scorer(made).flow == FlowSpec()
    asked: list[FlowSpec] = []

    def stage(size: int, tracked: FlowSpec, adm: AdmSpec | None) -> CpuStage:
        asked.append(tracked)
        return CpuStage(size, tracked, adm)

    made["flow"]["flow_px"] = 56
    other = Scorer(made)
    FacePath(spotter=Spotter(scorer=other), stage=stage)
    assert asked == [FlowSpec(flow_px=56)]
    with pytest.raises(ValueError, match="another flow"):
        decide(recording(25, 1.0), scorer=other)
    made["flow"]["side"] = 1
    with pytest.raises(ValueError, match="side"):
        Scorer(made)


def test_a_fit_never_sees_whom_it_is_judged_on(monkeypatch: pytest.MonkeyPatch) -> None:
    people = ["a", "b", "c", "d", "e", "f", "g"]
    apart = folds(people)
    assert sorted(name for fold in apart for name in fold.people) == people
    faces = known_faces()
    material = [Looks(quiet(1.0, people=frozenset({name})), faces) for name in people]
    material.append(Looks(quiet(1.0, people=frozenset({"a", "c"})), faces))
    seen: list[frozenset[str]] = []

    def spied(looks: list[Looks], *_: object) -> dict[str, object]:
        seen.append(frozenset.union(*(x.signals.people for x in looks)))
        return {}

    monkeypatch.setattr(fitting, "fit", spied)
    monkeypatch.setattr(fitting, "looks_of", lambda *_: (faces, material))
    monkeypatch.setattr(fitting, "unheard", lambda *_: ([], []))
    monkeypatch.setattr(fitting, "listen", lambda *_: {})
    folders = Folders(Path(), Path(), Path(), Path())
    for fold in apart:
        fitting.fit_fold(folders, fold, 1, 0)
        assert not seen[-1] & set(fold.people)


def test_who_gives_the_covariance_is_not_judged_by_it() -> None:
    apart = folds(["a", "b", "c", "d", "e", "f"])
    for fold in apart:
        others = {name for other in apart if other.side != fold.side for name in other.people}
        assert others
        assert not others & set(fold.people)


def test_a_small_fit_finds_what_it_has_not_seen() -> None:
    rng = np.random.default_rng(0)
    faces = known_faces()
    material = [
        *(with_events(quiet(8.0, 50.0, k), rng, SHAPES, 0.5, (1.0, 4.0)) for k in range(4)),
        *(with_events(talking(8.0, 50.0, k), rng, SHAPES, 0.5, (1.0, 4.0)) for k in range(2)),
        *(talking(8.0, 25.0, k) for k in range(3)),
    ]
    networks = fit([Looks(s, faces) for s in material], faces, 0)
    judge = scorer(faces, networks)
    plain = [Looks(talking(8.0, 25.0, 7), faces)]
    acted = [Looks(with_events(quiet(12.0, 50.0, 9), rng, SHAPES, 0.6, (1.5, 4.0)), faces)]
    told = listen(plain, acted, judge)
    assert any(right for _, right, _ in told["final"])
    judge = scorer(faces, calibrate(networks, [told]))
    truths = acted[0].signals.truths
    found = [s for s in acted[0].judged(judge)[1] if s.phase == "settled" and s.span.offset is not None]
    inside = [any(t.span.holds(s.span.apex.t_ns) for t in truths) for s in found]
    # Nine candidates calibrate it; that most of what is there is found, and most of what is found is there, must hold.
    assert sum(inside) >= 0.4 * len(truths)
    assert sum(inside) >= 0.5 * len(found)
