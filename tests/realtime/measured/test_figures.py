from __future__ import annotations

import re

import numpy as np
import pytest

from mer_live.realtime.check.findings import assess, worst
from mer_live.realtime.measured.figures import InputMeter
from mer_live.realtime.types import FaceCrop

RNG = np.random.default_rng(0)
FACE = RNG.integers(60, 180, (224, 224)).astype(np.uint8)
FRAME = np.full((480, 640, 3), 128, np.uint8)
UPRIGHT = np.array([[1.0, 0, 0], [0, 1, 0]], np.float32)


def watch(
    count: int = 400,
    fps: float = 200,
    light_hz: float = 0,
    levels: float = 0,
    key_every: int = 0,
    seen: float = 1.0,
    moves_at: tuple[int, ...] = (),
) -> InputMeter:
    result = InputMeter()
    for k in range(count):
        gray = FACE + levels * np.sin(2 * np.pi * light_hz * k / fps) + RNG.normal(0, 1, FACE.shape)
        if key_every and k // key_every % 2:
            gray = gray + RNG.normal(0, 0.1) + np.where(FACE > 120, 12, -12)
        for begin in moves_at:
            moved = 30 * (1 - np.cos(2 * np.pi * np.clip((k - begin) / 40, 0, 1)))
            gray = gray + np.where(FACE > 120, moved, -moved)
        crop = FaceCrop(k, round(k * 1e9 / fps), gray.clip(0, 255).astype(np.uint8), UPRIGHT, None, 1)
        result.add(FRAME, crop.t_ns, [crop if k < seen * count else None], "no face was found")
    return result


def test_a_good_input_is_fit() -> None:
    figures = watch().figures()
    assert figures.fps == pytest.approx(200)
    assert figures.face_px == pytest.approx(224 / 1.1)
    assert (figures.usable, figures.flicker_hz, figures.pulse_s, figures.repeated) == (1.0, None, None, 0.0)
    assert worst(assess(figures)) == "fit"


def test_flicker_is_told_with_its_rate_and_depth() -> None:
    figures = watch(light_hz=20, levels=2).figures()
    assert figures.flicker_hz == pytest.approx(20, abs=0.5)
    assert figures.flicker_levels == pytest.approx(2, rel=0.2)
    assert worst(assess(figures)) == "warning"


def test_a_picture_that_is_renewed_is_told_with_its_period() -> None:
    figures = watch(key_every=50).figures()
    assert figures.pulse_s == pytest.approx(0.25)
    assert figures.pulse_ratio is not None
    assert figures.pulse_ratio > 2
    movements = watch(240, moves_at=(20, 120)).figures()
    assert movements.pulse_s is None, "two movements are no key frames"


@pytest.mark.parametrize(("seen", "level"), [(0.4, "warning"), (0.02, "unfit")])
def test_a_face_that_is_not_seen_is_told_with_the_reason(seen: float, level: str) -> None:
    found = [one for one in assess(watch(seen=seen).figures()) if one.summary]
    assert [one.level for one in found] == [level]
    assert re.search(r"no face was found \(\d+\); one of 80 px and more would be, ear to ear$", found[0].text)


def test_the_rate_decides_what_can_be_seen() -> None:
    texts = {fps: str(assess(watch(100, fps).figures())[0]) for fps in (12, 30, 200)}
    assert texts[200] == "200.0 fps: onsets of 60 ms are 12.0 frames"
    assert texts[30].startswith("warning: 30.0 fps: onsets of 60 ms are 1.8 frames")
    assert texts[12].startswith("unfit: ")


def test_nothing_at_all() -> None:
    figures = InputMeter().figures()
    assert worst(assess(figures)) == "unfit"
    assert figures.to_json()["fps"] is None
    dark = InputMeter()
    dark.add(np.zeros((480, 640, 3), np.uint8), 0, [None], "no face was found")
    assert dark.figures().unusable == {"the picture is dark": 1}
