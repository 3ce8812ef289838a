"""Micro-expressions put into filmed faces where and when it matters: brow or mouth, silent or while they talk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.motion.regions import REGIONS
from mer_live.training.spotter.recordings import Footage, Recording, tracked
from mer_live.training.synthesis.clips import Truth
from mer_live.training.synthesis.inject import Injector
from mer_live.training.synthesis.timeline import Pulse, draw_pulse

Part = Literal["upper", "lower", "both"]
PARTS: tuple[Part, ...] = get_args(Part)
UNITS: dict[Part, tuple[tuple[int, ...], ...]] = {
    "upper": ((4,), (4, 7), (1, 2), (2,), (7,), (1, 2, 5)),
    "lower": ((12,), (14,), (15,), (10,), (24,), (17,)),
    "both": ((6, 12), (9,), (4, 10), (1, 2, 25), (4, 15), (4, 17)),
}
"""Action units that coders of the published sets wrote down most often, by the part of the face."""
SPEAKING_PX, SILENT_PX = 2.0, 1.5
"""Movement of the mouth above which a face speaks, and below which it does not; crop px within 0.4 s. With the
sound of the talkers' clips beside it, nine of ten voiced moments lie above the first."""
_WINDOW_S = 0.4
_WARM_S = 0.9
"""Before the first event: the spotter's warm-up and what it compares an onset with."""
_APART_S = 0.7


def mouth_px(recording: Recording) -> NDArray[np.float64]:
    """(T,) how far the mouth opens, stretches or the chin moves around each frame, px; inf without a face.

    Not causal, and of the untouched clip: it says what is true, not what a spotter may know.
    """
    lip, low, chin, left, right = (
        REGIONS.index(name) for name in ("upper_lip", "lower_lip", "chin", "mouth_left", "mouth_right")
    )
    seen = np.array([m is not None for m in recording.motions])
    parts = np.zeros((len(seen), 3))
    for k, m in enumerate(recording.motions):
        if m is not None:
            r = m.regions
            parts[k] = r[low, 1] - r[lip, 1], r[chin, 1], r[left, 0] - r[right, 0]
    reach = max(1, round(0.5 * _WINDOW_S * recording.fps))
    moved = np.full(len(seen), np.inf)
    for k in range(len(seen)):
        window = slice(max(0, k - reach), k + reach + 1)
        if seen[window].all():
            moved[k] = np.ptp(parts[window], axis=0).max()
    return moved


@dataclass(frozen=True, slots=True)
class Planned:
    """One movement to be put into a clip."""

    truth: Truth
    pulse: Pulse
    units: tuple[int, ...]


def plan(
    footage: Footage,
    rng: np.random.Generator,
    *,
    speaking: bool,
    parts: Sequence[Part] = PARTS,
    px: tuple[float, float] = (1.0, 4.0),
) -> list[Planned]:
    """Movements at random times at which the face is seen and speaks throughout, or does not speak at all."""
    mouth, fps = mouth_px(footage.plain), footage.fps
    fits = (mouth >= SPEAKING_PX) & np.isfinite(mouth) if speaking else mouth < SILENT_PX
    turns = list(rng.permutation(len(parts)))
    planned: list[Planned] = []
    first = int(np.argmax(np.isfinite(mouth))) / fps + _WARM_S
    t = first + float(rng.exponential(0.1))
    while t < len(mouth) / fps - 0.3:
        pulse = draw_pulse(rng, t)
        inside = slice(max(0, int(pulse.onset_s * fps) - 1), int(pulse.offset_s * fps) + 2)
        # The landmarks of a clip are found only where there is room for a movement.
        if pulse.offset_s < len(mouth) / fps - 0.15 and fits[inside].all() and footage.seen[inside].all():
            turns = turns or list(rng.permutation(len(parts)))
            part = parts[turns.pop()]
            units = UNITS[part][int(rng.integers(len(UNITS[part])))]
            size = float(np.exp(rng.uniform(*np.log(px))))
            truth = Truth("", pulse.span(fps), size, part=part, speaking=speaking)
            planned.append(Planned(truth, pulse, units))
            t = pulse.offset_s + _APART_S + float(rng.exponential(0.2))
        else:
            t += 0.04
    return planned


def frames(
    footage: Footage, rng: np.random.Generator, planned: Sequence[Planned]
) -> Iterator[NDArray[np.uint8]]:
    """The clip's frames with the movements in them."""
    injectors = []
    for p in planned:
        start = int(p.pulse.onset_s * footage.fps)
        marks = footage.landmarks[start]
        assert marks is not None
        injectors.append((Injector(marks, rng, units=p.units), footage.matrix(start), p))
    for k, image in enumerate(footage.frames):
        out = image
        for injector, start_pose, p in injectors:
            amount = p.truth.intensity_px * p.pulse.at(k / footage.fps)
            if amount > 0:
                anchor = np.vstack([injector.anchor, [0, 0, 1]])
                moved = np.linalg.inv(footage.matrix(k) @ np.linalg.inv(start_pose))
                out = injector.inject(out, (anchor @ moved)[:2], amount)
        yield out


def injected(footage: Footage, seed: int, *, speaking: bool) -> Recording | None:
    """The clip with movements of all parts of the face; None where there is no room for any."""
    # By name as well: one seed would put the same part of the face first in every clip.
    rng = np.random.default_rng([seed, int(speaking), *footage.name.encode(), *footage.person.encode()])
    planned = plan(footage, rng, speaking=speaking)
    if not planned:
        return None
    truths = [p.truth for p in planned]
    name = f"{footage.name}-{'speaking' if speaking else 'silent'}-{seed}"
    recording = tracked(name, "injected", frames(footage, rng, planned), footage.fps, truths)
    return replace(recording, person=footage.person, mouth_px=mouth_px(footage.plain))
