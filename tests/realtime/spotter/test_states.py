from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_live.realtime.motion.regions import REGIONS, region
from mer_live.realtime.spotter.hypothesis import Hypothesis
from mer_live.realtime.spotter.intervals import Intervals
from mer_live.realtime.spotter.settling import fall
from mer_live.realtime.spotter.signals import History
from mer_live.realtime.spotter.spotter import Judged, Spotter, SpotterConfig
from mer_live.realtime.types import Motion, Speaking, Spot

S = 1_000_000_000
R = len(REGIONS)
BROW_UP = dict.fromkeys(region("brow"), (0.0, -1.0)) | dict.fromkeys(region("lid", "glabella"), (0.0, -0.7))


def course(t: np.ndarray, onset: float, apex: float, offset: float) -> np.ndarray:
    up = 0.5 - 0.5 * np.cos(np.pi * np.clip((t - onset) / (apex - onset), 0, 1))
    down = 0.5 + 0.5 * np.cos(np.pi * np.clip((t - apex) / (offset - apex), 0, 1))
    return up * down


def face(
    fps: float,
    seconds: float,
    *,
    brows: tuple[float, ...] = (),
    speech: tuple[float, float] | None = None,
    seed: int = 0,
) -> list[Motion]:
    """Brows that twitch at some times, and a mouth that speaks between two."""
    rng = np.random.default_rng(seed)
    t = np.arange(0, seconds, 1 / fps)
    values = rng.normal(0, 0.05, (len(t), R, 2))
    for start in brows:
        level = 2.5 * course(t, start, start + 0.15, start + 0.38)
        for k, (x, y) in BROW_UP.items():
            values[:, k] += level[:, None] * np.array([x, y])
    if speech is not None:
        on = np.clip(np.minimum(t - speech[0], speech[1] - t) / 0.15, 0, 1)
        open_px = on * (4.0 + 3.0 * np.sin(2 * np.pi * 3.7 * t) + 1.5 * np.sin(2 * np.pi * 5.3 * t + 1.0))
        for names, part in (
            ("chin", 1.0),
            ("lower_lip", 1.0),
            ("jaw", 0.5),
            ("mouth", 0.3),
            ("upper_lip", -0.15),
        ):
            values[:, region(names), 1] += part * open_px[:, None]
    texture = 2.0 + rng.normal(0, 0.1, (len(t), R))
    speed = np.diff(values, axis=0, prepend=values[:1])
    return [
        Motion(
            index=i,
            t_ns=round(t[i] * S),
            anchor=1,
            regions=values[i].astype(np.float32),
            speed=speed[i].astype(np.float32),
            texture=texture[i].astype(np.float32),
            head=np.zeros(4, np.float32),
            adm=None,
        )
        for i in range(len(t))
    ]


def watched(motions: list[Motion], sensitivity: float = 0.5) -> tuple[list[Spot], Spotter]:
    spotter = Spotter(SpotterConfig(sensitivity=sensitivity))
    spots = [spot for m in motions for spot in spotter.update(m, m.t_ns)]
    return spots + spotter.finish(), spotter


@pytest.mark.parametrize("fps", [25, 50, 200])
def test_a_twitch_is_settled_half_a_second_after_its_offset(fps: float) -> None:
    spots, _ = watched(face(fps, 4.0, brows=(2.0,)))
    assert [s.phase for s in spots][-2:] == ["offset", "settled"]
    final, settled = spots[-2:]
    assert settled.id == final.id
    assert settled.span == final.span
    assert final.span.offset is not None
    after_ns = settled.decided.t_ns - final.span.offset.t_ns
    assert after_ns + 1.5 * S / fps >= 0.5 * S
    assert after_ns <= 0.5 * S + max(0.04 * S, 2.5 * S / fps)


def test_the_end_of_a_recording_settles_what_is_open() -> None:
    motions = [m for m in face(100, 4.0, brows=(2.0,)) if m.t_ns < 2.55 * S]
    spots, spotter = watched(motions)
    assert [s.phase for s in spots][-1] in ("settled", "withdrawn")
    assert spots[-1].decided.frame == motions[-1].index
    assert spotter.finish() == []


@settings(max_examples=12, deadline=None)
@given(
    cut=st.integers(40, 400),
    fps=st.sampled_from([25, 60]),
    seed=st.integers(0, 3),
    speech=st.booleans(),
    sensitivity=st.sampled_from([0.5, 1.0]),
    lost=st.booleans(),
)
def test_every_event_ends_once(
    cut: int, fps: int, seed: int, speech: bool, sensitivity: float, lost: bool
) -> None:
    talk = (1.0, 4.0) if speech else None
    motions = face(fps, 5.0, brows=(1.2, 2.4, 3.3), speech=talk, seed=seed)[:cut]
    spotter = Spotter(SpotterConfig(sensitivity=sensitivity))
    spots = [spot for m in motions for spot in spotter.update(m, m.t_ns)]
    if lost:
        spots += spotter.update(None, motions[-1].t_ns + 1)
    spots += spotter.finish()
    order = {"apex": 0, "offset": 1, "settled": 2, "withdrawn": 2}
    for number in {s.id for s in spots}:
        phases = [s.phase for s in spots if s.id == number]
        assert [order[p] for p in phases] == sorted({order[p] for p in phases})
        assert phases[-1] in ("settled", "withdrawn")
    assert all(s.reason for s in spots if s.phase == "withdrawn")
    assert all(0.0 <= s.score <= 1.0 for s in spots)


