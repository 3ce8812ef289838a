"""Lab Streaming Layer: events and the motion of every frame, at the capture time, on the clock that an EEG shares."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.clock import StartTime
from mer_live.realtime.sinks.base import event_line
from mer_live.realtime.types import Event, Marker, Motion

EVENTS, MOTION = "mer-live events", "mer-live motion"
"""Names of the streams; that of a second face ends in 2."""
_TRIES = 9
_SAME_S = 1e-4
# Multicast on this machine alone: LSL would otherwise tell the whole network of its streams.
_LOOPBACK = (
    "[multicast]\nResolveScope = machine\nListenAddress = 127.0.0.1\nAddressesOverride = {127.0.0.1}\n"
)


class LslError(OSError):
    """LSL cannot be used here; the message says what to do."""


class LslSink:
    """Outlets for events and motion; ``write`` and ``motion`` are called by two threads and never wait.

    A sample's stamp is the capture time on LSL's clock: of an event its apex, of a motion its frame.
    """

    def __init__(
        self,
        regions: Sequence[str],
        faces: int = 1,
        *,
        epoch_ns: Callable[[], int],
        first_ns: Callable[[], int],
        network: bool = False,
    ) -> None:
        """Open the outlets.

        Args:
            regions: names of the face's regions.
            faces: how many are followed; each has a motion stream.
            epoch_ns: tells the monotonic clock at frame time 0.
            first_ns: tells the frame time at which the events' times are 0.
            network: let other machines see the streams.

        Raises:
            LslError: pylsl is missing, or its library.
        """
        pylsl = open_lsl(network)
        self._ahead_s = clock_ahead_s(pylsl.local_clock)
        self._epoch_ns, self._first_ns = epoch_ns, first_ns
        axes = [f"{name} {axis}" for name in regions for axis in "xy"]
        about = pylsl.StreamInfo(EVENTS, "Markers", 1, 0, pylsl.cf_string, "mer-live-events")
        self._events: Any = pylsl.StreamOutlet(about)
        self._motions: list[Any] = []
        for number in range(1, faces + 1):
            more = "" if number == 1 else f" {number}"
            shape = pylsl.StreamInfo(
                MOTION + more, "Motion", len(axes), 0, pylsl.cf_float32, f"mer-live-motion{more}"
            )
            channels: Any = shape.desc().append_child("channels")
            for axis in axes:
                channels.append_child("channel").append_child_value("label", axis).append_child_value(
                    "unit", "px"
                )
            self._motions.append(pylsl.StreamOutlet(shape))

    def motion(self, motion: Motion, place: int = 0) -> None:
        """Send the displacement of each region of one frame of the face at ``place``, px of the 224 px crop."""
        row: NDArray[np.float32] = motion.regions.reshape(-1)
        self._motions[place].push_sample(row.tolist(), self._stamp(motion.t_ns))

    def write(self, item: Event) -> None:
        """Send the event's JSON line, stamped with its apex."""
        line = json.dumps(event_line(item), allow_nan=False)
        self._events.push_sample([line], self._stamp(self._first_ns() + item.span.apex.t_ns))

    def started(self, start: StartTime) -> None:
        """LSL's clock is told of every sample."""

    def mark(self, marker: Marker) -> None:
        """Send the marker's JSON line at its time, so that it stands beside the events."""
        line = json.dumps(marker.to_json(), allow_nan=False)
        self._events.push_sample([line], self._stamp(self._first_ns() + marker.t_ns))

    def close(self) -> None:
        """Close the outlets; a second call does nothing."""
        self._events, self._motions = None, []

    def _stamp(self, t_ns: int) -> float:
        return self._ahead_s + (self._epoch_ns() + t_ns) / 1e9


def open_lsl(network: bool) -> Any:
    """The module pylsl, which talks to this machine alone unless ``network``. Raises LslError."""
    try:
        import pylsl
    except (ImportError, RuntimeError) as error:
        raise LslError("Lab Streaming Layer needs pylsl: pip install 'mer-live[lab]'") from error
    if not network:
        pylsl.set_config_content(_LOOPBACK)
    return pylsl


def clock_ahead_s(local_clock: Any) -> float:
    """How far ``local_clock``, seconds, is ahead of the monotonic clock; 0.0 where both are the same within .1 ms.

    The closest pair of readings counts.
    """
    best_s, ahead_s = float("inf"), 0.0
    for _ in range(_TRIES):
        before = time.monotonic()
        there = local_clock()
        after = time.monotonic()
        if after - before < best_s:
            best_s, ahead_s = after - before, there - (before + after) / 2
    return ahead_s if abs(ahead_s) > _SAME_S else 0.0
