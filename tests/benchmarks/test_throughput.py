from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from support.some_bundles import some_bundles

from mer_live.benchmarks import throughput
from mer_live.benchmarks.inputs import HeldClip, demo_recording
from mer_live.benchmarks.throughput import RATES, Trial, attempt, search
from mer_live.engines.bundle import load_bundle
from mer_live.realtime.recognition.recognizer import Recognizer

TRIAL = Trial(
    (640, 480), 1, 100.0, 2.0, captured=200, dropped=0, behind_ms=3.0, p99_ms=1.0, cores=1.0, rss_mb=300.0
)


@pytest.fixture(scope="module")
def recording() -> HeldClip:
    return demo_recording(0.3)


@pytest.fixture(scope="module")
def recognizer() -> Iterator[Recognizer]:
    with Recognizer([load_bundle(name) for name in some_bundles()]) as opened:
        yield opened


def test_sustained_is_no_drop_and_the_rate_kept() -> None:
    assert TRIAL.sustained
    assert not replace(TRIAL, dropped=1).sustained
    assert not replace(TRIAL, captured=190).sustained
    assert not replace(TRIAL, behind_ms=150.0).sustained


@pytest.mark.parametrize("sources", [1, 2])
def test_a_trial_runs_its_sources_as_live_cameras(
    recording: HeldClip, recognizer: Recognizer, sources: int
) -> None:
    trial = attempt(recording, sources, 25, 0.6, recognizer)
    assert trial.captured == pytest.approx(sources * 15, abs=sources)
    assert trial.dropped <= trial.captured
    assert trial.behind_ms > 0
    assert trial.rss_mb > 10
    assert trial.cores > 0


@pytest.mark.parametrize("limit", [25, 130, 333, 9999, 1])
def test_the_search_finds_the_highest_rate_that_holds(
    recording: HeldClip, recognizer: Recognizer, limit: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fake(recording: HeldClip, sources: int, fps: float, seconds: float, recognizer: Recognizer) -> Trial:
        return replace(TRIAL, fps=fps, captured=int(fps * 2), dropped=int(fps > limit))

    monkeypatch.setattr(throughput, "attempt", fake)
    trials: list[Trial] = []
    best = search(recording, 1, 2.0, recognizer, trials)
    held = [rate for rate in RATES if rate <= limit]
    assert (best.fps if best else None) == (held[-1] if held else None)
    assert len(trials) <= 2 * len(RATES).bit_length()


def test_a_hiccup_gets_a_second_chance(
    recording: HeldClip, recognizer: Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []

    def fake(recording: HeldClip, sources: int, fps: float, seconds: float, recognizer: Recognizer) -> Trial:
        seen.append(fps)
        return replace(TRIAL, fps=fps, captured=int(fps * 2), dropped=int(seen.count(fps) == 1))

    monkeypatch.setattr(throughput, "attempt", fake)
    best = search(recording, 1, 2.0, recognizer, [])
    assert best is not None
    assert best.fps == RATES[-1]


def test_aims_are_tried_and_a_slow_source_counts(
    recording: HeldClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fake(recording: HeldClip, sources: int, fps: float, seconds: float, recognizer: Recognizer) -> Trial:
        return replace(
            TRIAL, fps=fps, sources=sources, seconds=seconds, captured=int(sources * min(fps, 400) * seconds)
        )

    monkeypatch.setattr(throughput, "attempt", fake)
    monkeypatch.setattr(throughput, "demo_recording", lambda seconds: recording)
    monkeypatch.setattr(throughput, "BUNDLES", some_bundles())
    result = throughput.run(quick=True, aims=True)
    lost = {figure.name: figure.value for figure in result.figures}
    assert lost.pop("640x480, 1 at 800 fps: frames lost") == 3200
    assert set(lost.values()) == {0}
