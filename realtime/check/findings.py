"""What the figures of an input mean for finding micro-expressions, in sentences that say what to do."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from mer_live.realtime.face.followed import MIN_FACE_PX, WHY
from mer_live.realtime.measured.figures import Figures

Level = Literal["fit", "warning", "unfit"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about the input, for people."""

    level: Level
    text: str
    summary: bool = False
    """It also stands at the end of a run."""

    def __str__(self) -> str:
        """The sentence, marked unless all is well."""
        return self.text if self.level == "fit" else f"{self.level}: {self.text}"


def assess(f: Figures, places: tuple[int, int] | None = None) -> list[Finding]:
    """What the figures mean for finding micro-expressions, and what to do; the worst level decides.

    ``places`` tells of the rest of a recording: at how many of so many places a face can be analysed.
    """
    seen = _seen(f)
    found = [_rate(f), seen]
    if places is not None and places[1]:
        usable, looked = places
        level = _level(usable / looked)
        if seen.level == "unfit" and level != "unfit":  # it begins before anybody is in the picture
            found[1] = replace(seen, level="warning")
        found.append(
            Finding(level, f"a face can be analysed at {usable} of {looked} places of the whole file")
        )
    if f.jitter_ms is not None and f.fps is not None and f.jitter_ms > 500 / f.fps:
        found.append(
            Finding(
                "warning",
                f"frames come {f.jitter_ms:.1f} ms early or late: times are kept, courses get rough",
            )
        )
    if f.roll_deg is not None and abs(f.roll_deg) > 45:
        how = "upside down" if abs(f.roll_deg) > 135 else "on its side"
        found.append(
            Finding("warning", f"the picture lies {how} ({f.roll_deg:.0f} deg): it was read upright", True)
        )
    if f.face_px is not None:
        small = f.face_px < 120
        text = f"the face is {f.face_px:.0f} px wide" + (
            ": come nearer, 150 px show smaller movements" if small else ""
        )
        found.append(Finding("warning" if small else "fit", text))
    if f.sharpness is not None and f.sharpness < 2.5:
        found.append(
            Finding(
                "warning", f"the face is soft (sharpness {f.sharpness:.1f}, crisp is 8): focus, add light"
            )
        )
    if f.brightness is not None and not 50 <= f.brightness <= 225:
        found.append(
            Finding(
                "warning", f"the face is at {f.brightness:.0f} of 255 gray levels: change light or exposure"
            )
        )
    if f.flicker_hz is not None and f.flicker_levels is not None:
        bad = f.flicker_levels > 0.5
        advice = ": use daylight or lamps on direct current" if bad else ""
        text = f"the light changes {f.flicker_levels:.1f} gray levels at {f.flicker_hz:.1f} Hz{advice}"
        found.append(Finding("warning" if bad else "fit", text))
    if f.pulse_s is not None and f.pulse_ratio is not None:
        bad = f.pulse_ratio > 15
        advice = ": record with a higher quality" if bad else ""
        text = f"compression renews the picture every {f.pulse_s:.2f} s, by {f.pulse_ratio:.0f} times the usual change"
        found.append(Finding("warning" if bad else "fit", text + advice))
    if f.repeated > 0.95:
        text = (
            f"the picture stands still in {f.repeated:.0%} of the frames: see whether the camera had stopped"
        )
        found.append(Finding("unfit", text, summary=True))
    elif f.repeated > 0.2:
        text = f"{f.repeated:.0%} of the pictures repeat the one before: "
        found.append(
            Finding("warning", text + "the true rate is lower, or compression left small changes out")
        )
    return found


def worst(found: list[Finding]) -> Level:
    """The level of the whole."""
    levels = {one.level for one in found}
    return "unfit" if "unfit" in levels else "warning" if "warning" in levels else "fit"


def _rate(f: Figures) -> Finding:
    if f.fps is None:
        return Finding("unfit", "no two frames could be read", summary=True)
    rise = 0.06 * f.fps
    text = f"{f.fps:.1f} fps: onsets of 60 ms are {rise:.1f} frames"
    if f.fps < 20:
        return Finding("unfit", text + ", too few to see them: 60 fps or more are wanted", summary=True)
    return (
        Finding("warning", text + ": 100 fps or more show their course")
        if f.fps < 60
        else Finding("fit", text)
    )


def _seen(f: Figures) -> Finding:
    why = ", ".join(f"{reason} ({frames:,})" for reason, frames in f.unusable.items())
    text = f"a face could be analysed in {f.usable:.0%} of {f.frames:,} frames" + (
        f"; else: {why}" if why else ""
    )
    level = _level(f.usable)
    if level != "fit" and WHY["none"] in f.unusable:
        text += f"; one of {MIN_FACE_PX:g} px and more would be, ear to ear"
    return Finding(level, text, summary=level != "fit")


def _level(usable: float) -> Level:
    """Of a share of frames with a face."""
    return "unfit" if usable < 0.1 else "warning" if usable < 0.5 else "fit"
