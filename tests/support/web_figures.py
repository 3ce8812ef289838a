"""What a real browser gets from mer-web: `python tests/support/web_figures.py --fps 60 --sessions 1 --seconds 30`.

Needs Chromium and playwright (see web_browser). The camera is the demo clip with each frame's number in its
corner. The page reads the number off its own picture, so the capture time of every true apex is known on
the page's clock, and "apex to page" is the time from there to the provisional event's arrival in the page.
It is the sum of the decision (the spotter's wait past its apex), the computation and the way: encoding,
network, decoding, queues, data channel.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import sync_playwright
from support.web_browser import BITS, BLOCK, begin, browser, browser_path, server, write_camera

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
    parser.add_argument("--threads", action="store_true", help="also the CPU time of each thread")
    args = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder, server(port) as process, sync_playwright() as playwright:
        camera = write_camera(Path(folder) / "camera.y4m", args.fps, CLIP_S, numbered=True)
        chrome = browser(playwright, browser_path(), camera)
        pages = [chrome.new_page() for _ in range(args.sessions)]
        for page in pages:
            page.add_init_script(WATCH)
            begin(page, port)
        for page in pages:
            page.wait_for_function("() => seen.some((m) => m.face === 'ok')", timeout=60_000)
        time.sleep(3)
        starts = [page.evaluate("performance.now()") for page in pages]
        before, spent, began = psutil.cpu_times(), cpu_s(process.pid, args.threads), time.monotonic()
        time.sleep(args.seconds)
        passed = time.monotonic() - began
        used = cpu_s(process.pid, args.threads)
        idle = psutil.cpu_times().idle - before.idle
        cores = {name: round((used[name] - spent[name]) / passed, 2) for name in used}
        about = {
            "fps": args.fps,
            "sessions": args.sessions,
            "cores": {name: share for name, share in sorted(cores.items(), key=lambda c: -c[1]) if share},
            "cores_others": round(
                (psutil.cpu_count() or 1) - idle / passed - sum(v for k, v in cores.items() if "/" not in k),
                2,
            ),
            "load": round(psutil.getloadavg()[0], 1),
            "rss_mb": round(psutil.Process(process.pid).memory_info().rss / 1e6),
        }
        print(json.dumps(about))
        for page, start in zip(pages, starts, strict=True):
            seen = [m for m in page.evaluate("seen") if m["at"] >= start]
            print(json.dumps(figures(seen, page.evaluate("frames"), args.fps)))
        chrome.close()


def cpu_s(server_pid: int, threads: bool) -> Counter[str]:
    """CPU seconds so far of the server, of each kind of browser process, and of the test's driver."""
    spent: Counter[str] = Counter()
    for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
        try:
            words, cpu = process.cmdline(), process.cpu_times()
            kind = next((w.split("=")[1] for w in words if w.startswith(("--utility-sub", "--type="))), "")
            if process.pid == server_pid:
                name = "server"
            elif "chrom" in process.name():
                name = f"browser {kind or 'main'}"
            else:
                name = "driver"
            spent[name] += cpu.user + cpu.system
            for task in Path(f"/proc/{process.pid}/task").iterdir() if threads else ():
                fields = (task / "stat").read_text().rsplit(")", 1)[1].split()
                label = f"{name}/{(task / 'comm').read_text().strip()}"
                spent[label] += (int(fields[11]) + int(fields[12])) / 100
        except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            continue
    return spent


def figures(seen: list[dict[str, Any]], frames: list[list[float]], fps: int) -> dict[str, Any]:
    """Medians and counts over one page's messages."""
    states = [m for m in seen if m["type"] == "state"]
    health = [m for m in seen if m["type"] == "health"]
    late, parts, right, others = [], [], 0, 0
    each = {f"{t.label} {t.span.apex.t_ns / 1e9:.2f} s": 0 for t in demo_truth()}
    for message in seen:
        if message["type"] != "event" or message["final"]:
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


if __name__ == "__main__":
    main()
