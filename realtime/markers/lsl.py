"""Markers of a stimulus program by Lab Streaming Layer, with the times that it gave them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self

from mer_live.realtime.sinks.lsl import clock_ahead_s, open_lsl

_LOOK_S = 0.5
_PULL_S = 0.1


class LslMarkers:
    """Follows one stream of markers from entering on, waiting for it and finding it again where it went away."""

    def __init__(self, name: str, told: Callable[[str, int], object], *, network: bool = False) -> None:
        """Look for the stream ``name``; ``told`` gets each sample's text and its time on the monotonic clock, ns.

        Of a sample with several channels the values are joined by spaces. A text that ``told`` refuses (ValueError) is
        passed over.

        Raises LslError: pylsl is missing, or its library.
        """
        self._lsl: Any = open_lsl(network)
        self._name, self._told = name, told
        self._ahead_s = clock_ahead_s(self._lsl.local_clock)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="mer-lsl-markers", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join()

    def _follow(self) -> None:
        inlet, there_s = None, None
        while not self._ended.is_set():
            if inlet is None:
                found = self._lsl.resolve_byprop("name", self._name, timeout=_LOOK_S)
                inlet = self._lsl.StreamInlet(found[0], recover=True) if found else None
                continue
            with suppress(RuntimeError):  # not in time: the last measurement counts
                if there_s is None:
                    inlet.open_stream(timeout=_LOOK_S)  # samples wait in the inlet from here on
                there_s = inlet.time_correction(timeout=_LOOK_S)
            sample, stamp = (None, 0.0) if there_s is None else inlet.pull_sample(timeout=_PULL_S)
            if sample is not None and there_s is not None:
                at_s = stamp + there_s - self._ahead_s
                with suppress(ValueError):
                    self._told(" ".join(map(str, sample)), round(at_s * 1e9))
