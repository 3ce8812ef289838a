"""A face at rest, as declared: how much it moves then, how often it blinks, how even its sides are."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.measured.speaking import SpeakingTime
from mer_live.realtime.motion.regions import MIRROR, REGIONS, region
from mer_live.realtime.path import Step
from mer_live.realtime.sources.config import SourceError
from mer_live.realtime.spotter.config import SpotterConfig
from mer_live.realtime.spotter.spotter import Spotter

LEAST_S, MOST_S = 5.0, 600.0
_LAG_NS = 160_000_000
"""Over which movements are measured: about the time in which a micro-expression rises."""
_BLINK = 1.6
"""Change of the lids, in units of the face's median, that is a blink."""
_AROUND_NS = 350_000_000
"""Before and after a blink, where the face is not at rest."""
_QUANTILE = 0.95
_RESTLESS_PX = 1.0
_LEAST_USABLE = 0.9
_MOST_SPEECH_S = 0.5
_FEW = 50


class BaselineError(SourceError):
    """What was declared to be rest is none; the message says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """One person at rest."""

    seconds: float
    """How long it was."""
    noise_px: Mapping[str, float]
    """By region: root mean square of its movement over 160 ms between blinks, px of the 224 px crop."""
    smallest_px: float
    """What the region that moved most moved over 160 ms in all but 5 % of the time."""
    blinks_per_min: float
    asymmetry: float
    """Mean over pairs of regions of log(noise of the right one / noise of the left one): 0 is even."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "seconds": self.seconds,
            "noise_px": dict(self.noise_px),
            "smallest_px": self.smallest_px,
            "blinks_per_min": self.blinks_per_min,
            "asymmetry": self.asymmetry,
        }

    def apply(self, spotter: Spotter) -> None:
        """What this face moves at rest is nothing to the spotter; never less than it takes for nothing in any face."""
        floor_px = max(SpotterConfig().smallest_px, self.smallest_px)
        spotter.config = replace(spotter.config, smallest_px=floor_px)

    @property
    def words(self) -> str:
        """One line for people."""
        return (
            f"baseline of {self.seconds:.0f} s: movements below {self.smallest_px:.2f} px are rest, "
            f"{self.blinks_per_min:.0f} blinks a minute"
        )


def baseline_of(content: Mapping[str, Any]) -> Baseline:
    """From plain values. Raises ValueError where they are none of a baseline's."""
    try:
        noise = {str(name): float(px) for name, px in content["noise_px"].items()}
        numbers = {
            name: float(content[name]) for name in ("seconds", "smallest_px", "blinks_per_min", "asymmetry")
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"no baseline ({error})") from error
    if not (
        np.isfinite([*numbers.values(), *noise.values()]).all()
        and 0 <= numbers["smallest_px"] <= _RESTLESS_PX
    ):
        raise ValueError("no baseline (numbers that cannot be)")
    return Baseline(noise_px=noise, **numbers)


def parse_baseline(text: str) -> float | Baseline:
    """``--baseline``: seconds of rest at the start, or a report or session.json of a run that learned one.

    Raises ValueError, one sentence.
    """
    try:
        seconds = float(text)
    except ValueError:
        return _read(Path(text))
    if not LEAST_S <= seconds <= MOST_S:
        raise ValueError(f"--baseline takes {LEAST_S:g} to {MOST_S:g} seconds of rest, not {text}.")
    return seconds


def _read(path: Path) -> Baseline:
    try:
        return baseline_of(json.loads(path.read_text(encoding="utf-8"))["baseline"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"--baseline {path} holds no baseline ({error}): give the report or session.json of a run with "
            "--baseline SECONDS."
        ) from error


class BaselineMeter:
    """Takes the steps of the first seconds of a face that rests; pure, time comes with the frames."""

    def __init__(self, seconds: float) -> None:
        self.learned: Baseline | None = None
        """There once the time is over."""
        self._seconds = seconds
        self._first_ns: int | None = None
        self._frames = self._usable = self._anchor = 0
        self._spoke = SpeakingTime()
        self._held: deque[tuple[int, NDArray[np.float32]]] = deque()
        self._moves: list[tuple[int, NDArray[np.float32]]] = []
        self._blinks_ns: list[int] = []
        self._shut = False

    def add(self, t_ns: int, step: Step) -> Baseline | None:
        """Take one frame; the baseline with the frame that completes it.

        Raises BaselineError: no face for more than a tenth of the time, speech, or a face that does not rest.
        """
        if self.learned is not None:
            return None
        if self._first_ns is None:
            self._first_ns = t_ns
        self._spoke.add(step.speaking)
        self._frames += 1
        motion = step.motion
        self._usable += motion is not None
        if motion is not None and not motion.repeated:
            if motion.anchor != self._anchor:  # displacements before and after are of two references
                self._anchor = motion.anchor
                self._held.clear()
            self._held.append((t_ns, motion.regions))
            while len(self._held) > 1 and self._held[1][0] <= t_ns - _LAG_NS:
                self._held.popleft()
            then_ns, then = self._held[0]
            if then_ns <= t_ns - _LAG_NS:
                self._moves.append((t_ns, np.hypot(*(motion.regions - then).T)))
            lid = float(motion.texture[region("lid")].max()) / max(0.5, float(np.median(motion.texture)))
            if lid > _BLINK and not self._shut:
                self._blinks_ns.append(t_ns)
            self._shut = lid > _BLINK
        if t_ns - self._first_ns < self._seconds * 1e9:
            return None
        self.learned = self._judge(t_ns)
        return self.learned

    def _judge(self, now_ns: int) -> Baseline:
        if self._usable < _LEAST_USABLE * self._frames:
            raise BaselineError(
                f"the baseline was refused: a face could be seen in {self._usable / self._frames:.0%} of it; "
                "sit in front of the camera and begin again"
            )
        if (spoke_s := self._spoke.total_ns(now_ns) / 1e9) > _MOST_SPEECH_S:
            raise BaselineError(
                f"the baseline was refused: the face spoke for {spoke_s:.1f} s of it; say nothing and begin again"
            )
        blinks = np.array(self._blinks_ns, np.int64)
        moves = np.array(
            [px for t_ns, px in self._moves if not (np.abs(blinks - t_ns) < _AROUND_NS).any()], np.float64
        ).reshape(-1, len(REGIONS))  # (T, R)
        if len(moves) < _FEW:
            raise BaselineError("the baseline was refused: between blinks too little was seen; begin again")
        smallest_px = float(np.quantile(moves.max(1), _QUANTILE))
        if smallest_px > _RESTLESS_PX:
            raise BaselineError(
                f"the baseline was refused: the face moved by {smallest_px:.1f} px; rest, add light, and begin again"
            )
        noise = np.sqrt(np.square(moves).mean(0)) + 1e-6  # (R,)
        right = [k for k, name in enumerate(REGIONS) if name.endswith("right")]
        log_ratio = np.log(noise[right] / noise[[MIRROR[k] for k in right]])
        return Baseline(
            seconds=self._seconds,
            noise_px={name: round(float(px), 4) for name, px in zip(REGIONS, noise, strict=True)},
            smallest_px=round(smallest_px, 4),
            blinks_per_min=round(len(blinks) * 60 / self._seconds, 2),
            asymmetry=round(float(log_ratio.mean()), 4),
        )
