"""Events of a source in a few lines: ``with watch(0) as session: for event in session: ...``."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.bundle import load_bundle
from mer_live.realtime.config import BUNDLES, Decide, LiveConfig
from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.recognition.recognizer import open_recognizer
from mer_live.realtime.report import build_report
from mer_live.realtime.sinks.base import Sink
from mer_live.realtime.sources.base import FrameSource
from mer_live.realtime.sources.config import CameraConfig, Pace
from mer_live.realtime.sources.iterable import IterableSource
from mer_live.realtime.sources.open import open_source
from mer_live.realtime.types import Event

Picture = NDArray[np.uint8]
Source = int | str | Path | Iterable[Picture] | Iterable[tuple[int, Picture]] | FrameSource

_MOST_WAITING = 1000


class _Mailbox:
    """A sink whose events another thread takes out; a live source never waits for that thread."""

    def __init__(self, block: bool) -> None:
        self._block = block
        self._items: deque[Event] = deque()
        self._closed = False
        self._changed = threading.Condition()
        self.missed = 0

    def write(self, item: Event) -> None:
        with self._changed:
            if self._block:
                self._changed.wait_for(lambda: self._closed or len(self._items) < _MOST_WAITING)
            elif len(self._items) >= _MOST_WAITING:
                self._items.popleft()
                self.missed += 1
            self._items.append(item)
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def take(self) -> Event | None:
        """The oldest event, waiting for it; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or bool(self._items))
            item = self._items.popleft() if self._items else None
            self._changed.notify_all()
            return item


class Session:
    """One source while it is analysed; a context manager, and an iterator over its events as they happen.

    Entering opens engines and source and starts; leaving ends everything. The loop ends with the source. See
    `watch` for the arguments.
    """

    def __init__(
        self, source: Source, camera: CameraConfig, bundles: Sequence[str], backend: str, config: LiveConfig
    ) -> None:
        self._source = source
        self._camera = camera
        self._bundles = tuple(bundles)
        self._backend = backend
        self._config = config
        self._closing = ExitStack()
        self._mailbox = _Mailbox(block=True)
        self.pipeline: Pipeline
        """Counters, rates, drops; there from entering on."""

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            loaded = [load_bundle(name) for name in self._bundles]
            fps = self._camera.fps or 30.0
            recognizer = opening.enter_context(open_recognizer(loaded, self._backend, self._config, fps=fps))
            source = opening.enter_context(self._open())
            self._mailbox = _Mailbox(block=source.waits)
            sinks: list[Sink] = [self._mailbox]
            self.pipeline = opening.enter_context(Pipeline(source, recognizer, sinks, self._config))
            opening.callback(self._mailbox.close)  # first: whoever waits for room must not be waited for
            self._closing = opening.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._closing.close()

    def __iter__(self) -> Iterator[Event]:
        """Events in the order of their emission, each revision of each.

        Raises what ended the source early (SourceError) or an error of a stage, after the last event.
        """
        while (event := self._mailbox.take()) is not None:
            yield event
        self.pipeline.join()
        if self.pipeline.error is not None:
            raise self.pipeline.error

    @property
    def missed(self) -> int:
        """Events of a live source that were not taken out in time: the oldest are dropped."""
        return self._mailbox.missed

    def stop(self) -> None:
        """End the source; the loop gives out what was decided, and ends. From any thread."""
        self.pipeline.stop()

    def report(self) -> dict[str, Any]:
        """What ``mer-live --report`` writes, so far."""
        return build_report(self.pipeline)

    def _open(self) -> FrameSource:
        if isinstance(self._source, FrameSource):
            return self._source
        if isinstance(self._source, Path):
            return open_source(replace(self._camera, source=str(self._source)))
        if isinstance(self._source, int | str):
            return open_source(replace(self._camera, source=self._source))
        return IterableSource(self._source, self._camera.fps, self._camera.duration_s)


def watch(
    source: Source = 0,
    *,
    fps: float | None = None,
    size: tuple[int, int] | None = None,
    fourcc: str | None = None,
    pace: Pace = "max",
    duration_s: float | None = None,
    bundles: Sequence[str] = BUNDLES,
    backend: str = "auto",
    sensitivity: float = 0.5,
    decide: Decide = "settled",
    faces: int = 1,
    config: LiveConfig | None = None,
) -> Session:
    """Analyse a source and give out its events while they happen.

    Args:
        source: camera number, device, path of a video or of pictures, URL, an open `FrameSource`, or an iterable of
            (H, W, 3) uint8 BGR pictures or of (time in ns, picture) pairs.
        fps: asked of a camera; the true rate of files and pictures, in place of the times that they carry.
        size: (width, height) asked of a camera, px.
        fourcc: pixel format asked of a camera, such as MJPG.
        pace: of files: "max" reads every frame, "realtime" behaves as a camera.
        duration_s: end after this much stream time.
        bundles: names of shipped bundles, or folders; their probabilities are averaged.
        backend: auto, tensorrt, openvino, onnxruntime or torch.
        sensitivity: 0..1; higher finds more, with more false alarms.
        decide: from which state on events are given out: provisional, final or settled.
        faces: people followed at once, 1 to 4; ``event.face`` says whose it is.
        config: everything else; it replaces ``sensitivity``, ``decide`` and ``faces``.

    Returns:
        A `Session` to be entered.

    Raises:
        ValueError: an argument out of its range.
        SourceError, BundleError, BackendError, LandmarkerError: (on entering) one sentence each.
    """
    camera = CameraConfig(fps=fps, size=size, fourcc=fourcc, pace=pace, duration_s=duration_s)
    live = config or LiveConfig(sensitivity=sensitivity, decide=decide, faces=faces)
    return Session(source, camera, bundles, backend, live)
