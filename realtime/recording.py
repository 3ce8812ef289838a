"""A run that is recorded: what the recorder is told of the pipeline, and what session.json says of the run."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from mer_live.engines.versions import versions
from mer_live.realtime.clock import start_time
from mer_live.realtime.config import LiveConfig
from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.recognition.recognizer import Recognizer
from mer_live.realtime.session.layout import EVENTS, RecordConfig
from mer_live.realtime.session.recorder import Recorded, Recorder
from mer_live.realtime.sinks.jsonl import JsonlSink
from mer_live.realtime.sources.base import FrameSource


def open_recorder(
    record: RecordConfig,
    source: FrameSource,
    recognizer: Recognizer,
    live: LiveConfig,
    options: dict[str, Any],
) -> Recorder:
    """Make the session's folder, which only its owner may enter, and write its first session.json.

    Args:
        options: of the command line, for whoever repeats the run.

    Raises OSError.
    """
    record.folder.mkdir(mode=0o700, exist_ok=True)
    record.folder.chmod(0o700)
    info = {
        "versions": versions(),
        "source": {
            "description": source.description,
            "size": source.size,
            "nominal_fps": source.nominal_fps,
            "live": source.live,
        },
        "bundles": [{"name": one.card.name, "sha256": one.card.sha256} for one in recognizer.bundles],
        "classes": list(recognizer.classes),
        "backend": recognizer.backend,
        "config": asdict(live),
        "options": options,
        "record": {"codec": record.codec, "blurred": record.blurred},
        # Until the first frame is known: when this was written. The end puts the first frame's time in its place.
        "start": (source.began or start_time(0, live=source.live)).to_json(),
    }
    return Recorder(record, JsonlSink(record.folder / EVENTS), info)


def begin(recorder: Recorder, pipeline: Pipeline) -> None:
    """Let the recorder read the frames of a pipeline that has not started. Raises OSError."""
    source, count = pipeline.source, pipeline.counters

    def health() -> dict[str, Any]:
        return {
            "fps": round(count.rate.hz, 2),
            "processed": count.processed,
            "dropped": pipeline.dropped,
            "face": pipeline.tracker.status,
            "age_ms": round(count.age_ns / 1e6, 1),
        }

    recorder.start(
        Recorded(
            reader=pipeline.viewer(every=True),
            size=source.size,
            fps=source.nominal_fps,
            waits=source.waits,
            faces=lambda: pipeline.tracker.finder.faces,
            health=health,
        )
    )


def end(recorder: Recorder, pipeline: Pipeline, facts: dict[str, Any] | None = None) -> str:
    """Complete the session of a pipeline that has been joined, with ``facts``; one line about it.

    Raises what went wrong: OSError.
    """
    source, count = pipeline.source, pipeline.counters
    start = pipeline.began or source.began or start_time(0, live=source.live)
    frames = {"captured": source.captured, "analysed": count.processed, "dropped": pipeline.dropped}
    recorder.finish(start, {"frames": frames, **(facts or {})})
    if recorder.error is not None:
        raise recorder.error
    lost = f", {recorder.lost:,} not recorded: encoder or disk were too slow" if recorder.lost else ""
    return f"recorded {recorder.recorded:,} frames in {recorder.config.folder}{lost}"
