from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mer_live.realtime.motion.regions import MIRROR, REGIONS, region
from mer_live.realtime.spotter.spotter import Spotter, SpotterConfig
from mer_live.realtime.types import Motion, Spot

S = 1_000_000_000
R = len(REGIONS)
BROW_UP = dict.fromkeys(region("brow"), (0.0, -1.0)) | dict.fromkeys(region("lid", "glabella"), (0.0, -0.7))
"""Raised brows take the lids' skin and the glabella with them."""
SMILE = {k: (-0.6 if REGIONS[k].endswith("right") else 0.6, -0.8) for k in region("mouth")}
SMILE |= dict.fromkeys(region("cheek"), (0.0, -0.4))


def pulse(t: np.ndarray, onset: float, apex: float, offset: float) -> np.ndarray:
    up = 0.5 - 0.5 * np.cos(np.pi * np.clip((t - onset) / (apex - onset), 0, 1))
    down = 0.5 + 0.5 * np.cos(np.pi * np.clip((t - apex) / (offset - apex), 0, 1))
    return up * down


def stream(
    fps: float = 200,
    duration_s: float = 4.0,
    events: tuple[tuple[dict[int, tuple[float, float]], float, float, float, float], ...] = (),
    noise_px: float = 0.05,
    seed: int = 0,
    start_ns: int = 0,
) -> list[Motion]:
    """Region signals of a face that moves as told: (regions, px, onset, apex, offset) per event."""
    rng = np.random.default_rng(seed)
    t = np.arange(0, duration_s, 1 / fps)
    values = rng.normal(0, noise_px, (len(t), R, 2))
    texture = np.full((len(t), R), 2.0) + rng.normal(0, 0.1, (len(t), R))
    for directions, px, onset, apex, offset in events:
        for k, direction in directions.items():
            values[:, k] += px * pulse(t, onset, apex, offset)[:, None] * np.array(direction)
    speed = np.diff(values, axis=0, prepend=values[:1])
    return [
        Motion(
            index=i,
            t_ns=start_ns + round(t[i] * S),
            anchor=1,
            regions=values[i].astype(np.float32),
            speed=speed[i].astype(np.float32),
            texture=texture[i].astype(np.float32),
            head=np.zeros(4, np.float32),
            adm=np.zeros(128, np.float32),
        )
        for i in range(len(t))
    ]


def spots(motions: list[Motion], config: SpotterConfig | None = None) -> list[Spot]:
    spotter = Spotter(config)
    return [spot for m in motions for spot in spotter.update(m, m.t_ns)]


EVENT = (BROW_UP, 2.0, 2.0, 2.15, 2.40)


@pytest.mark.parametrize("fps", [25, 30, 60, 100, 200])
def test_a_twitch_is_found_at_every_rate(fps: float) -> None:
    found = spots(stream(fps, events=(EVENT,)))
    assert [s.phase for s in found] == ["apex", "offset", "settled"]
    first, last, settled = found
    assert first.id == last.id == settled.id == 1
    assert settled.span == last.span
    frame = S / fps
    assert abs(last.span.apex.t_ns - 2.15 * S) <= max(0.025 * S, frame)
    assert abs(last.span.onset.t_ns - 2.00 * S) <= max(0.06 * S, 1.5 * frame)
    assert last.span.offset is not None
    offset_ns = last.span.offset.t_ns
    common = min(offset_ns, 2.40 * S) - max(last.span.onset.t_ns, 2.00 * S)
    assert common >= 0.5 * (max(offset_ns, 2.40 * S) - min(last.span.onset.t_ns, 2.00 * S))
    assert first.decided.t_ns - 2.15 * S <= max(0.08 * S, 2.5 * frame)
    assert 0.0 <= last.score <= 1.0


def test_nothing_in_noise() -> None:
    assert spots(stream(100, 20.0)) == []


def test_spots_name_frames_of_the_stream() -> None:
    motions = stream(100, events=(EVENT,))
    times = {m.index: m.t_ns for m in motions}
    for s in spots(motions):
        assert times[s.span.onset.frame] == s.span.onset.t_ns
        assert times[s.span.apex.frame] == s.span.apex.t_ns
        assert times[s.decided.frame] == s.decided.t_ns
        assert s.span.onset.frame <= s.span.apex.frame <= s.decided.frame
        if s.span.offset is not None:
            assert times[s.span.offset.frame] == s.span.offset.t_ns
            assert s.span.apex.frame <= s.span.offset.frame <= s.decided.frame


