"""One recording of an archive, analysed in a worker as ``mer-live`` analyses it alone."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from mer_live.engines.bundle import load_bundle
from mer_live.realtime.batch.recordings import ArchiveItem
from mer_live.realtime.clock import start_time
from mer_live.realtime.config import LiveConfig
from mer_live.realtime.measured.speaking import SpeakingTime
from mer_live.realtime.path import Step
from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.process import settle_process
from mer_live.realtime.recognition.recognizer import Recognizer, open_recognizer
from mer_live.realtime.sinks import event_line
from mer_live.realtime.sources.config import CameraConfig, SourceError
from mer_live.realtime.sources.open import open_source
from mer_live.realtime.types import Frame


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """What all recordings of an archive are analysed with."""

    bundles: tuple[str, ...]
    backend: str
    live: LiveConfig


def analyse(settings: BatchSettings, recording: ArchiveItem) -> dict[str, Any]:
    """The recording's row with its events, plain values for JSON.

    What is wrong with the recording stands in ``reason``; BundleError, BackendError and LandmarkerError, of which the
    recording is not the cause, are raised.
    """
    settle_process()
    started = time.monotonic()
    recognizer = _recognizer(settings)
    row = row_of(recording)
    try:
        # One thread of the decoder: recordings beside one another are the parallelism.
        source = open_source(CameraConfig(source=recording.source, fps=recording.fps, decoder_threads=1))
    except SourceError as error:
        return row | {"reason": str(error)}
    if not source.recorded:
        source.stop()
        return row | {"reason": "this is no recording: it has no end"}
    speaking = SpeakingTime()

    def listen(frame: Frame, steps: Sequence[Step]) -> None:
        speaking.add(steps[0].speaking)

    with source, Pipeline(source, recognizer, (), settings.live, listen) as pipeline:
        pipeline.join()
    count, seen = pipeline.counters, pipeline.input.figures()
    length_ns = count.newest_ns - (count.first_ns or 0)
    return row | {
        "reason": "" if pipeline.error is None else _one_line(pipeline.error),
        "hint": source.hint or "",
        "frames": count.processed,
        "length_s": round(length_ns / 1e9, 3),
        "fps": None if seen.fps is None else round(seen.fps, 2),
        "usable": round(seen.usable, 4),
        "speaking": round(speaking.total_ns(count.newest_ns) / length_ns, 4) if length_ns > 0 else 0.0,
        "start": (pipeline.began or start_time(0, live=False)).to_json(),
        "seconds": round(time.monotonic() - started, 2),
        "events": [event_line(event) for event in pipeline.events.values()],
    }


def row_of(recording: ArchiveItem, reason: str = "") -> dict[str, Any]:
    """The row of a recording of which nothing is known but why."""
    start = start_time(0, live=False).to_json()
    return {
        **{"recording": recording.name, "bytes": recording.bytes, "mtime_ns": recording.mtime_ns},
        **{"reason": reason, "hint": "", "frames": 0, "length_s": 0.0, "fps": None, "usable": 0.0},
        **{"speaking": 0.0, "start": start, "seconds": 0.0, "events": []},
    }


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, SourceError) else f"{type(error).__name__}: {text}"


@lru_cache(1)
def _recognizer(settings: BatchSettings) -> Recognizer:
    """One a worker, for all its recordings; it lives as long as the process."""
    bundles = [load_bundle(name) for name in settings.bundles]
    return open_recognizer(bundles, settings.backend, settings.live)
