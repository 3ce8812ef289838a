"""Every default of the live path in one place."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LiveConfig:
    """How the live path is laid out. Sizes are fixed at start; nothing grows while it runs."""

    ring_frames: int = 64
    """Frames held between capture and worker: 0.32 s at 200 fps, 59 MB at 640x480."""
    history_frames: int = 512
    """Face crops held for spots: 2.5 s at 200 fps, 26 MB."""
    spot_queue: int = 8
    """Spots that may wait for the recogniser."""
    landmark_period_ms: int = 60
    """Time between two landmark detections; they cost 10-15 ms each, beside the path."""
    sensitivity: float = 0.5
    """0..1: higher finds more and raises more false alarms."""
    threads: int = 1
    """Threads of each engine."""

    def __post_init__(self) -> None:
        if not 0.0 <= self.sensitivity <= 1.0:
            raise ValueError(f"Sensitivity must be between 0 and 1, not {self.sensitivity}.")
        for name in ("ring_frames", "history_frames", "spot_queue", "landmark_period_ms", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}.")
