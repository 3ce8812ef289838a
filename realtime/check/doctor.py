"""Whether this machine is ready: versions, system libraries, cameras, GPU, engines, write access."""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mer_live.engines.bundle import load_bundle
from mer_live.engines.errors import BackendError, BundleError
from mer_live.engines.runners import BACKENDS, open_runner
from mer_live.engines.versions import versions
from mer_live.realtime.config import BUNDLES
from mer_live.realtime.face.landmarks import Landmarker, LandmarkerError
from mer_live.realtime.sources.camera import list_cameras
from mer_live.realtime.sources.config import CameraConfig, SourceError
from mer_live.realtime.sources.open import open_source

_CAMERA_S = 1.5
_NEEDED = ("numpy", "opencv-contrib-python", "mediapipe", "av", "onnxruntime")


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was tried."""

    what: str
    level: str
    """ok; note: something to know; bad: mer-live will not run."""
    text: str
    """What was found, and what to do."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def doctor() -> list[Line]:
    """Try everything that mer-live needs; takes some seconds."""
    told = ", ".join(f"{name} {version}" for name, version in versions().items())
    lost = [name for name, version in versions(_NEEDED).items() if version == "not installed"]
    lines = [Line("versions", "bad" if lost else "ok", told + ("; reinstall mer-live" if lost else ""))]
    lines.append(_face_model())
    lines += _cameras()
    lines += _engines()
    lines += [_writable(Path.cwd()), _writable(Path(tempfile.gettempdir()))]
    return lines


def _face_model() -> Line:
    try:
        Landmarker().close()
    except LandmarkerError as error:
        return Line("face model", "bad", str(error))
    return Line("face model", "ok", "loads, and so do the system libraries below it")


def _cameras() -> list[Line]:
    found = list_cameras()
    if not found:
        return [Line("camera", "note", "none found: plug one in, allow access to it, or use --video")]
    lines = []
    for info in found:
        name = f"camera {info.source}"
        try:
            with open_source(CameraConfig(source=info.source, duration_s=_CAMERA_S)) as source:
                begin, count = time.monotonic(), sum(1 for _ in source.frames())
                rate = count / max(1e-9, time.monotonic() - begin)
                ask = (
                    ""
                    if rate >= 0.85 * source.nominal_fps
                    else ": more light, a short exposure, or --fourcc MJPG"
                )
                lines.append(
                    Line(name, "note" if ask else "ok", f"{source.description}, {rate:.0f} delivered{ask}")
                )
        except SourceError as error:
            lines.append(Line(name, "note", str(error)))
    return lines


def _engines() -> list[Line]:
    lines = []
    try:
        bundle = load_bundle(BUNDLES[0])
        with open_runner(bundle) as runner:
            lines.append(Line("engine", "ok", f"auto takes {runner.backend} ({runner.why})"))
    except (BackendError, BundleError) as error:
        return [Line("engine", "bad", str(error))]
    for name in BACKENDS[1:]:
        try:
            open_runner(bundle, name).close()
            lines.append(Line(name, "ok", "opens a bundle"))
        except BackendError as error:
            lines.append(Line(name, "note", f"not here: {error}"))
    return lines


def _writable(folder: Path) -> Line:
    if os.access(folder, os.W_OK):
        return Line("writing", "ok", str(folder))
    return Line(
        "writing", "note", f"{folder} cannot be written to: give --events and --report paths elsewhere"
    )
