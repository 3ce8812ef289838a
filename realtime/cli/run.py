"""One run of ``mer-live``: from checked options to complete outputs."""

from __future__ import annotations

import math
import signal
import threading
import webbrowser
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from rich.console import Console

from mer_live.engines.bundle import load_bundle
from mer_live.engines.entry import ENDINGS
from mer_live.realtime.baseline import Baseline, BaselineError, BaselineMeter
from mer_live.realtime.check.findings import assess
from mer_live.realtime.cli.options import Options, source_name
from mer_live.realtime.demo.clip import demo_table, demo_truth
from mer_live.realtime.face.landmarks import preload
from mer_live.realtime.markers.keys import KeyMarkers
from mer_live.realtime.markers.lsl import LslMarkers
from mer_live.realtime.motion.regions import REGIONS
from mer_live.realtime.outputs import pipes_held, write_report
from mer_live.realtime.path import Step
from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.process import settle_memory, settle_process
from mer_live.realtime.recognition.recognizer import open_recognizer
from mer_live.realtime.recording import begin, end, open_recorder
from mer_live.realtime.report import build_report
from mer_live.realtime.sinks import Sink, open_sink
from mer_live.realtime.sinks.base import ServedSink
from mer_live.realtime.sinks.lsl import LslSink
from mer_live.realtime.sinks.shared import SharedSink
from mer_live.realtime.sinks.terminal import TerminalSink
from mer_live.realtime.sources.camera import list_cameras
from mer_live.realtime.sources.open import is_kept, open_source
from mer_live.realtime.types import Frame

_REFRESH_S = 0.125
_USUAL_FPS = 30.0
"""Of a camera or stream that was asked for no rate."""


def live(options: Options) -> None:
    """Run to the end of the source, or until a signal asks for it; every output is then complete.

    Raises SourceError, BundleError, BackendError, LandmarkerError or OSError, each one sentence.
    """
    settle_process()
    notes = PipedConsole(stderr=True)
    console = PipedConsole(stderr=True) if "-" in options.events else PipedConsole()
    with ExitStack() as closing:
        closing.enter_context(pipes_held(options.events))
        preload()  # while the engines are compiled
        bundles = [load_bundle(name) for name in options.bundles]
        # Recordings first: they tell their rate, and can wait for the engines as a camera cannot.
        kept = {one: closing.enter_context(open_source(one)) for one in options.sources if is_kept(one)}
        rate = max((one.nominal_fps for one in kept.values()), default=0.0)
        recognizer = closing.enter_context(
            open_recognizer(
                bundles,
                options.backend,
                options.live,
                sources=len(options.sources),
                fps=options.source.fps or rate or _USUAL_FPS,
            )
        )
        sources = [kept.get(one) or closing.enter_context(open_source(one)) for one in options.sources]
        source = sources[0]
        stop = _await_signals()  # until here nothing was begun, and a signal has ended the process
        terminal = TerminalSink(console) if options.ui else None
        sinks: list[Sink] = [terminal] if terminal else []
        for path in options.events:
            sink = open_sink(path, recognizer.classes, macro=options.live.macro)
            closing.callback(sink.close)
            sinks.append(sink)
        lsl = None
        if options.lsl is not None:
            lsl = LslSink(
                REGIONS,
                options.live.faces,
                epoch_ns=lambda: source.epoch_ns or 0,
                first_ns=lambda: pipeline.counters.first_ns or 0,
                network=options.lsl == "network",
            )
            closing.callback(lsl.close)
            sinks.append(lsl)
            others = (
                "other machines on the network" if options.lsl == "network" else "programs of this machine"
            )
            notes.print(f"LSL: events and motion are sent to {others}", highlight=False, soft_wrap=True)
        recorder = None
        if options.record is not None:
            recorder = open_recorder(options.record, source, recognizer, options.live, options.given)
            closing.callback(recorder.stop)
            sinks.append(recorder)

        known = options.baseline
        meter = BaselineMeter(known) if isinstance(known, float) else None
        hear, view = None, None
        if options.view:
            from mer_live.realtime.web.view import View  # brings WebRTC, which takes a second to load

            view = closing.enter_context(View(recognizer))
            sinks.append(view.audience)
            hear = view.audience.begin()

        def listen(frame: Frame, steps: Sequence[Step]) -> None:
            if hear is not None:
                hear(frame, steps)
            if meter is not None and (learned := meter.add(frame.t_ns, steps[0])) is not None:
                learned.apply(pipeline.spotter)
                notes.print(learned.words, highlight=False, soft_wrap=True)
            for place, step in enumerate(steps):
                if lsl is not None and step.motion is not None:
                    lsl.motion(step.motion, place)
            if recorder is not None:
                recorder.note(frame, steps[0].crop, pipeline.spotter.level, steps[0].speaking)

        if len(sources) == 1:
            pipelines = [Pipeline(source, recognizer, sinks, options.live, listen)]
        else:
            names = [source_name(one) for one in options.sources]
            shared = [SharedSink(sink, len(sources)) for sink in sinks]
            pipelines = [
                Pipeline(one, recognizer, [sink.of(name) for sink in shared], options.live)
                for one, name in zip(sources, names, strict=True)
            ]
        pipeline = pipelines[0]
        if isinstance(known, Baseline):
            known.apply(pipeline.spotter)
        if len(sources) == 1:
            _take_markers(pipeline, sinks, options, closing, notes)
        if recorder is not None:
            begin(recorder, pipeline)
        opened = "; ".join(one.description for one in sources)
        notes.print(f"{opened} · {recognizer.line}", highlight=False, soft_wrap=True)
        if view is not None:
            view.show(pipeline)
            notes.print(f"Open {view.url} in a browser", highlight=False, soft_wrap=True)
            webbrowser.open(view.url)
        _drive(pipelines, terminal, stop)
        if options.report is not None:
            reports = [{**build_report(one), **_of_rest(known, meter)} for one in pipelines]
            write_report(options.report, reports[0] if len(reports) == 1 else {"sources": reports})
        if recorder is not None:
            notes.print(end(recorder, pipeline, _of_rest(known, meter)), highlight=False, soft_wrap=True)
        for sink in sinks:
            if isinstance(sink, ServedSink) and sink.lost:
                notes.print(
                    f"{sink.lost:,} lines were lost to programs that read too slowly", highlight=False
                )
        for one in pipelines:
            whose = "" if len(pipelines) == 1 else f"{one.source.description}: "
            notes.print(whose + _summary(one), highlight=False, soft_wrap=True)
            seen = one.input.figures()
            hints = (one.source.hint, *(str(found) for found in assess(seen) if found.summary))
            for line in filter(None, hints):
                notes.print(line, highlight=False, soft_wrap=True)
    for one in pipelines:
        if one.error is not None:
            raise one.error
    if meter is not None and meter.learned is None and not stop.is_set():
        raise BaselineError(
            f"the recording ended before {known:g} s of rest were seen: give --baseline fewer"
        )
    if options.demo:
        end_s = options.source.duration_s or math.inf
        truth = [event for event in demo_truth() if event.span.end.t_ns < end_s * 1e9]
        table, right = demo_table(truth, list(pipeline.events.values()))
        console.print(table)
        console.print(f"{right} of {len(truth)} events right in class and apex (within 40 ms).")


