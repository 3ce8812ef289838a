from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import replace

import aiohttp
import numpy as np
import pytest
from support.events import FINAL

from mer_live.benchmarks.lab.readers import never_reads
from mer_live.realtime.clock import start_time
from mer_live.realtime.markers.keys import KeyMarkers
from mer_live.realtime.markers.lsl import LslMarkers
from mer_live.realtime.sinks import check_events_path, event_line
from mer_live.realtime.sinks.base import parse_address
from mer_live.realtime.sinks.lsl import EVENTS, LslSink, clock_ahead_s
from mer_live.realtime.sinks.socket import MOST_WAITING, SocketSink
from mer_live.realtime.types import Marker, Motion


def test_each_reader_gets_every_line_and_one_that_never_reads_loses_the_oldest() -> None:
    sink = SocketSink("ws://127.0.0.1:0")
    many = 40 * MOST_WAITING

    async def follow() -> list[int]:
        async with aiohttp.ClientSession() as client:
            good = await client.ws_connect(f"ws://127.0.0.1:{sink.port}/")
            idle, got = never_reads(sink.port), []
            for number in range(1, many + 1):
                sink.write(replace(FINAL, id=number))
                if number % 50 == 0 or number == many:
                    while len(got) < number:
                        got.append(json.loads(await good.receive_str(timeout=60))["id"])
            idle.close()
            return got

    try:
        assert asyncio.run(follow()) == list(range(1, many + 1))
        assert 0 < sink.lost < many
    finally:
        sink.close()
    sink.close()
    sink.write(FINAL)


def test_web_pages_and_other_machines_are_refused() -> None:
    sink = SocketSink("ws://127.0.0.1:0")

    async def visit() -> int:
        async with aiohttp.ClientSession() as client:
            headers = {"Origin": "http://evil.example"}
            async with client.get(f"http://127.0.0.1:{sink.port}/", headers=headers) as answer:
                return answer.status

    try:
        assert asyncio.run(visit()) == 403
        with pytest.raises(OSError, match="another port"):
            SocketSink(f"ws://127.0.0.1:{sink.port}")
    finally:
        sink.close()
    assert parse_address("ws://127.0.0.1:8765") == ("127.0.0.1", 8765)
    for wrong in ("ws://0.0.0.0:1", "ws://127.0.0.1", "ws://127.0.0.1:99999", "ws://10.0.0.1:80"):
        with pytest.raises(ValueError, match="this machine"):
            check_events_path(wrong)


def test_readers_get_the_start_first_and_markers_come_in_by_http() -> None:
    sink = SocketSink("ws://127.0.0.1:0")
    got: list[Marker] = []

    def mark(text: str, by: str) -> Marker | None:
        if not text:
            raise ValueError("A marker is a line of 1 to 200 characters.")
        if not got and text == "early":
            return None
        got.append(Marker(7_000_000, text, by))
        sink.mark(got[-1])
        return got[-1]

    async def visit() -> list[object]:
        async with aiohttp.ClientSession() as client:
            url = f"http://127.0.0.1:{sink.port}"
            found: list[object] = []
            sink.started(start_time(time.monotonic_ns(), live=True))
            async with client.ws_connect(url) as reader:
                found.append(json.loads(await reader.receive_str(timeout=60))["type"])
                for body, headers in (
                    ("early", {}),
                    ("", {}),
                    ("\xff", {}),
                    ("onset", {"Origin": "http://evil.example"}),
                    ("onset of block 2", {}),
                ):
                    data = body.encode("latin-1")
                    async with client.post(f"{url}/marker", data=data, headers=headers) as answer:
                        found.append(answer.status)
                found.append(json.loads(await reader.receive_str(timeout=60)))
            async with client.ws_connect(url) as late:
                found.append(json.loads(await late.receive_str(timeout=60))["type"])
            return found

    try:
        sink.mark_by = mark
        found = asyncio.run(visit())
    finally:
        sink.close()
    marker = {"type": "marker", "t_s": 0.007, "text": "onset of block 2", "by": "http"}
    assert found == ["start", 503, 400, 400, 403, 200, marker, "start"]


