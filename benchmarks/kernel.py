"""The unit *r*: one DIS ultrafast flow at 224 px on one thread, by which times of two machines are held together.

One burst is short, since the speed of a shared machine differs from second to second; bursts before, between and
after what is measured are spread over it, and their median is r.
"""

from __future__ import annotations

import time
from typing import Any

import cv2
import numpy as np

from mer_live.engines.representation.flow import make_flow
from mer_live.engines.representation.specs import FlowConfig

_BURSTS = 5
_CALLS, _WARM = 80, 5


def bursts_ms() -> list[float]:
    """Median time of a flow in each of five bursts on this thread, ms; a quarter of a second in all."""
    noise = np.random.default_rng(0).normal(128, 40, (2, 224, 224))
    before, after = (cv2.GaussianBlur(one, (0, 0), 3.0).astype(np.uint8) for one in noise)
    flow, threads, bursts = make_flow(FlowConfig(preset="ultrafast")), cv2.getNumThreads(), []
    cv2.setNumThreads(1)  # whoever measures another program has not set it, and OpenCV takes every core
    try:
        for _ in range(_BURSTS):
            taken = []
            for _ in range(_WARM + _CALLS):
                started = time.perf_counter_ns()
                flow(before, after)
                taken.append(time.perf_counter_ns() - started)
            bursts.append(round(float(np.median(taken[_WARM:])) / 1e6, 4))
    finally:
        cv2.setNumThreads(threads)
    return bursts


def timed(earlier: list[float] | None = None) -> dict[str, Any]:
    """What a result keeps of r: ``flow_ms``, and the bursts behind it, those of ``earlier`` and five more."""
    bursts = [*(earlier or ()), *bursts_ms()]
    return {"flow_ms": round(float(np.median(bursts)), 4), "flow_bursts_ms": bursts}


def words(machine: dict[str, Any]) -> str:
    """r of a result with its spread, for people; empty where none was timed."""
    if not machine.get("flow_ms"):
        return ""
    bursts = machine.get("flow_bursts_ms", ())
    if not bursts:
        return f"r {machine['flow_ms']:.2f} ms"
    low, high = np.percentile(bursts, (25, 75)).tolist()
    return f"r {machine['flow_ms']:.2f} ms (quartiles {low:.2f} and {high:.2f} of {len(bursts)} bursts)"
