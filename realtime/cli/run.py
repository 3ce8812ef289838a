"""One run of ``mer-live``: from checked options to complete outputs."""

from __future__ import annotations

import math
import re
import signal
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from rich.console import Console

from mer_live.engines.bundle import load_bundle
from mer_live.engines.device.choice import check_device
from mer_live.engines.runners import BACKENDS
from mer_live.engines.trt.file import Precision
from mer_live.realtime.check.findings import judge
from mer_live.realtime.commands import ENDINGS
from mer_live.realtime.config import Decide, LiveConfig
from mer_live.realtime.demo.clip import demo_clip, demo_table, demo_truth
from mer_live.realtime.face.landmarks import preload
from mer_live.realtime.motion.regions import REGIONS
from mer_live.realtime.outputs import check_outputs, write_report
from mer_live.realtime.path import Step
from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.process import settle_process
from mer_live.realtime.recognition.recognizer import open_recognizer
from mer_live.realtime.recording import begin, end, open_recorder
from mer_live.realtime.report import build_report
from mer_live.realtime.session.layout import Codec, RecordConfig
from mer_live.realtime.sinks import Sink, check_events_path, open_sink
from mer_live.realtime.sinks.lsl import LslSink
from mer_live.realtime.sinks.terminal import TerminalSink
from mer_live.realtime.sources.camera import list_cameras
from mer_live.realtime.sources.config import CameraConfig
from mer_live.realtime.sources.open import open_source
from mer_live.realtime.types import Frame

_REFRESH_S = 0.125
_USUAL_FPS = 30.0
"""Of a camera that was asked for no rate."""


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
    given: dict[str, Any]
    """The command's options as they were given, for whoever repeats the run."""

    @classmethod
    def checked(
        cls,
        *,
        camera: str | None,
        video: str | None,
        demo: bool,
        fps: float | None,
        size: str | None,
        fourcc: str | None,
        pace: str | None,
        bundles: tuple[str, ...],
        backend: str,
        sensitivity: float,
        decide: str,
        events: tuple[str, ...],
        report: Path | None,
        ui: bool,
        duration_s: float | None,
        record: Path | None = None,
        record_codec: str | None = None,
        record_blurred: bool = False,
        lsl: str | None = None,
        device: str = "auto",
        precision: str = "fp32",
        given: dict[str, Any] | None = None,
    ) -> Options:
        """Check everything that needs no device. Raises ValueError with one sentence."""
        if (camera is not None) + (video is not None) + demo != 1:
            raise ValueError("Give exactly one of --camera, --video and --demo (see mer-live --help).")
        if backend not in BACKENDS:
            raise ValueError(f"--backend is one of {', '.join(BACKENDS)}, not {backend!r}.")
        check_device(device, backend)
        if pace not in (None, "max", "realtime"):
            raise ValueError(f"--pace is max or realtime, not {pace!r}.")
        if camera is None and (size or fourcc):
            raise ValueError("--size and --fourcc are requests to a camera; use them with --camera.")
        if camera is not None and pace is not None:
            raise ValueError("--pace is for files; a camera has its own pace.")
        if duration_s is not None and not 0 < duration_s < math.inf:
            raise ValueError(f"--duration must be above 0, not {duration_s}.")
        if lsl not in (None, "machine", "network"):
            raise ValueError(f"--lsl is machine or network, not {lsl!r}.")
        if lsl and camera is None and pace != "realtime":
            raise ValueError("--lsl sends times of now: use it with --camera or --pace realtime.")
        for path in events:
            check_events_path(path)
        if report is not None and not report.absolute().parent.is_dir():
            raise ValueError(f"The folder of {str(report)!r} does not exist; create it first.")
        if record is None and (record_codec is not None or record_blurred):
            raise ValueError(
                "--record-codec and --record-blurred are about a recording: give --record DIR too."
            )
        session = (
            None
            if record is None
            else RecordConfig(record, cast(Codec, record_codec or "ffv1"), record_blurred)
        )
        where: int | str = str(demo_clip()) if demo else (video or "")
        if camera is not None:
            where = int(camera) if camera.isdigit() else camera
        check_outputs(events, report, where)
        config = CameraConfig(
            source=where,
            fps=fps,
            size=_parse_size(size),
            fourcc=_parse_fourcc(fourcc),
            pace="realtime" if pace == "realtime" else "max",
            duration_s=duration_s,
        )
        live = LiveConfig(
            sensitivity=sensitivity,
            decide=cast(Decide, decide),
            device=device,
            precision=cast(Precision, precision),
        )
        return cls(config, demo, bundles, backend, live, events, report, ui, session, lsl, given or {})


