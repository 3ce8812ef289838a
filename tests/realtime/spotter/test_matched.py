from __future__ import annotations

import numpy as np
import pytest

from mer_live.realtime.motion.regions import MIRROR, REGIONS, region
from mer_live.realtime.spotter.config import SpotterConfig
from mer_live.realtime.spotter.matched import FEATURES, ROWS, MatchedFilter
from mer_live.realtime.spotter.pulses import AGES, COURSES, FINISHED, bank, raised_cosine, refine
from mer_live.realtime.spotter.score import Scorer
from mer_live.realtime.spotter.signals import History
from mer_live.realtime.spotter.window import Window
from mer_live.training.synthesis.faces.facts import durations

S = 1_000_000_000
R = len(REGIONS)
COURSE = bank([(0.13, 0.19, 0.0)])


def filled(values: np.ndarray, fps: float = 25.0) -> tuple[History, int]:
    """History of (T, R, 2) displacements; the time of the newest."""
    history = History(ROWS)
    for k, v in enumerate(values):
        history.add(round(k * S / fps), np.concatenate([v, np.zeros((2, 2))]), k, round(k * S / fps))
    return history, round((len(values) - 1) * S / fps)


def brow_up(t: np.ndarray, px: float) -> np.ndarray:
    """(T, R, 2): brows rise by ``px`` and come back by the newest time."""
    values = np.zeros((len(t), R, 2))
    values[:, region("brow"), 1] -= px * raised_cosine(t[-1] - t, 0.32, 0.19, 0.0)[:, None]
    return values


def test_a_raised_cosine_by_hand() -> None:
    ages = np.array([0.5, 0.4, 0.3, 0.2, 0.1, 0.0])
    assert raised_cosine(ages, 0.4, 0.2, 0.0) == pytest.approx([0, 0, 0.5, 1, 0.5, 0])


def test_a_fit_finds_amplitude_level_and_drift() -> None:
    course = raised_cosine(AGES, 0.32, 0.19, 0.0)
    seen = 1.5 * course + 0.7 + 0.2 * (AGES - AGES.mean())
    assert COURSE.fit[0] @ seen == pytest.approx([1.5, 0.7, 0.2])
    assert np.abs(COURSE.residual[0] @ seen).max() < 1e-9
    assert np.square(COURSE.basis[0] @ seen).sum() == pytest.approx(np.square(COURSE.used[0] * seen).sum())


def test_the_bank_covers_published_durations() -> None:
    """Some course overlaps with it by 0.6 or more, apex on apex: what a fit takes for the same movement."""
    counts, step = durations()
    rise, fall = np.meshgrid(*(step * (np.arange(n) + 0.5) for n in counts.shape), indexing="ij")
    best = np.zeros(counts.shape)
    for k in range(FINISHED.stop):
        r, f = COURSES.onset[k] - COURSES.apex[k], COURSES.apex[k] - COURSES.offset[k]
        common = np.minimum(rise, r) + np.minimum(fall, f)
        best = np.maximum(best, common / (np.maximum(rise, r) + np.maximum(fall, f)))
    allowed = rise + fall <= SpotterConfig().longest_s + step
    assert counts[(best >= 0.6) & allowed].sum() >= 0.98 * counts.sum()


def test_refining_finds_the_course() -> None:
    t = np.arange(-0.4, 0.45, 0.005)
    course = 2 * raised_cosine(-t, 0.17, 0.01, -0.22) + 0.5 + 0.8 * t
    assert refine(t, course, -0.13, 0.19) == pytest.approx((-0.17, -0.01, 0.22), abs=0.025)
    assert refine(t[:3], course[:3], -0.13, 0.19) == (-0.13, 0.0, 0.19)


def test_the_pattern_and_its_size_are_found() -> None:
    looked = MatchedFilter(Scorer.load().faces)
    history, now = filled(brow_up(np.arange(0, 2, 0.04), 2.0))
    looked.step(history, now, 0.04)
    found = looked.match(bank=COURSE)
    assert found.largest_px[0] == pytest.approx(2.0, abs=0.01)
    seen = dict(zip(FEATURES, found.features[0], strict=True))
    assert seen["cosine"] > 0.7
    assert seen["upper"] > 0.99
    newest = history.values(history.since(now - 190_000_000))[0, :R].reshape(-1)
    assert found.weights[0] @ newest == pytest.approx(seen["amplitude"], rel=0.2)


def test_what_a_face_does_all_the_time_stands_out_less() -> None:
    t = np.arange(0, 4, 0.04)
    quiet, busy = (MatchedFilter(Scorer.load().faces) for _ in range(2))
    rng = np.random.default_rng(0)
    shaken = np.zeros((len(t), R, 2))
    shaken[:, region("brow"), 1] = np.repeat(rng.normal(0, 1.5, (len(t) // 4, 1)), 4, axis=0)
    shaken[-12:] = 0
    for looked, values in ((quiet, brow_up(t, 2.0)), (busy, brow_up(t, 2.0) + shaken)):
        for k in range(25, len(t) + 1):
            history, now = filled(values[:k])
            looked.step(history, now, 0.04)
    clear = FEATURES.index("clear")
    assert quiet.match(bank=COURSE).features[0, clear] > busy.match(bank=COURSE).features[0, clear] + 0.3
    assert busy.spread_px[region("brow")].min() > 1.5 * quiet.spread_px[region("brow")].max()


def test_features_of_a_mirrored_face_are_the_same() -> None:
    rng = np.random.default_rng(1)
    values = np.cumsum(rng.normal(0, 0.2, (30, R, 2)), axis=0)
    both = []
    for shown in (values, values[:, list(MIRROR)] * [-1.0, 1.0]):
        looked = MatchedFilter(Scorer.load().faces)
        history, now = filled(shown)
        looked.step(history, now, 0.04)
        both.append(looked.match().features)
    assert both[0] == pytest.approx(both[1], abs=1e-2)


def test_samples_are_linear_between_rows_and_hold_before_them() -> None:
    history, _ = filled(np.arange(3.0)[:, None, None] * np.ones((1, R, 2)))
    times = np.array([-1e9, 0.0, 0.06e9, 0.08e9])
    assert history.sample(times)[:, 0, 0] == pytest.approx([0, 0, 1.5, 2])


@pytest.mark.parametrize(("fps", "every"), [(25, 1), (60, 1), (100, 2), (200, 4)])
def test_looks_keep_their_distance_at_every_rate(fps: int, every: int) -> None:
    window = Window(Scorer.load())
    looked = [k for k in range(40) if window.take(round(k * S / fps), np.zeros((ROWS, 2)), k)]
    assert np.diff(looked).tolist() == [every] * (len(looked) - 1)
