from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.events import PROVISIONAL
from typer.testing import CliRunner

from mer_live.realtime.cli import run
from mer_live.realtime.cli.main import app
from mer_live.realtime.outputs import check_outputs, open_output, pipes_held, write_report
from mer_live.realtime.sinks.jsonl import JsonlSink
from mer_live.realtime.sources.config import SourceError

LIVE = [sys.executable, "-m", "mer_live.realtime.cli.main", "--bundle", "madtn"]


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"a video that must stay")
    return path


@pytest.fixture
def _nothing_loads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "load_bundle", lambda name: pytest.fail("the engines were loaded"))


@pytest.mark.usefixtures("_nothing_loads")
def test_no_output_is_an_input_or_another_output(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    os.link(video, tmp_path / "same.jsonl")
    (tmp_path / "link.jsonl").symlink_to(video)
    notes = tmp_path / "notes.jsonl"
    notes.write_text("my own notes\n")
    for arguments in (
        ["--report", str(video)],
        ["--report", "./a.mp4"],
        ["--events", "same.jsonl"],
        ["--events", "link.jsonl"],
        ["--events", "r.jsonl", "--report", "r.jsonl"],
        ["--events", "./e.jsonl", "--events", "e.jsonl"],
        ["--events", "-", "--events", "-"],
        ["--events", "notes.jsonl"],
        ["--report", "notes.jsonl"],
        ["--report", "."],
        ["--duration", "nan"],
    ):
        result = CliRunner().invoke(app, ["--video", str(video), *arguments])
        assert result.exit_code == 2, arguments
        assert len(result.stderr.strip().splitlines()) == 1
    assert video.read_bytes() == b"a video that must stay"
    assert notes.read_text() == "my own notes\n"


def test_what_mer_live_wrote_may_be_written_again(tmp_path: Path) -> None:
    events, report = tmp_path / "e.jsonl", tmp_path / "r.json"
    JsonlSink(events).close()
    write_report(report, {"source": "a camera"})
    check_outputs([str(events)], report, 0)
    events.write_text('{"type": "event"}\n')
    check_outputs([str(events)], report, "b.mp4")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are a matter of POSIX")
def test_a_pipe_without_a_reader_is_an_error_and_not_a_wait(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="nobody reads"):
        open_output(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with open_output(pipe) as file:
        file.write("x\n")
        file.flush()
        assert os.read(reader, 9) == b"x\n"
    os.close(reader)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are a matter of POSIX")
def test_a_pipe_without_a_reader_is_told_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)

    def load(*_: object) -> None:
        raise SourceError("something was loaded")

    for name in ("preload", "load_bundle", "open_recognizer"):
        monkeypatch.setattr(run, name, load)
    command = ["--demo", "--no-ui", "--events", str(pipe)]
    done = CliRunner().invoke(app, command)
    assert (done.exit_code, "start its reader first" in done.output) == (1, True)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    done = CliRunner().invoke(app, command)
    assert (done.exit_code, "something was loaded" in done.output) == (3, True)
    os.close(reader)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes with names are a matter of POSIX")
def test_the_reader_of_a_pipe_sees_one_end(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with pipes_held([str(pipe), "-", str(tmp_path / "none.jsonl")]):
        with pytest.raises(BlockingIOError):
            os.read(reader, 9)  # there is a writer, and nothing yet
        with open_output(pipe) as file:
            file.write("x\n")
        assert os.read(reader, 9) == b"x\n"
    assert os.read(reader, 9) == b""
    os.close(reader)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_is_said_with_the_files_name_and_leaves_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = tmp_path / "r.json"

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"r\.json.*no space left on device.*free some space"):
        write_report(report, {})
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    sink = JsonlSink("/dev/full")
    with pytest.raises(OSError, match=r"/dev/full.*free some space"):
        sink.write(PROVISIONAL)
    with contextlib.suppress(OSError):
        sink.close()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals and shells of POSIX")
@pytest.mark.parametrize("ending", ["INT", "TERM", "HUP", "head", "closed"])
def test_every_ending_leaves_complete_files(tmp_path: Path, ending: str) -> None:
    report, events = tmp_path / "r.json", tmp_path / "e.jsonl"
    command = [*LIVE, "--demo", "--report", str(report), "--events", str(events), "--no-ui"]
    if ending == "closed":
        done = subprocess.run(
            ["sh", "-c", 'exec "$@" >&-', "sh", *command, "--duration", "2"],
            stderr=subprocess.PIPE, text=True, timeout=200,
        )  # fmt: skip
        assert done.returncode == 0
        assert len(done.stderr.splitlines()) <= 2
    elif ending == "head":
        done = subprocess.run(
            ["bash", "-c", '"$@" | head -1; exit ${PIPESTATUS[0]}', "bash", *LIVE, "--demo", "--report",
             str(report), "--events", "-", "--events", str(events)],
            capture_output=True, text=True, timeout=200,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
    else:
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        process.stderr.readline()  # the source is named: the run has begun
        process.send_signal(getattr(signal, f"SIG{ending}"))
        _, said = process.communicate(timeout=200)
        assert process.returncode == 0, said
    assert isinstance(json.loads(report.read_text())["frames"]["processed"], int)
    lines = [json.loads(line) for line in events.read_text().splitlines()]
    assert [line["type"] for line in lines[:1]] in ([], ["start"]), "without a frame nothing began"
    assert all(line["id"] for line in lines[1:])
    assert not list(tmp_path.glob("*.partial"))


START = """
import hashlib, sys
from mer_live.realtime.{module} import {where}

def compile_for_ever(*_, **__):
    print("compiling", flush=True)
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # one call into C: Python sees no signal meanwhile

{where}.{name} = compile_for_ever
from mer_live.realtime.{module}.{main} import main
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("program", ["mer-live", "mer-web"])
def test_the_start_can_be_ended_while_engines_compile(
    tmp_path: Path, program: str, ending: signal.Signals
) -> None:
    files = ["--report", str(tmp_path / "r.json"), "--events", str(tmp_path / "e.jsonl")]
    names, arguments = {
        "mer-live": (("cli", "run", "open_recognizer", "main"), ["--demo", *files]),
        "mer-web": (("web", "start", "open_recognizer", "cli"), ["--port", "0"]),
    }[program]
    script = START.format(**dict(zip(("module", "where", "name", "main"), names, strict=True)))
    with subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        # The suite itself may run where this signal is ignored (nohup), which a child would inherit.
        preexec_fn=lambda: signal.signal(ending, signal.SIG_DFL),
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "compiling\n"
            process.send_signal(ending)
            assert process.wait(60) == -ending
        finally:
            process.kill()
    assert list(tmp_path.iterdir()) == []
