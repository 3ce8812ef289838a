"""What runs live: camera frames in, micro-expression events out.

    from mer_live.realtime import watch

    with watch(0, fps=120) as session:
        for event in session:
            print(event.label, event.span.apex.t_ns)

Names are loaded when they are first used: importing this package imports neither OpenCV nor mediapipe nor torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mer_live.engines.bundle import load_bundle
    from mer_live.engines.representation.clip import Clip
    from mer_live.realtime.api import Session, watch
    from mer_live.realtime.config import LiveConfig
    from mer_live.realtime.path import FacePath, Spotted, Step
    from mer_live.realtime.pipeline import Pipeline
    from mer_live.realtime.recognition.recognizer import Recognition, Recognizer
    from mer_live.realtime.sources.base import FrameSource
    from mer_live.realtime.sources.config import CameraConfig, SourceError
    from mer_live.realtime.sources.open import open_source
    from mer_live.realtime.types import CLASSES, Event, FaceCrop, Frame, Moment, Motion, Span, Spot

_WHERE = {
    "load_bundle": "engines.bundle",
    "Clip": "engines.representation.clip",
    "Session": "realtime.api",
    "watch": "realtime.api",
    "LiveConfig": "realtime.config",
    "FacePath": "realtime.path",
    "Spotted": "realtime.path",
    "Step": "realtime.path",
    "Pipeline": "realtime.pipeline",
    "Recognition": "realtime.recognition.recognizer",
    "Recognizer": "realtime.recognition.recognizer",
    "CameraConfig": "realtime.sources.config",
    "FrameSource": "realtime.sources.base",
    "SourceError": "realtime.sources.config",
    "open_source": "realtime.sources.open",
    "CLASSES": "realtime.types",
    "Event": "realtime.types",
    "FaceCrop": "realtime.types",
    "Frame": "realtime.types",
    "Moment": "realtime.types",
    "Motion": "realtime.types",
    "Span": "realtime.types",
    "Spot": "realtime.types",
}

__all__ = [
    "CLASSES",
    "CameraConfig",
    "Clip",
    "Event",
    "FaceCrop",
    "FacePath",
    "Frame",
    "FrameSource",
    "LiveConfig",
    "Moment",
    "Motion",
    "Pipeline",
    "Recognition",
    "Recognizer",
    "Session",
    "SourceError",
    "Span",
    "Spot",
    "Spotted",
    "Step",
    "__version__",
    "load_bundle",
    "open_source",
    "watch",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # takes longer than all else here

        return version("mer-live")
    if name in _WHERE:
        return getattr(import_module(f"mer_live.{_WHERE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
