"""The once-a-second message that says how well a session fares, and what really arrives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mer_live.realtime.measured.stats import Counters
from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.web.media.track import TrackSource, now_ns
from mer_live.realtime.web.visit.messages import encode
from mer_live.realtime.web.visit.outbox import Outbox


class Health:
    """Rates from one message to the next."""

    def __init__(self) -> None:
        self.received_fps = 0.0
        self.kbps = 0.0
        self._frames = 0
        self._bytes = 0
        self._last_ns = 0
        self._counters: Counters | None = None
        """Of the run that was looked at last: a file begins anew at its end, and its frames count from 0."""

    def message(self, pipeline: Pipeline, box: Outbox, stats: Mapping[str, Any] | None = None) -> str:
        """Health of ``pipeline`` for the page behind ``box``; ``stats`` of its connection, if it sends video."""
        source, count = pipeline.source, pipeline.counters
        inbound = next((s for s in (stats or {}).values() if s.type == "inbound-rtp"), None)
        transport = next((s for s in (stats or {}).values() if s.type == "transport"), None)
        received, size = source.captured, source.size
        if isinstance(source, TrackSource):
            received, size = source.received, source.received_size or source.size
        now, passed = now_ns(), now_ns() - self._last_ns
        total = 0 if transport is None else transport.bytesReceived
        if count is self._counters:
            self.received_fps = (received - self._frames) * 1e9 / passed
            self.kbps = (total - self._bytes) * 8e6 / passed
        self._frames, self._bytes, self._last_ns, self._counters = received, total, now, count
        frame = count.stages["frame"]
        return encode(
            "health",
            received_fps=round(self.received_fps, 1),
            received=list(size),
            analysed=list(source.size),
            kbps=round(self.kbps),
            packets_lost=0 if inbound is None else inbound.packetsLost,
            frames=count.processed,
            dropped_ring=pipeline.dropped,
            dropped_handover=source.lost if isinstance(source, TrackSource) else 0,
            dropped_spots=pipeline.lost_spots,
            dropped_messages=box.dropped,
            frame_ms=frame.quantile_ms(0.5),
            frame_p99_ms=frame.quantile_ms(0.99),
            delay_ms={kind: times.quantile_ms(0.5) for kind, times in count.delay.items()},
            picture=pipeline.picture,
            people=[
                {"id": person, "usable": round(share, 3)} for person, share in pipeline.input.people.items()
            ],
            landmarks_hz=round(pipeline.tracker.finder.rate_hz, 1),
            hint=source.hint,
        )
