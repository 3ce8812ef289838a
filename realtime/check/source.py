"""A few seconds of a source: what would be analysed, and what that means for finding micro-expressions."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from typing import Any

from mer_live.realtime.check.findings import Finding, assess, worst
from mer_live.realtime.face.finder import FaceFinder
from mer_live.realtime.face.followed import WHY
from mer_live.realtime.face.tracker import FaceTracker
from mer_live.realtime.measured.figures import Figures, InputMeter
from mer_live.realtime.sources.config import CameraConfig, SourceError
from mer_live.realtime.sources.open import open_source
from mer_live.realtime.sources.scan import Scan
from mer_live.realtime.sources.video import FileSource
from mer_live.realtime.types import Frame

STREAM_S = 8.0
"""Of the stream that is looked at: three key frames where they come every two seconds."""
_WALL_S, _FEWEST = 8.0, 200
"""Looking takes no longer than this, once so many frames were seen."""
_PLACES, _PLACES_S = 12, 4.0
"""Of a longer file that are looked into for a face, and for how long."""
EXITS = {"fit": 0, "warning": 1, "unfit": 3}


@dataclass(frozen=True, slots=True)
class Checked:
    """What was found about a source."""

    description: str
    facts: dict[str, Any]
    """Of the source: its stream, start, stamps mended, pictures left out."""
    figures: Figures
    findings: tuple[Finding, ...]
    exit: int
    """0 fit, 1 usable with warnings, 3 not usable."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "source": self.description,
            "verdict": next(level for level, code in EXITS.items() if code == self.exit),
            "findings": [{"level": found.level, "text": found.text} for found in self.findings],
            "input": {**self.facts, **self.figures.to_json()},
        }


def check_source(cfg: CameraConfig) -> Checked:
    """Read the first seconds of a source as the live path does, without recognition, and look through all of a file.

    Raises:
        SourceError: It cannot be opened.
        LandmarkerError: The face model cannot run.
    """
    meter = InputMeter()
    problems: list[str | None] = []
    with open_source(replace(cfg, duration_s=min(STREAM_S, cfg.duration_s or STREAM_S))) as source:
        with FaceTracker(FaceFinder(deterministic=source.recorded)) as tracker:
            begin = time.monotonic()
            try:
                for frame in source.frames():
                    crop = tracker.crop(frame)
                    meter.add(frame.image, frame.t_ns, [crop], WHY[tracker.status])
                    enough = meter.frames >= _FEWEST and time.monotonic() - begin > _WALL_S
                    if enough:
                        break
            except SourceError as error:
                problems.append(str(error))
        figures, facts = meter.figures(), source.facts
        whole = source.scan() if isinstance(source, FileSource) else None
        if not isinstance(source, FileSource) or whole is None:
            found = assess(figures)
            problems.append(source.hint)
            if source.missing:
                lost = f"{source.missing:,} of {source.missing + figures.frames:,} frames are missing"
                problems.append(f"{lost}: what happens there is not seen")
        else:
            longer = whole.frames > 1.1 * figures.frames
            # Where the clock leaps, no place can be found by its time.
            places = _places(source) if longer and whole.mended.steady else None
            facts |= {
                "stamps_mended": asdict(whole.mended),
                "sizes": whole.sizes,
                "looked_through": whole.share,
            }
            facts |= {"places": places}
            found = [_looked_at(figures, whole), *assess(figures, places)]
            problems += whole.words
        findings = (*found, *(Finding("warning", problem) for problem in problems if problem))
        return Checked(source.description, facts, figures, findings, EXITS[worst(list(findings))])


def _places(source: FileSource) -> tuple[int, int]:
    """At how many places of the file a face can be analysed, and how many were looked at."""
    usable = looked = 0
    begin = time.monotonic()
    with FaceTracker(FaceFinder(deterministic=True)) as tracker:
        for image in source.glimpses(_PLACES - 1):
            # Each in a stretch of its own: what was seen elsewhere tells nothing of it.
            usable += tracker.crop(Frame(looked, looked * 1_000_000_000, image, looked)) is not None
            looked += 1
            if time.monotonic() - begin > _PLACES_S:
                break
    return usable, looked


def _looked_at(figures: Figures, whole: Scan) -> Finding:
    """What the sentences are about."""
    part = "all of it" if whole.share == 1 else f"its first {whole.share:.0%}"
    return Finding(
        "fit", f"looked at: the first {figures.frames:,} frames; of the file's stamps and sizes, {part}"
    )