def live(options: Options) -> None:
    """Run to the end of the source, or until a signal asks for it; every output is then complete.

    Raises SourceError, BundleError, BackendError, LandmarkerError or OSError, each one sentence.
    """
    settle_process()
    preload()  # while the engines are compiled
    notes = PipedConsole(stderr=True)
    console = PipedConsole(stderr=True) if "-" in options.events else PipedConsole()
    bundles = [load_bundle(name) for name in options.bundles]
    with ExitStack() as closing:
        recognizer = closing.enter_context(
            open_recognizer(bundles, options.backend, options.live, fps=options.source.fps or _USUAL_FPS)
        )
        source = closing.enter_context(open_source(options.source))
        stop = _await_signals()  # until here nothing was begun, and a signal has ended the process
        terminal = TerminalSink(console) if options.ui else None
        sinks: list[Sink] = [terminal] if terminal else []
        for path in options.events:
            sink = open_sink(path)
            closing.callback(sink.close)
            sinks.append(sink)
        lsl = None
        if options.lsl is not None:
            lsl = LslSink(
                REGIONS,
                epoch_ns=lambda: source.epoch_ns or 0,
                first_ns=lambda: pipeline.counters.first_ns or 0,
                network=options.lsl == "network",
            )
            sinks.append(lsl)
            others = (
                "other machines on the network" if options.lsl == "network" else "programs of this machine"
            )
            notes.print(f"LSL: events and motion are sent to {others}", highlight=False, soft_wrap=True)
        recorder = None
        if options.record is not None:
            recorder = open_recorder(options.record, source, bundles, recognizer, options.live, options.given)
            closing.callback(recorder.stop)
            sinks.append(recorder)

        def listen(frame: Frame, step: Step) -> None:
            if lsl is not None and step.motion is not None:
                lsl.motion(step.motion)
            if recorder is not None:
                recorder.note(frame, step.crop, pipeline.spotter.level)

        pipeline = Pipeline(source, recognizer, sinks, options.live, listen)
        if recorder is not None:
            begin(recorder, pipeline)
        notes.print(f"{source.description} · {recognizer.line}", highlight=False, soft_wrap=True)
        _drive(pipeline, terminal, stop)
        if options.report is not None:
            write_report(options.report, build_report(pipeline))
        if recorder is not None:
            notes.print(end(recorder, pipeline), highlight=False, soft_wrap=True)
        notes.print(_summary(pipeline), highlight=False, soft_wrap=True)
        seen = pipeline.input.figures()
        for line in filter(None, (source.hint, *(str(found) for found in judge(seen) if found.summary))):
            notes.print(line, highlight=False, soft_wrap=True)
    if pipeline.error is not None:
        raise pipeline.error
    if options.demo:
        end_s = options.source.duration_s or math.inf
        truth = [event for event in demo_truth() if event.span.end.t_ns < end_s * 1e9]
        table, right = demo_table(truth, list(pipeline.events.values()))
        console.print(table)
        console.print(f"{right} of {len(truth)} events right in class and apex (within 40 ms).")


def _await_signals() -> threading.Event:
    """Set by the first of `ENDINGS`: end in order. The second ends now; what was written is whole."""
    stop = threading.Event()

    def end(*_: object) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    for number in ENDINGS:
        signal.signal(number, end)
    return stop


class PipedConsole(Console):
    """A console whose reader may leave: that ends the run in order, where rich would end the process."""

    def on_broken_pipe(self) -> None:
        """Raise BrokenPipeError, which ``_drive`` waits for."""
        raise BrokenPipeError


def _drive(pipeline: Pipeline, terminal: TerminalSink | None, stop: threading.Event) -> None:
    with pipeline:
        while not pipeline.join(_REFRESH_S):
            if stop.is_set():
                pipeline.stop()
            _show(pipeline, terminal)
    _show(pipeline, terminal)
    if terminal:
        terminal.end()


def _show(pipeline: Pipeline, terminal: TerminalSink | None) -> None:
    """Draw; whoever read our output and has left is an end of the run like any other."""
    if terminal is None or isinstance(pipeline.error, BrokenPipeError):
        return
    try:
        terminal.refresh(pipeline)
    except BrokenPipeError as error:
        pipeline.error = pipeline.error or error
        pipeline.stop()


def _summary(pipeline: Pipeline) -> str:
    count, frame = pipeline.counters, pipeline.counters.stages["frame"]
    wall_s = max(1e-9, (count.last_done_ns - count.first_done_ns) / 1e9)
    times = "".join(f", {name} {frame.quantile_ms(q):.2f} ms" for name, q in _QUANTILES) if frame.n else ""
    lost = f", {pipeline.lost_spots} movements not recognised" if pipeline.lost_spots else ""
    frames = f"{count.processed:,} of {pipeline.source.captured:,} frames processed"
    return (
        f"{frames}, {pipeline.dropped:,} dropped, {max(0, count.processed - 1) / wall_s:.0f} fps; "
        f"per frame{times}; {len(pipeline.events)} events{lost}"
    )


_QUANTILES = (("p50", 0.5), ("p99", 0.99))


def print_cameras() -> None:
    """List the cameras that can be opened."""
    console = Console()
    found = list_cameras()
    for info in found:
        width, height = info.size
        console.print(f"{info.source}: {width}x{height}, {info.fps:g} fps by default", highlight=False)
    if not found:
        console.print("No camera found. Plug one in, or use --video PATH or --demo.")


def _parse_size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d{2,5})[xX](\d{2,5})", text)
    if not found:
        raise ValueError(f"--size is WIDTHxHEIGHT, such as 640x480, not {text!r}.")
    return int(found[1]), int(found[2])


def _parse_fourcc(text: str | None) -> str | None:
    if text is not None and (len(text) != 4 or not text.isascii()):
        raise ValueError(f"--fourcc is four characters, such as MJPG, not {text!r}.")
    return text
