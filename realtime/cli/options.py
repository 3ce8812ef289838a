"""What the user asked ``mer-live`` for, checked before anything is opened."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from mer_live.engines.device.choice import check_device
from mer_live.engines.runners import BACKENDS
from mer_live.engines.trt.file import Precision
from mer_live.realtime.baseline import Baseline, parse_baseline
from mer_live.realtime.config import Decide, LiveConfig
from mer_live.realtime.demo.clip import demo_clip
from mer_live.realtime.outputs import check_outputs
from mer_live.realtime.session.layout import Codec, RecordConfig
from mer_live.realtime.sinks import check_events_path
from mer_live.realtime.sources.config import CameraConfig


@dataclass(frozen=True, slots=True)
class Options:
    """What the user asked for, checked."""

    source: CameraConfig
    demo: bool
    bundles: tuple[str, ...]
    backend: str
    live: LiveConfig
    events: tuple[str, ...]
    report: Path | None
    ui: bool
    record: RecordConfig | None
    lsl: str | None
    lsl_markers: str | None
    view: bool
    baseline: float | Baseline | None
    """Seconds of rest at the start, or what was learned of this person before."""
    given: dict[str, Any]
    """The command's options as they were given, for whoever repeats the run."""
    others: tuple[CameraConfig, ...] = ()
    """Further sources, analysed beside the first."""

    @property
    def sources(self) -> tuple[CameraConfig, ...]:
        """All of them."""
        return (self.source, *self.others)

    @classmethod
    def checked(
        cls,
        *,
        camera: Sequence[str],
        video: Sequence[str],
        demo: bool,
        fps: float | None,
        size: str | None,
        fourcc: str | None,
        exposure: str | None = None,
        gain: float | None = None,
        focus: str | None = None,
        pace: str | None,
        bundles: tuple[str, ...],
        backend: str,
        sensitivity: float,
        decide: str,
        faces: int = 1,
        macro: bool = False,
        events: tuple[str, ...],
        report: Path | None,
        ui: bool,
        duration_s: float | None,
        record: Path | None = None,
        record_codec: str | None = None,
        record_blurred: bool = False,
        lsl: str | None = None,
        lsl_markers: str | None = None,
        view: bool = False,
        baseline: str | None = None,
        device: str = "auto",
        precision: str = "fp32",
        given: dict[str, Any] | None = None,
    ) -> Options:
        """Check everything that needs no device. Raises ValueError with one sentence."""
        if bool(camera) + bool(video) + demo != 1:
            raise ValueError(
                "Give one of --camera, --video and --demo, the first two as often as you like (mer-live --help)."
            )
        if backend not in BACKENDS:
            raise ValueError(f"--backend is one of {', '.join(BACKENDS)}, not {backend!r}.")
        check_device(device, backend)
        if pace not in (None, "max", "realtime"):
            raise ValueError(f"--pace is max or realtime, not {pace!r}.")
        if not camera and any(one is not None for one in (size, fourcc, exposure, gain, focus)):
            raise ValueError(
                "--size, --fourcc, --exposure, --gain and --focus are requests to a camera; use them with --camera."
            )
        if camera and pace is not None:
            raise ValueError("--pace is for files; a camera has its own pace.")
        if duration_s is not None and not 0 < duration_s < math.inf:
            raise ValueError(f"--duration must be above 0, not {duration_s}.")
        if lsl not in (None, "machine", "network"):
            raise ValueError(f"--lsl is machine or network, not {lsl!r}.")
        if view and not camera and pace != "realtime":
            raise ValueError("--view shows what happens now: use it with --camera or --pace realtime.")
        if (lsl or lsl_markers) and not camera and pace != "realtime":
            raise ValueError(
                "--lsl and --lsl-markers are about times of now: use them with --camera or --pace realtime."
            )
        for path in events:
            check_events_path(path)
        if report is not None and not report.absolute().parent.is_dir():
            raise ValueError(f"The folder of {str(report)!r} does not exist; create it first.")
        if record is None and (record_codec is not None or record_blurred):
            raise ValueError(
                "--record-codec and --record-blurred are about a recording: give --record DIR too."
            )
        if record is not None and faces > 1:
            raise ValueError(
                "A session is of one face: record without --faces, then give its video.mkv with it."
            )
        session = (
            None
            if record is None
            else RecordConfig(record, cast(Codec, record_codec or "ffv1"), record_blurred)
        )
        where: list[int | str] = [str(demo_clip())] if demo else list(video)
        if camera:
            where = [int(one) if one.isdigit() else one for one in camera]
        if len(where) > 1 and (record or lsl or lsl_markers or view or baseline):
            raise ValueError(
                "--record, --view, --baseline, --lsl and --lsl-markers take one source: run each camera on its own."
            )
        if not all(str(one).strip() for one in where):
            raise ValueError("--video and --camera take a name, not nothing.")
        if twice := next((one for one in where if where.count(one) > 1), None):
            raise ValueError(f"The source {twice!r} is given twice.")
        for one in where:
            check_outputs(events, report, one)
        first, *others = (
            CameraConfig(
                source=one,
                fps=fps,
                size=_parse_size(size),
                fourcc=_parse_fourcc(fourcc),
                exposure_ms=_parse_or_auto("--exposure", exposure, "milliseconds"),
                gain=gain,
                focus=_parse_or_auto("--focus", focus, "a number"),
                pace="realtime" if pace == "realtime" else "max",
                duration_s=duration_s,
            )
            for one in where
        )
        live = LiveConfig(
            sensitivity=sensitivity,
            faces=faces,
            macro=macro,
            decide=cast(Decide, decide),
            device=device,
            precision=cast(Precision, precision),
        )
        rest = None if baseline is None else parse_baseline(baseline)
        given = dict(given or {})
        if isinstance(rest, Baseline):  # the file may be gone when the run is repeated
            given["baseline"] = rest.to_json()
        return cls(
            *(first, demo, bundles, backend, live, events, report, ui, session),
            *(lsl, lsl_markers, view, rest, given, tuple(others)),
        )


def source_name(config: CameraConfig) -> str:
    """What events call a source where a run has several."""
    return f"camera {config.source}" if isinstance(config.source, int) else str(config.source)


def _parse_size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d{2,5})[xX](\d{2,5})", text)
    if not found:
        raise ValueError(f"--size is WIDTHxHEIGHT, such as 640x480, not {text!r}.")
    return int(found[1]), int(found[2])


def _parse_or_auto(option: str, text: str | None, what: str) -> float | Literal["auto"] | None:
    if text is None or text == "auto":
        return cast(Literal["auto"], text) if text else None
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{option} is auto or {what}, not {text!r}.") from None


def _parse_fourcc(text: str | None) -> str | None:
    if text is not None and (len(text) != 4 or not text.isascii()):
        raise ValueError(f"--fourcc is four characters, such as MJPG, not {text!r}.")
    return text
