"""What the input is like while it is analysed: rate, light, compression, sharpness, and how much a face could be seen.

`mer-live --check` and every report tell these figures, from this one state machine.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from mer_live.realtime.types import FaceCrop

_HELD = 4096
_SHARP_EVERY = 16
_MOST_PEOPLE = 16
_DARK = 16.0
_FEW = 64
_FLICKER_FROM_HZ = 3.0
_LEAST_LEVELS = 0.2
_PEAK = 20.0
_PULSE_FROM = 5
_LEAST_PULSE = 2.0
_AROUND = 3
_PULSES = 2048
"""Newest changes that are searched for a period: seven of the usual 250 frames."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The input so far; None where too little was seen to tell."""

    frames: int
    fps: float | None
    """From the median time between frames."""
    jitter_ms: float | None
    """95 % of the times between frames lie within this of the median."""
    usable: float
    """Share of frames, 0..1, with a face that could be analysed."""
    people: dict[int, float]
    """Person -> share of frames, 0..1, in which that one could be analysed; the 16 who were seen most."""
    unusable: dict[str, int]
    """Why the other frames could not: reason -> frames."""
    face_px: float | None
    """Median width of the face, ear to ear."""
    roll_deg: float | None
    """Median roll of the head: about 90 of a recording that lies on its side."""
    repeated: float
    """Share of frames whose face is the frame before's, bit for bit."""
    brightness: float | None
    """Median gray of the face, 0..255."""
    flicker_hz: float | None
    flicker_levels: float | None
    """Strongest regular change of the light and its amplitude in gray levels; None where there is none."""
    pulse_s: float | None
    pulse_ratio: float | None
    """Period at which the picture is renewed, as at key frames, and how many times the usual change that is."""
    sharpness: float | None
    """Median standard deviation of the Laplacian of the crop, gray levels: about 3 is soft, 10 is crisp."""

    def to_json(self) -> dict[str, Any]:
        """Plain values, rounded."""
        plain = {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}
        people = [{"id": person, "usable": round(share, 4)} for person, share in self.people.items()]
        return {**plain, "people": people}


