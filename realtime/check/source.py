"""A few seconds of a source: what would be analysed, and what that means for finding micro-expressions."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import Any

from mer_live.realtime.check.findings import Finding, assess, worst
from mer_live.realtime.face.finder import FaceFinder
from mer_live.realtime.face.followed import WHY
from mer_live.realtime.face.tracker import FaceTracker
from mer_live.realtime.measured.figures import Figures, InputMeter
from mer_live.realtime.sources.config import CameraConfig, SourceError
from mer_live.realtime.sources.open import open_source

STREAM_S = 6.0
"""Of the stream that is looked at."""
_WALL_S, _FEWEST = 8.0, 200
"""Looking takes no longer than this, once so many frames were seen."""
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
    """Read the first seconds of a source as the live path does, without recognition.

    Raises:
        SourceError: It cannot be opened.
        LandmarkerError: The face model cannot run.
    """
    meter = InputMeter()
    problems: list[Finding] = []
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
                problems.append(Finding("warning", str(error)))
        if source.hint:
            problems.append(Finding("warning", source.hint))
        figures = meter.figures()
        findings = (*assess(figures), *problems)
        return Checked(source.description, source.facts, figures, findings, EXITS[worst(list(findings))])