@cache
def two_events(fps: int, seed: int) -> tuple[list[Motion], list[Spot]]:
    """A stream, and all that is found in it."""
    motions = stream(fps, 4.0, (EVENT, (SMILE, 3.0, 3.0, 3.1, 3.3)), seed=seed)
    return motions, spots(motions)


@settings(max_examples=15, deadline=None)
@given(cut=st.integers(1, 399), fps=st.sampled_from([30, 100]), seed=st.integers(0, 5))
def test_the_future_changes_no_past_output(cut: int, fps: int, seed: int) -> None:
    motions, found = two_events(fps, seed)
    cut = min(cut, len(motions))
    until = motions[cut - 1].t_ns
    assert spots(motions[:cut]) == [s for s in found if s.decided.t_ns <= until]


@settings(max_examples=10, deadline=None)
@given(shift=st.integers(0, 10**15), seed=st.integers(0, 3))
def test_a_time_shift_shifts_the_output(shift: int, seed: int) -> None:
    plain = spots(stream(100, 3.0, (EVENT,), seed=seed))
    moved = spots(stream(100, 3.0, (EVENT,), seed=seed, start_ns=shift))
    assert [(s.id, s.phase, s.span) for s in plain] == [(s.id, s.phase, s.span.since(shift)) for s in moved]
    assert [s.decided.t_ns + shift for s in plain] == [s.decided.t_ns for s in moved]


def mirrored(m: Motion) -> Motion:
    sign = np.array([-1, 1], np.float32)
    order = list(MIRROR)
    return Motion(
        m.index, m.t_ns, m.anchor, m.regions[order] * sign, m.speed[order] * sign, m.texture[order],
        m.head * np.array([-1, 1, -1, 1], np.float32), m.adm,
    )  # fmt: skip


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 20))
def test_a_mirrored_face_gives_the_same_spots(seed: int) -> None:
    one_sided = dict.fromkeys(region("mouth_right", "cheek_right"), (-0.5, -0.8))
    motions = stream(100, 4.0, ((one_sided, 2.0, 2.0, 2.12, 2.3), EVENT), seed=seed)
    plain, other = spots(motions), spots([mirrored(m) for m in motions])
    assert [(s.id, s.phase, s.span) for s in plain] == [(s.id, s.phase, s.span) for s in other]


def test_a_slow_expression_is_not_an_event() -> None:
    found = spots(stream(100, 6.0, ((SMILE, 5.0, 2.0, 2.6, 4.5),)))
    assert all(s.phase != "offset" for s in found)


def test_a_lost_face_withdraws_what_was_announced() -> None:
    spotter = Spotter()
    motions = stream(200, events=(EVENT,))
    announced = None
    for m in motions:
        for s in spotter.update(m, m.t_ns):
            announced = s
        if announced is not None:
            break
    assert announced is not None
    assert spotter.phase == "apex"
    (withdrawn,) = spotter.update(None, announced.decided.t_ns + 5_000_000)
    assert (withdrawn.phase, withdrawn.id, withdrawn.reason) == ("withdrawn", announced.id, "face lost")
    assert spotter.phase == "idle"
    assert spotter.update(None, announced.decided.t_ns + 10_000_000) == []


def test_a_gap_starts_anew() -> None:
    motions = stream(100, events=(EVENT,))
    early = [m for m in motions if m.t_ns < 2.1 * S]
    late = [m for m in motions if m.t_ns > 2.5 * S]
    assert all(s.phase != "offset" for s in spots(early + late))


def test_more_sensitive_finds_no_less() -> None:
    motions = stream(60, 5.0, ((BROW_UP, 0.5, 2.0, 2.15, 2.40), (SMILE, 2.0, 3.0, 3.2, 3.4)))
    levels = (0.1, 0.5, 0.9)
    counts = [sum(s.phase == "offset" for s in spots(motions, SpotterConfig(sensitivity=v))) for v in levels]
    assert counts == sorted(counts)


def test_wrong_use_is_refused() -> None:
    with pytest.raises(ValueError, match="sensitivity"):
        SpotterConfig(sensitivity=1.5)
    motions = stream(100, 0.1)
    spotter = Spotter()
    spotter.update(motions[3], motions[3].t_ns)
    with pytest.raises(ValueError, match="order"):
        spotter.update(motions[2], motions[2].t_ns)
