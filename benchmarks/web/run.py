"""``mer-bench web``: what a real browser gets from mer-web, beside other work.

Needs Chromium and playwright. The camera is the demo clip with each frame's number in its corner. The page reads
the number off its own picture, so the capture time of every true apex is known on the page's clock, and "apex to
page" is the time from there to the provisional event's arrival in the page. It is the sum of the decision (the
spotter's wait past its apex), the computation and the way: encoding, network, decoding, queues, data channel.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from mer_live.benchmarks.result import Figure, Result
from mer_live.benchmarks.web.browser import BITS, BLOCK, begin, browser, browser_path, write_camera
from mer_live.benchmarks.web.server import free_port, server
from mer_live.realtime.demo.clip import demo_truth

_BUSY = """
import sys, time
share = float(sys.argv[1])
while True:
    end = time.perf_counter() + 0.02 * share
    while time.perf_counter() < end: pass
    time.sleep(0.02 * (1 - share))
"""
_SETTINGS = ((60, 1, 120.0, 220.0), (30, 2, 200.0, 350.0))
"""(fps, sessions, aim of the median and of the 90th percentile of apex to page, ms)"""
CLIP_S = 10.0
WATCH = f"""
window.seen = []; window.frames = [];
addEventListener("mer:message", (e) => seen.push({{ ...e.detail, at: performance.now() }}));
addEventListener("DOMContentLoaded", () => {{
  const video = document.getElementById("video");
  const c = new OffscreenCanvas({BITS * BLOCK}, {BLOCK}).getContext("2d", {{ willReadFrequently: true }});
  let n = 0;
  const look = (now, {{ captureTime }}) => {{
    if (n++ % 23 === 0 && captureTime !== undefined) {{
      c.drawImage(video, 0, 0, {BITS * BLOCK}, {BLOCK}, 0, 0, {BITS * BLOCK}, {BLOCK});
      const d = c.getImageData(0, {BLOCK // 2}, {BITS * BLOCK}, 1).data;
      let number = 0;
      for (let b = 0; b < {BITS}; b++) if (d[4 * (b * {BLOCK} + {BLOCK // 2})] > 128) number |= 1 << b;
      frames.push([number, captureTime]);
    }}
    video.requestVideoFrameCallback(look);
  }};
  video.requestVideoFrameCallback(look);
}});
"""


def run(quick: bool = False, taken: float = 0.5) -> Result:
    """One session at 60 fps, then two at 30, for a minute each (quick: 15 s), while ``taken`` cores work on else.

    Raises RuntimeError, one sentence, where there is no browser.
    """
    seconds = 15 if quick else 60
    path = browser_path()
    result = Result("web", {"quick": quick, "seconds": seconds, "cores_taken": taken})
    for fps, sessions, median_ms, p90_ms in _SETTINGS:
        seen, rss_mb = _measure(path, fps, sessions, seconds, taken)
        result.time_kernel()
        result.details[f"{sessions} at {fps} fps"] = seen
        for number, one in enumerate(seen, 1):
            name = f"{sessions} at {fps} fps, session {number}"
            late, frames = one["apex_to_page_ms"], one["frames"]
            lost = 100 * one["dropped"] / max(1, frames + one["dropped"])
            result.figures += [
                Figure(
                    f"{name}: apex to page, median", late.get("median"), "ms", late["n"], target=median_ms
                ),
                Figure(f"{name}: apex to page, p90", late.get("p90"), "ms", late["n"], target=p90_ms),
                Figure(f"{name}: frames dropped", lost, "%", frames, target=2),
                Figure(f"{name}: analysed", one["analysed_fps"], "fps", frames),
            ]
        result.figures.append(Figure(f"{sessions} at {fps} fps: memory of the server", rss_mb, "MB", 1))
    return result


def _measure(
    path: str, fps: int, sessions: int, seconds: float, taken: float
) -> tuple[list[dict[str, Any]], float]:
    from playwright.sync_api import sync_playwright

    port = free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        server(port) as process,
        sync_playwright() as playwright,
        busy(taken),
    ):
        camera = write_camera(Path(folder) / "camera.y4m", fps, CLIP_S, numbered=True)
        chrome = browser(playwright, path, camera)
        pages = [chrome.new_page() for _ in range(sessions)]
        for page in pages:
            page.add_init_script(WATCH)
            begin(page, port)
        for page in pages:
            page.wait_for_function("() => seen.some((m) => m.face === 'ok')", timeout=120_000)
        time.sleep(3)
        starts = [page.evaluate("() => performance.now()") for page in pages]
        time.sleep(seconds)
        rss_mb = psutil.Process(process.pid).memory_info().rss / 1e6
        found = [
            figures(
                [m for m in page.evaluate("() => seen") if m["at"] >= start],
                page.evaluate("() => frames"),
                fps,
            )
            for page, start in zip(pages, starts, strict=True)
        ]
        chrome.close()
    return found, round(rss_mb)


@contextmanager
def busy(cores: float) -> Iterator[None]:
    """Keep that share of one core busy (0 to 1)."""
    if cores <= 0:
        yield
        return
    process = subprocess.Popen([sys.executable, "-c", _BUSY, str(min(1.0, cores))])
    try:
        yield
    finally:
        process.kill()
        process.wait()


def figures(seen: list[dict[str, Any]], frames: list[list[float]], fps: int) -> dict[str, Any]:
    """Medians and counts over one page's messages."""
    states = [m for m in seen if m["type"] == "state"]
    health = [m for m in seen if m["type"] == "health"]
    late, parts, right, others = [], [], 0, 0
    each = {f"{t.label} {t.span.apex.t_ns / 1e9:.2f} s": 0 for t in demo_truth()}
    for message in seen:
        if message.get("state") != "provisional":
            continue
        at_s = clip_time_s(message["at"], frames, fps)
        true = min(demo_truth(), key=lambda t: (at_s - t.span.apex.t_ns / 1e9) % CLIP_S)
        delay_ms = (at_s - true.span.apex.t_ns / 1e9) % CLIP_S * 1000
        if delay_ms < 1500:
            decision, compute = message["delay_ms"], message["compute_ms"]
            late.append(delay_ms)
            each[f"{true.label} {true.span.apex.t_ns / 1e9:.2f} s"] += 1
            parts.append((decision, compute, delay_ms - decision - compute))
            right += message["label"] == true.label
        else:
            others += 1
    return {
        "received_fps": statistics.median(m["received_fps"] for m in health),
        "size": health[-1]["received"],
        "kbps": statistics.median(m["kbps"] for m in health),
        "packets_lost": health[-1]["packets_lost"],
        "analysed_fps": statistics.median(m["fps"] for m in states),
        "frames": health[-1]["frames"] - health[0]["frames"],
        "dropped": states[-1]["dropped"] - states[0]["dropped"],
        "age_ms": spread([m["age_ms"] for m in states]),
        "frame_ms": health[-1]["frame_ms"],
        "provisional": len(late),
        "right_class": right,
        "of_each": each,
        "not_in_truth": others,
        "apex_to_page_ms": spread(late),
        "of_it": {
            name: spread(part)
            for name, part in zip(("decision", "compute", "way"), zip(*parts, strict=True), strict=False)
        },
    }


def clip_time_s(at_ms: float, frames: list[list[float]], fps: int) -> float:
    """Where the camera's clip was at ``at_ms``, by the newest frames whose numbers were read before."""
    begun = [t - number * 1000 / fps for number, t in frames if t <= at_ms][-5:]
    loop_ms = CLIP_S * 1000
    away = statistics.median((b - begun[-1] + loop_ms / 2) % loop_ms - loop_ms / 2 for b in begun)
    return (at_ms - begun[-1] - away) % loop_ms / 1000


def spread(values: Sequence[float]) -> dict[str, float]:
    """n, median and 90th percentile; only n where there is nothing."""
    if not values:
        return {"n": 0}
    ordered = sorted(values)
    return {
        "n": len(ordered),
        "median": round(statistics.median(ordered), 1),
        "p90": round(ordered[min(len(ordered) - 1, round(0.9 * (len(ordered) - 1)))], 1),
    }
