"""Does mer-web keep anything of sessions that have ended? `python tests/support/web_cycles.py --cycles 200`.

The server runs in a process of its own; this one connects, sends 640x480 until the first answer, leaves, and
prints the server's threads, file handles and memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket

import aiohttp
import numpy as np
import psutil
from support.web_browser import server
from support.web_client import ClipTrack, Page


async def visit(process: psutil.Process, port: int, cycles: int) -> None:
    """Connect and leave ``cycles`` times, one after the other."""
    frame = np.full((1, 480, 640, 3), 128, np.uint8)
    base = f"http://127.0.0.1:{port}"
    async with aiohttp.ClientSession(base, headers={"Origin": base}) as http:
        for number in range(1, cycles + 1):
            page = Page(http, ClipTrack(frame))
            await page.offer()
            await page.until("state", lambda m: m["t_s"] is not None)
            if number % 3:
                page.send(type="stop")
                await page.until("bye")
            await page.close()
            while await sessions(http):
                await asyncio.sleep(0.02)
            if number % 20 == 0:
                rss_mb = round(process.memory_info().rss / 1e6, 1)
                about = {"threads": process.num_threads(), "handles": process.num_fds(), "rss_mb": rss_mb}
                print(json.dumps({"cycle": number, **about}), flush=True)


async def sessions(http: aiohttp.ClientSession) -> int:
    async with http.get("/metrics") as response:
        lines = (await response.text()).splitlines()
    return int(float(next(line for line in lines if line.startswith("mer_sessions ")).split()[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cycles", type=int, default=200)
    args = parser.parse_args()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with server(port) as process:
        asyncio.run(visit(psutil.Process(process.pid), port, args.cycles))


if __name__ == "__main__":
    main()
