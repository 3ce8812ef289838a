"""How many cameras a machine holds: whole pipelines in one process, as ``mer-live --camera 0 --camera 1`` has them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

from mer_live.benchmarks.inputs import HeldClip
from mer_live.benchmarks.result import Figure
from mer_live.engines.bundle import Bundle
from mer_live.engines.device.choice import DeviceChoice
from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.sources.memory import MemorySource


def camera_figures(
    bundles: Sequence[Bundle],
    choice: DeviceChoice,
    clip: HeldClip,
    counts: Sequence[int],
    rates: Sequence[int],
    seconds: float,
) -> list[Figure]:
    """Frames lost by so many cameras at each rate, on the CPU and on the device; frames come from memory."""
    return [
        _figure(bundles, where, clip.at_rate(fps), count, fps, seconds)
        for where in (DeviceChoice("cpu", "to compare"), choice)
        for fps in rates
        for count in counts
    ]


def _figure(
    bundles: Sequence[Bundle], where: DeviceChoice, clip: HeldClip, count: int, fps: int, seconds: float
) -> Figure:
    with ExitStack() as running:
        recognizer = running.enter_context(Recognizer(bundles, device=where, faces=count))
        pipelines = []
        for _ in range(count):
            source = MemorySource(clip.frames, fps=fps, pace="realtime", repeat="bounce", duration_s=seconds)
            running.enter_context(source)
            pipelines.append(running.enter_context(Pipeline(source, recognizer)))
        for pipeline in pipelines:
            pipeline.join()
    for pipeline in pipelines:
        if pipeline.error is not None:
            raise pipeline.error
    captured = sum(pipeline.source.captured for pipeline in pipelines)
    dropped = sum(pipeline.dropped for pipeline in pipelines)
    times = [t for p in pipelines if (t := p.counters.stages["motion"].quantile_ms(0.5)) is not None]
    note = f"motion {max(times):.2f} ms at the median of the slowest" if times else ""
    return Figure(
        f"{where.name}: {count} cameras at {fps} fps, frames lost",
        100.0 * dropped / max(1, captured),
        "%",
        captured,
        note=note,
    )