class InputMeter:
    """Takes every frame that was analysed, in order; memory is bounded, and a frame costs some ten microseconds."""

    def __init__(self) -> None:
        self._frames = self._ok = self._same = 0
        self._unusable: Counter[str] = Counter()
        self._last_ns: int | None = None
        self._gaps_ns: deque[int] = deque(maxlen=_HELD)
        self._light: deque[float] = deque(maxlen=_HELD)
        self._change: deque[float] = deque(maxlen=_PULSES)
        self._sharp: deque[float] = deque(maxlen=_HELD // _SHARP_EVERY)
        self._width_px: deque[float] = deque(maxlen=_HELD // _SHARP_EVERY)
        self._roll_deg: deque[float] = deque(maxlen=_HELD // _SHARP_EVERY)
        self._before: NDArray[np.uint8] | None = None
        self._anchor = 0, -1
        self._people: Counter[int] = Counter()
        self._figures: Figures | None = None

    @property
    def frames(self) -> int:
        """Frames so far."""
        return self._frames

    @property
    def people(self) -> dict[int, float]:
        """Share of frames so far, 0..1, in which each person could be analysed; the 16 who were seen most."""
        return {person: frames / self._frames for person, frames in sorted(self._people.copy().items())}

    @property
    def usable(self) -> float:
        """Share of frames so far, 0..1, with a face that could be analysed."""
        return self._ok / self._frames if self._frames else 0.0

    def add(self, image: NDArray[np.uint8], t_ns: int, crops: Sequence[FaceCrop | None], why: str) -> None:
        """Take one frame.

        Args:
            image: (H, W, 3) uint8 BGR, read, not kept.
            t_ns: Its time.
            crops: What was cut from it for each face that is followed; None where that could not be analysed.
                Light, sharpness and the like are those of the first that could.
            why: The reason where none could, in two or three words.
        """
        crop = next((one for one in crops if one is not None), None)
        self._frames += 1
        if self._last_ns is not None:
            self._gaps_ns.append(t_ns - self._last_ns)
        self._last_ns = t_ns
        if crop is None:
            step = max(1, image.shape[1] // 32)
            dark = float(image[::step, ::step].mean()) < _DARK
            self._unusable["the picture is dark" if dark else why] += 1
            self._before = None
            return
        gray = crop.gray[len(crop.gray) // 4 : -len(crop.gray) // 4]  # its middle half, from brows to mouth
        if self._before is not None and (crop.person, crop.anchor) == self._anchor:
            change = cv2.norm(gray, self._before, cv2.NORM_L1) / gray.size
            self._same += change == 0
            self._change.append(change)
            np.copyto(self._before, gray)
        else:
            self._before = gray.copy()
            self._anchor = crop.person, crop.anchor
        for one in crops:
            if one is not None:
                self._people[one.person] += 1
        if len(self._people) > _MOST_PEOPLE:
            del self._people[min(list(self._people)[:-1], key=lambda person: self._people[person])]
        self._light.append(cv2.mean(gray)[0])
        if self._ok % _SHARP_EVERY == 0:
            self._sharp.append(float(cv2.meanStdDev(cv2.Laplacian(crop.gray, cv2.CV_16S))[1][0, 0]))
            (a, b), (c, d) = crop.warp[:, :2]
            # The crop is the face and a margin of 5 % on each side.
            self._width_px.append(len(crop.gray) / 1.1 / max(1e-6, abs(float(a * d - b * c)) ** 0.5))
            self._roll_deg.append(float(np.degrees(np.arctan2(b, a))))
        self._ok += 1

    def figures(self) -> Figures:
        """Everything so far; takes some ten milliseconds, once for every state."""
        if self._figures is not None and self._figures.frames == self._frames:
            return self._figures
        gap_ns = float(np.median(self._gaps_ns)) if self._gaps_ns else 0.0
        fps = 1e9 / gap_ns if gap_ns > 0 else None
        jitter = np.quantile(np.abs(np.subtract(self._gaps_ns, gap_ns)), 0.95) / 1e6 if fps else None
        flicker_hz, levels = _flicker(np.array(self._light), fps) if fps else (None, None)
        pulse_s, ratio = _pulse(np.array(self._change), fps) if fps else (None, None)
        self._figures = Figures(
            frames=self._frames,
            fps=fps,
            jitter_ms=None if jitter is None else float(jitter),
            usable=self.usable,
            people=self.people,
            unusable=dict(self._unusable.most_common()),
            face_px=_median(self._width_px),
            roll_deg=_median(self._roll_deg),
            repeated=self._same / self._ok if self._ok else 0.0,
            brightness=_median(self._light),
            flicker_hz=flicker_hz,
            flicker_levels=levels,
            pulse_s=pulse_s,
            pulse_ratio=ratio,
            sharpness=_median(self._sharp),
        )
        return self._figures


def _median(values: deque[float]) -> float | None:
    return float(np.median(values)) if values else None


def _flicker(light: NDArray[np.float64], fps: float) -> tuple[float | None, float | None]:
    """Frequency (Hz) and amplitude (gray levels) of a regular change of light; a peak far above what is usual."""
    if len(light) < _FEW:
        return None, None
    window = np.hanning(len(light))
    line = np.polynomial.Polynomial.fit(np.arange(len(light)), light, 3)(np.arange(len(light)))
    power = np.abs(np.fft.rfft((light - line) * window)) * 2 / window.sum()
    hz = np.fft.rfftfreq(len(light), 1 / fps)
    seen = hz >= _FLICKER_FROM_HZ
    if not seen.any():
        return None, None
    peak = int(np.argmax(np.where(seen, power, 0)))
    if power[peak] < _LEAST_LEVELS or power[peak] < _PEAK * np.median(power[seen]):
        return None, None
    return float(hz[peak]), float(power[peak])


def _pulse(change: NDArray[np.float64], fps: float) -> tuple[float | None, float | None]:
    """Period (s) at which the change from frame to frame is regularly large, and how many times its mean.

    A movement is large over many frames, a renewed picture over one or two: what neighbours share is taken away.
    """
    usual = float(change.mean()) if len(change) >= _FEW else 0.0
    if usual <= 0:
        return None, None
    around = sliding_window_view(np.pad(change, _AROUND, mode="edge"), 2 * _AROUND + 1)
    sudden = np.clip(change - np.median(around, axis=1), 0, None)
    ratio = np.zeros(len(change) // 3 + 1)
    for period in range(_PULSE_FROM, len(ratio)):
        rows = len(change) // period
        # (rows, period): what comes at every turn, or nearly, and not once.
        turns = np.sort(sudden[: rows * period].reshape(rows, period), axis=0)[rows // 4]
        ratio[period] = turns.max() / usual
    found = int(np.argmax(ratio >= 0.5 * ratio.max()))  # a multiple of the period may be as good
    return (found / fps, float(ratio[found])) if ratio[found] > _LEAST_PULSE else (None, None)