def test_each_key_is_a_marker_and_the_terminal_is_left_as_it_was() -> None:
    termios = pytest.importorskip("termios", reason="terminals of Unix")
    code = """
import os, sys, threading, termios
from mer_live.realtime.markers.keys import KeyMarkers
keys, two = [], threading.Event()
def pressed(key):
    keys.append(key)
    if len(keys) == 3: two.set()
before = termios.tcgetattr(0)
with KeyMarkers(pressed) as markers:
    print("READY" if markers.listens else "DEAF", flush=True)
    two.wait(60)
print(keys, termios.tcgetattr(0) == before, flush=True)
"""
    controller, terminal = os.openpty()
    command = [sys.executable, "-c", "import os; os.login_tty(0)\n" + code]
    with subprocess.Popen(command, stdin=terminal, stdout=subprocess.PIPE, start_new_session=True) as process:
        # login_tty gives stdout to the terminal too
        os.close(terminal)
        said = b""
        while b"READY" not in said and b"DEAF" not in said:
            said += os.read(controller, 1000)
        os.write(controller, "a é".encode())
        while not said.endswith(b"\n") or b"]" not in said:
            said += os.read(controller, 1000)
        process.wait(60)
    os.close(controller)
    assert termios is not None
    assert "['a', 'space', 'é'] True" in said.decode()
    with KeyMarkers(lambda key: None, number=10**6) as deaf:
        assert not deaf.listens


GIVE = """
import sys, time, pylsl
from mer_live.realtime.sinks.lsl import _LOOPBACK
pylsl.set_config_content(_LOOPBACK)
outlet = pylsl.StreamOutlet(pylsl.StreamInfo("stimuli", "Markers", 1, 0, pylsl.cf_string, "test"))
print("READY" if outlet.wait_for_consumers(30) else "NOTHING", flush=True)
sys.stdin.readline()
outlet.push_sample(["picture 4"], float(sys.argv[1]))
sys.stdin.readline()
"""


def test_markers_of_a_stimulus_program_keep_their_times() -> None:
    pylsl = pytest.importorskip("pylsl", reason="LSL needs: pip install pylsl")
    at_s = pylsl.local_clock() - 0.25
    got: list[tuple[str, int]] = []
    came = threading.Event()

    def told(text: str, at_ns: int) -> None:
        got.append((text, at_ns))
        came.set()

    with (
        subprocess.Popen(
            [sys.executable, "-c", GIVE, repr(at_s)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process,
        LslMarkers("stimuli", told),
    ):
        assert process.stdout is not None
        assert process.stdin is not None
        if process.stdout.readline().strip() == "READY":
            process.stdin.write("\n")
            process.stdin.flush()
            came.wait(60)
        process.stdin.close()
    if not got:
        pytest.skip("LSL's multicast finds nothing on this machine's loopback")
    assert got[0][0] == "picture 4"
    assert abs(got[0][1] / 1e9 - at_s) < 1e-3 + abs(pylsl.local_clock() - time.monotonic())


READ = f"""
import pylsl
from mer_live.realtime.sinks.lsl import _LOOPBACK
pylsl.set_config_content(_LOOPBACK)
(found,) = pylsl.resolve_byprop("name", {EVENTS!r}, timeout=30) or (None,)
if found is None:
    print("NOTHING", flush=True)
    raise SystemExit
inlet = pylsl.StreamInlet(found)
inlet.open_stream(timeout=30)
print("READY", flush=True)
line, stamp = inlet.pull_sample(timeout=30)
print(repr(stamp + inlet.time_correction(timeout=30)), line[0], flush=True)
"""


def test_a_second_process_gets_events_with_their_capture_time() -> None:
    pytest.importorskip("pylsl", reason="LSL needs: pip install pylsl")
    now_ns = time.monotonic_ns()
    sink = LslSink(("brow",), epoch_ns=lambda: 0, first_ns=lambda: now_ns)
    with subprocess.Popen([sys.executable, "-c", READ], stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        said = reader.stdout.readline().strip()
        if said != "READY":
            pytest.skip("LSL's multicast finds nothing on this machine's loopback")
        still = np.zeros((1, 2), np.float32)
        sink.motion(Motion(0, now_ns, 1, still, still, still[:, 0], np.zeros(4, np.float32), None))
        sink.write(FINAL)
        stamp, _, line = reader.stdout.readline().partition(" ")
    sink.close()
    assert json.loads(line) == event_line(FINAL)
    assert abs(float(stamp) - (now_ns + FINAL.span.apex.t_ns) / 1e9) < 1e-3


def test_clocks_are_compared_by_their_closest_readings() -> None:
    assert clock_ahead_s(lambda: time.monotonic() + 5) == pytest.approx(5, abs=0.5)
    start = start_time(time.monotonic_ns(), live=True)
    assert start.unix_ns is not None
    assert abs(start.unix_ns - time.time_ns()) < 60e9
    assert start_time(0, live=False).to_json()["utc"] is None