def _of_rest(known: float | Baseline | None, meter: BaselineMeter | None) -> dict[str, Any]:
    """For report and session: the baseline that was given or learned."""
    found = known if meter is None else meter.learned
    return {"baseline": found.to_json()} if isinstance(found, Baseline) else {}


def _take_markers(
    pipeline: Pipeline, sinks: Sequence[Sink], options: Options, closing: ExitStack, notes: Console
) -> None:
    """Markers come from keys where there is a display, by HTTP to the ports of ``sinks``, and by LSL if asked for."""
    mark = pipeline.marking.mark
    for sink in sinks:
        if isinstance(sink, ServedSink):
            sink.mark_by = mark
    if options.lsl_markers is not None:
        network = options.lsl == "network"
        closing.enter_context(
            LslMarkers(options.lsl_markers, lambda text, at_ns: mark(text, "lsl", at_ns), network=network)
        )
    if options.ui and closing.enter_context(KeyMarkers(lambda key: mark(key, "key"))).listens:
        notes.print("any key sets a marker", highlight=False)


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


def _drive(pipelines: Sequence[Pipeline], terminal: TerminalSink | None, stop: threading.Event) -> None:
    """Run all to their ends; one that fails leaves the others alone."""
    settle_memory()
    with ExitStack() as running:
        for pipeline in pipelines:
            running.enter_context(pipeline)
        while not all(pipeline.join(_REFRESH_S) for pipeline in pipelines):
            if stop.is_set():
                for pipeline in pipelines:
                    pipeline.stop()
            _show(pipelines, terminal)
    _show(pipelines, terminal)
    if terminal:
        terminal.end()


def _show(pipelines: Sequence[Pipeline], terminal: TerminalSink | None) -> None:
    """Draw; whoever read our output and has left is an end of the run like any other."""
    if terminal is None or any(isinstance(pipeline.error, BrokenPipeError) for pipeline in pipelines):
        return
    try:
        terminal.refresh(*pipelines)
    except BrokenPipeError as error:
        for pipeline in pipelines:
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
        f"per frame{times}; {len(pipeline.events)} events{lost}{_people(pipeline)}"
    )


def _people(pipeline: Pipeline) -> str:
    """Who was followed, where more than one was to be."""
    seen = pipeline.input.people
    if len(pipeline.paths) == 1:
        return ""
    shares = ", ".join(f"{person} in {share:.0%}" for person, share in seen.items())
    return f"; {len(seen)} people followed: face {shares} of the frames" if seen else "; nobody followed"


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