def test_speech_is_a_state_and_a_twitch_is_none() -> None:
    quiet = face(50, 5.0, brows=(1.5, 3.0))
    _, spotter = watched(quiet)
    assert spotter.take_speaking() == []
    spotter = Spotter()
    likely = []
    for m in face(50, 6.0, speech=(2.0, 4.5)):
        spotter.update(m, m.t_ns)
        likely.append((m.t_ns / S, spotter.speaking))
    spotter.finish()
    assert max(p for t, p in likely if t < 1.9) < 0.5
    assert np.mean([p for t, p in likely if 3.0 < t < 4.3]) > 0.5
    begun, ended = spotter.take_speaking()
    assert (begun.start_ns, begun.end_ns) == (ended.start_ns, None)
    assert ended.end_ns is not None
    assert 2.0 * S < begun.start_ns < 3.5 * S
    assert 4.2 * S < ended.end_ns < 5.5 * S
    assert spotter.take_speaking() == []


def test_a_mouth_that_talks_is_no_expression() -> None:
    spots, _ = watched(face(50, 8.0, speech=(1.5, 7.0)))
    assert Counter(s.phase for s in spots)["settled"] == 0


def test_what_is_heard_of_candidates_is_a_number() -> None:
    told: list[Judged] = []
    spotter = Spotter(SpotterConfig(sensitivity=1.0), told.append)
    for m in face(50, 6.0, brows=(1.5, 3.5), speech=(2.5, 5.0)):
        spotter.update(m, m.t_ns)
    spotter.finish()
    assert {j.phase for j in told} >= {"final", "settled"}
    assert all(np.isfinite(j.features).all() and 0.0 <= j.score <= 1.0 for j in told)


def test_intervals_outlast_pauses_between_words() -> None:
    kept = Intervals()
    for k, odds in enumerate([-3, 2, 2, -2, -2, 2, -2, -2, -2, -2, -2, -2]):
        kept.add(k * S // 10, float(odds))
    assert kept.take() == [Speaking(S // 10, None), Speaking(S // 10, S // 2)]
    kept.add(5 * S, 3.0)
    kept.close()
    kept.close()
    assert kept.take() == [Speaking(5 * S, None), Speaking(5 * S, 5 * S)]


def test_a_slow_fade_is_an_event_with_an_open_end() -> None:
    t = np.arange(0, 5.0, 1 / 50)
    quiet = face(50, 5.0)
    level = 3.0 * course(t, 2.0, 2.16, 3.8)
    motions = []
    for m, px in zip(quiet, level, strict=True):
        regions = m.regions.copy()
        for k, (x, y) in BROW_UP.items():
            regions[k] += np.array([x, y], np.float32) * np.float32(px)
        motions.append(replace(m, regions=regions))
    spots, _ = watched(motions)
    assert [s.phase for s in spots] == ["apex", "offset", "settled"]
    _, final, settled = spots
    assert final.span.offset is None
    assert final.reason == "fades slowly"
    assert settled.span.offset is not None
    assert 2.9 * S < settled.span.offset.t_ns < 3.9 * S


def test_a_fade_that_the_recording_ends_in_keeps_its_open_end() -> None:
    t = np.arange(0, 3.1, 1 / 50)
    quiet = face(50, 3.1)
    level = 3.0 * course(t, 2.0, 2.16, 4.6)
    motions = []
    for m, px in zip(quiet, level, strict=True):
        regions = m.regions.copy()
        regions[region("brow")] += np.array([0.0, -px], np.float32)
        regions[region("lid", "glabella")] += np.array([0.0, -0.7 * px], np.float32)
        motions.append(replace(m, regions=regions))
    spots, _ = watched(motions)
    assert spots[-1].phase == "settled"
    assert spots[-1].span.offset is None
    assert spots[-1].reason == "fades slowly"


@pytest.mark.parametrize("end_s", [2.22, 2.6])
def test_a_movement_that_nothing_saw_end_was_back_when_it_was(end_s: float) -> None:
    """Looked at when it is overdue, .7 s after its onset."""
    t = np.arange(0, 2.7, 1 / 50)
    history, brow = History(R), region("brow")
    for k, px in enumerate(2.0 * course(t, 2.0, 2.12, end_s)):
        values = np.random.default_rng(k).normal(0, 0.05, (R, 2))
        values[brow, 1] -= px
        history.add(round(t[k] * S), values, k, round(t[k] * S))
    weights = np.zeros((R, 2))
    weights[brow, 1] = -1 / len(brow)
    onset, apex, never = (round(s * S) for s in (2.0, 2.12, 2.5))
    seen = fall(Hypothesis(0.8, 1.0, onset, apex, never, weights.ravel(), np.zeros(1), apex), history)
    assert seen.ended
    assert not seen.broken
    assert end_s - 0.18 < seen.back_ns / S < end_s


def test_what_was_back_in_time_is_no_slow_fade() -> None:
    """Its apex alone does not make it probable enough, except for those who ask for less."""
    t = np.arange(0, 4.0, 1 / 50)
    motions = []
    for m, px in zip(face(50, 4.0), 1.5 * course(t, 2.0, 2.25, 2.68), strict=True):
        regions = m.regions.copy()
        for k, (x, y) in BROW_UP.items():
            regions[k] += np.array([x, y], np.float32) * np.float32(px)
        motions.append(replace(m, regions=regions))
    assert [s.phase for s in watched(motions)[0]] == ["apex", "withdrawn"]
    spots, _ = watched(motions, 0.7)
    assert [s.phase for s in spots] == ["apex", "offset", "settled"]
    assert spots[1].decided.t_ns > 2.7 * S, "when it is overdue"
    for said in spots[1:]:
        assert said.span.offset is not None
        assert 2.5 * S < said.span.offset.t_ns < 2.68 * S
