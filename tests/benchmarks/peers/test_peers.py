from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from support.some_bundles import some_bundles

from mer_live.benchmarks.peers import env as peer_env
from mer_live.benchmarks.peers import run as peers
from mer_live.benchmarks.peers.env import PeerError, last_line, offline, python_of
from mer_live.benchmarks.peers.known import NOT_RUN, PEERS, Peer
from mer_live.benchmarks.peers.run import Measured, RawClip, measure, run, tables, unpack
from mer_live.benchmarks.report.page import write_page
from mer_live.realtime.demo.clip import demo_clip

ANSWER = {
    "version": "1.2",
    "start_s": 0.5,
    "frames": 20,
    "fps": 100.0,
    "cores": 1.5,
    "curve_ms": [k / 10 for k in range(101)],
    "live": {"offered": 20, "answered": 10, "cores": 0.7},
    "minute_cpu_s": 8.0,
    "peak_mb": 250.0,
    "attempts": 0,
}
MEDIAPIPE = next(peer for peer in PEERS if peer.adapter == "mediapipe")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> RawClip:
    return unpack(demo_clip(), 20, tmp_path_factory.mktemp("clip"))


def test_the_clip_is_unpacked_as_bare_frames(clip: RawClip) -> None:
    assert (clip.frames, clip.size, round(clip.fps)) == (20, (640, 480), 200)
    assert clip.path.stat().st_size == 20 * 640 * 480 * 3


def test_the_runners_answer_is_the_last_line_whatever_the_package_printed() -> None:
    found = Measured.parse("INFO: Created delegate\n{not this}\n" + json.dumps(ANSWER) + "\n")
    assert (found.version, found.share, found.curve_ms[50], found.events) == ("1.2", 0.5, 5.0, None)


@pytest.mark.parametrize("text", ["", "Traceback", "[1]", json.dumps({**ANSWER, "live": {}})])
def test_an_answer_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        Measured.parse(text)


def test_mediapipe_really_runs(clip: RawClip, tmp_path: Path) -> None:
    found = measure(MEDIAPIPE, clip, tmp_path)
    assert found.frames == found.offered == 20
    assert 0 < found.answered <= 20
    assert 0 < found.curve_ms[0] <= found.curve_ms[50] <= found.curve_ms[100]
    assert found.minute_cpu_s > 0
    assert found.peak_mb is None or 50 < found.peak_mb < 2000
    assert found.attempts in (0, None)
    assert not any(tmp_path.iterdir()), "it runs in our own environment"


def test_mer_live_is_measured_on_the_same_frames(clip: RawClip, tmp_path: Path) -> None:
    found = measure(PEERS[0], clip, tmp_path, some_bundles())
    assert (found.frames, found.offered) == (20, 20)
    assert found.curve_ms[0] > 0
    assert found.minute_cpu_s > 0
    assert found.events is not None


def test_the_tables_have_a_cell_for_every_column() -> None:
    made = tables(PEERS, {"fer": Measured.parse(json.dumps(ANSWER))}, {"facex": "no wheel"})
    assert [len(table["rows"]) for table in made] == [1, len(PEERS), 1 + len(NOT_RUN)]
    for table in made:
        assert {len(row) for row in table["rows"]} == {len(table["columns"])}
    cells = dict(zip(made[0]["columns"], made[0]["rows"][0], strict=True))
    assert (cells["fps"], cells["CPU ms"], cells["seen live %"]) == ("100", "15.0", "50")


@pytest.mark.skipif(not offline(), reason="this system cannot refuse the network to a process")
def test_attempts_to_send_are_refused_and_counted() -> None:
    code = (
        f"import runpy, socket; n = runpy.run_path({str(peers._RUNNER)!r})['unreachable']; before = n()\n"
        "try: socket.create_connection(('192.0.2.1', 80), 1)\n"
        "except OSError: pass\n"
        "print(n() - before)"
    )
    done = subprocess.run(
        [*offline(), sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) >= 1


def test_a_peer_that_fails_is_listed_with_the_reason(tmp_path: Path) -> None:
    absent = Peer("absent", "fer")  # our own environment has no fer
    result = run(quick=True, envs=tmp_path, peers=[absent])
    assert "No module named 'fer'" in result.details["not_run"]["absent"]
    assert result.figure("absent").value is None
    page = write_page([result], tmp_path).read_text(encoding="utf-8")
    for name in ("No module named", *(name for name, _ in NOT_RUN), "onset, apex, offset"):
        assert name in page


def test_a_peer_that_cannot_be_installed_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peer_env, "sys", type("S", (), {"executable": "/bin/false", "version": sys.version}))
    with pytest.raises(PeerError, match="cannot be installed here"):
        python_of(Peer("x", "fer", "fer==25.10.3"), tmp_path)


def test_a_complete_environment_is_used_again_and_a_changed_pin_makes_a_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands: list[list[str]] = []

    def install(command: list[str], peer: Peer) -> None:
        commands.append(command)
        (tmp_path / peer.name).mkdir(exist_ok=True)

    monkeypatch.setattr(peer_env, "_install", install)
    first, second = Peer("x", "fer", "a==1", ("b==1",)), Peer("x", "fer", "a==1", ("b==2",))
    for peer, made in ((first, 3), (first, 3), (second, 6)):
        assert python_of(peer, tmp_path).is_relative_to(tmp_path / "x")
        assert len(commands) == made
    assert commands[1][-1] == "b==1"
    assert commands[2][-2:] == ["--no-deps", "a==1"]


def test_the_reason_is_pips_own_error_before_its_notices() -> None:
    assert (
        last_line("ERROR: No matching distribution\n[notice] new pip\n\n")
        == "ERROR: No matching distribution"
    )
    assert last_line("") == "no reason given"
