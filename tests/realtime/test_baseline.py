from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mer_live.realtime.baseline import Baseline, BaselineError, BaselineMeter, baseline_of, parse_baseline
from mer_live.realtime.demo.clip import demo_clip
from mer_live.realtime.motion.regions import REGIONS, region
from mer_live.realtime.path import Step
from mer_live.realtime.sources.config import SourceError
from mer_live.realtime.spotter.config import SpotterConfig
from mer_live.realtime.spotter.spotter import Spotter
from mer_live.realtime.types import Motion, Speaking

FPS = 100
SECONDS = 8.0
RIGHT = [k for k, name in enumerate(REGIONS) if name.endswith("right")]


def rest(
    noise_px: float = 0.05, right: float = 1.0, blinks_s: tuple[float, ...] = (), usable: float = 1.0
) -> list[tuple[int, Step]]:
    """Frames of a face whose regions tremble by ``noise_px``, those of its right side ``right`` times as much."""
    rng = np.random.default_rng(3)
    found = []
    for k in range(int(SECONDS * FPS) + 1):
        t_ns = k * 1_000_000_000 // FPS
        regions = rng.normal(0, noise_px, (len(REGIONS), 2)).astype(np.float32)
        regions[RIGHT] *= right
        texture = np.ones(len(REGIONS), np.float32)
        if any(abs(t_ns / 1e9 - at) < 0.06 for at in blinks_s):
            texture[region("lid")] = 3.0
            regions[region("lid")] += 5.0
        motion = Motion(k, t_ns, 1, regions, regions, texture, np.zeros(4, np.float32), None)
        found.append((t_ns, Step(None, motion if k % 100 < 100 * usable else None)))
    return found


def learned(steps: list[tuple[int, Step]]) -> Baseline:
    meter = BaselineMeter(SECONDS)
    given = [one for t_ns, step in steps if (one := meter.add(t_ns, step)) is not None]
    assert given == [meter.learned]
    return given[0]


def test_noise_blinks_and_asymmetry_are_learned() -> None:
    found = learned(rest(0.05, right=2.0, blinks_s=(2.0, 5.0)))
    assert found.blinks_per_min == pytest.approx(2 * 60 / SECONDS)
    # A difference of two has twice the variance, in two axes.
    assert found.noise_px["chin"] == pytest.approx(0.05 * 2, rel=0.1)
    assert found.noise_px["brow_inner_right"] == pytest.approx(0.05 * 4, rel=0.1)
    assert found.asymmetry == pytest.approx(np.log(2), abs=0.05)
    assert 0.2 < found.smallest_px < 0.6, "a blink is no noise"
    assert baseline_of(json.loads(json.dumps(found.to_json()))) == found


def test_a_restless_face_raises_what_is_nothing_and_a_calm_one_lowers_it_never() -> None:
    for noise_px in (0.001, 0.1):
        spotter = Spotter(SpotterConfig(sensitivity=0.7))
        found = learned(rest(noise_px))
        found.apply(spotter)
        assert spotter.config == SpotterConfig(sensitivity=0.7, smallest_px=max(0.15, found.smallest_px))


def test_what_is_no_rest_is_refused() -> None:
    for steps, says in (
        (rest(usable=0.5), "a face could be seen in 50%"),
        (rest(noise_px=1.0), "moved by"),
        (rest(blinks_s=tuple(np.arange(0.1, SECONDS, 0.15))), "between blinks"),
    ):
        with pytest.raises(BaselineError, match=says):
            learned(steps)
    speaks = rest()
    t_ns, step = speaks[100]
    speaks[100] = t_ns, Step(None, step.motion, (), (Speaking(t_ns, None),))
    with pytest.raises(SourceError, match="spoke for 7"):
        learned(speaks)


def test_the_option_is_seconds_or_a_file(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    found = learned(rest())
    path.write_text(json.dumps({"events": [], "baseline": found.to_json()}))
    assert parse_baseline(str(path)) == found
    assert parse_baseline("20") == 20.0
    for text, says in (("2", "5 to 600"), ("nan", "5 to 600"), (str(tmp_path / "none"), "holds no baseline")):
        with pytest.raises(ValueError, match=says):
            parse_baseline(text)
    for change in ({"smallest_px": 9.0}, {"noise_px": 3}, {"seconds": "x"}):
        path.write_text(json.dumps({"baseline": {**found.to_json(), **change}}))
        with pytest.raises(ValueError, match="holds no baseline"):
            parse_baseline(str(path))


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mer_live.realtime.cli", "--video", str(demo_clip()), "--no-ui"]
    command += ["--bundle", "madtn"]
    return subprocess.run(
        [*command, *map(str, arguments)], capture_output=True, text=True, timeout=240, check=False
    )


@pytest.mark.slow
def test_a_run_learns_keeps_and_repeats_a_baseline(tmp_path: Path) -> None:
    refused = run("--baseline", 5, "--duration", 6)
    assert refused.returncode == 3
    assert "the baseline was refused: the face" in refused.stderr, "it shows expressions"
    short = run("--baseline", 60, "--duration", 0.5)
    assert (short.returncode, "ended before" in short.stderr) == (3, True)
    known: dict[str, Any] = {**learned(rest()).to_json(), "smallest_px": 0.9}
    kept, report, session = tmp_path / "kept.json", tmp_path / "r.json", tmp_path / "s"
    kept.write_text(json.dumps({"baseline": known}))
    done = run(
        *("--baseline", kept, "--duration", 2.4, "--report", report),
        *("--record", session, "--record-codec", "crops"),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(report.read_text())["baseline"] == known
    info = json.loads((session / "session.json").read_text())
    assert info["baseline"] == info["options"]["baseline"] == known
