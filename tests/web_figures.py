"""What a real browser gets from mer-web: `python tests/web_figures.py --fps 60 --sessions 1 --seconds 30`.

Needs Chromium and playwright (see web_browser). The camera is the demo clip with each frame's number in its
corner. The page reads the number off its own picture, so the capture time of every true apex is known on
the page's clock, and "apex to page" is the time from there to the provisional event's arrival in the page.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import sync_playwright
from web_browser import BITS, BLOCK, begin, browser, browser_path, server, write_camera

from mer_live.realtime.demo_clip import demo_truth

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fps", type=int, default=60)
    parser.add_argument("--sessions", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=30)
    args = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder, server(port) as process, sync_playwright() as playwright:
        camera = write_camera(Path(folder) / "camera.y4m", args.fps, CLIP_S)
        chrome = browser(playwright, browser_path(), camera)
        pages = [chrome.new_page() for _ in range(args.sessions)]
        for page in pages:
            page.add_init_script(WATCH)
            begin(page, port)
        for page in pages:
            page.wait_for_function("() => seen.some((m) => m.face === 'ok')", timeout=60_000)
        time.sleep(3)
        starts = [page.evaluate("performance.now()") for page in pages]
        own, before, began = psutil.Process(process.pid), psutil.cpu_times(), time.monotonic()
        spent = sum(own.cpu_times()[:2])
        time.sleep(args.seconds)
        passed = time.monotonic() - began
        idle = psutil.cpu_times().idle - before.idle
        about = {
            "fps": args.fps,
            "sessions": args.sessions,
            "server_cores": round((sum(own.cpu_times()[:2]) - spent) / passed, 2),
            "machine_busy": round(1 - idle / passed / (psutil.cpu_count() or 1), 2),
            "load": psutil.getloadavg()[0],
            "rss_mb": round(own.memory_info().rss / 1e6),
        }
        print(json.dumps(about))
        for page, start in zip(pages, starts, strict=True):
            seen = [m for m in page.evaluate("seen") if m["at"] >= start]
            print(json.dumps(figures(seen, page.evaluate("frames"), args.fps)))
        chrome.close()


def figures(seen: list[dict[str, Any]], frames: list[list[float]], fps: int) -> dict[str, Any]:
    """Medians and counts over one page's messages."""
    states = [m for m in seen if m["type"] == "state"]
    health = [m for m in seen if m["type"] == "health"]
    loop_ms = CLIP_S * 1000
    zeros = [t - number * 1000 / fps for number, t in frames]
    zero = statistics.median((z - zeros[0] + loop_ms / 2) % loop_ms for z in zeros) + zeros[0] - loop_ms / 2
    late, right, others = [], 0, 0
    for message in seen:
        if message["type"] != "event" or message["final"]:
            continue
        at_s = (message["at"] - zero) % loop_ms / 1000
        true = min(demo_truth(), key=lambda t: (at_s - t.apex_s) % CLIP_S)
        delay_ms = (at_s - true.apex_s) % CLIP_S * 1000
        if delay_ms < 1500:
            late.append(round(delay_ms))
            right += message["label"] == true.label
        else:
            others += 1
    return {
        "received_fps": statistics.median(m["received_fps"] for m in health),
        "size": health[-1]["received"],
        "kbps": statistics.median(m["kbps"] for m in health),
        "packets_lost": health[-1]["packets_lost"],
        "analysed_fps": statistics.median(m["fps"] for m in states),
        "dropped": states[-1]["dropped"] - states[0]["dropped"],
        "age_ms": statistics.median(m["age_ms"] for m in states),
        "frame_ms": health[-1]["frame_ms"],
        "provisional": len(late),
        "right_class": right,
        "not_in_truth": others,
        "apex_to_page_ms": {"median": statistics.median(late) if late else None, "all": late},
    }


if __name__ == "__main__":
    main()
