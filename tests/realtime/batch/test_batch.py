from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.made_session import make_session

from mer_live.benchmarks.archive import done, kill_a_worker, make_archive, without_compute
from mer_live.benchmarks.web.server import free_port
from mer_live.realtime.batch.analyse import row_of
from mer_live.realtime.batch.journal import JOURNAL, BatchJournal, JournalError
from mer_live.realtime.batch.page import add_up, write_page
from mer_live.realtime.batch.recordings import ArchiveItem, find_recordings
from mer_live.realtime.batch.tables import EVENTS, PARQUET, RECORDINGS, write_tables
from mer_live.realtime.measured.speaking import SpeakingTime
from mer_live.realtime.types import Speaking

LIVE = [sys.executable, "-m", "mer_live.realtime.cli"]
BATCH = [*LIVE, "batch", "--bundle", "madtn"]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four recordings of 1.5 s, one of which is no video."""
    folder = tmp_path_factory.mktemp("archive") / "a"
    make_archive(folder, 3)
    (folder / "more").mkdir()
    (folder / "more" / "broken.mp4").write_bytes(b"no video" * 100)
    return folder


def batch(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BATCH, *map(str, arguments)], capture_output=True, text=True, timeout=280, check=False
    )


@pytest.mark.slow
def test_an_archive_has_the_events_of_single_runs_also_where_a_worker_was_killed(
    archive: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    command = [*BATCH, str(archive), "--out", str(out), "--jobs", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        kill_a_worker(process, out / JOURNAL, 1)
        said, wrong = process.communicate(timeout=280)
    assert process.returncode == 0, wrong.decode()
    assert str(out / "index.html") in said.decode()
    with (out / RECORDINGS).open(newline="") as file:
        rows = {row["recording"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["000.mp4", "001.mp4", "002.mp4", "more/broken.mp4"]
    assert "broken.mp4" in rows["more/broken.mp4"]["reason"]
    assert {rows[name]["reason"] for name in list(rows)[:3]} == {""}
    assert {rows[name]["frames"] for name in list(rows)[:3]} == {"300"}
    assert all(float(rows[name]["usable"]) == 1 for name in list(rows)[:3])
    events = without_compute(out / EVENTS)
    assert events
    for name in list(rows)[:3]:
        alone = tmp_path / "alone.jsonl"
        single = [*LIVE, "--bundle", "madtn", "--video", str(archive / name), "--no-ui"]
        subprocess.run([*single, "--events", str(alone)], check=True, capture_output=True, timeout=120)
        last = {line["id"]: line for line in map(json.loads, alone.read_text().splitlines()) if "id" in line}
        wanted = [line for line in last.values() if line["type"] == "event"]
        found = [row for row in events if row["recording"] == name]
        assert [(row["revision"], row["score"], row["apex_s"], row["prob_negative"]) for row in found] == [
            tuple(str(one) for one in (e["revision"], e["score"], e["apex_s"], e["probs"]["negative"]))
            for e in wanted
        ]
    again = batch(archive, "--out", out, "--jobs", 1)
    assert again.returncode == 0, again.stderr
    assert done(out / JOURNAL) == 4, "nothing was left to do"
    other = batch(archive, "--out", out, "--sensitivity", 0.7)
    assert other.returncode == 2
    assert "another config" in other.stderr


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of Unix")
def test_a_batch_that_was_killed_goes_on_and_leaves_no_worker(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with subprocess.Popen([*BATCH, str(archive), "--out", str(out), "--jobs", "2"]) as process:
        until = time.monotonic() + 240
        while done(out / JOURNAL) < 1 and time.monotonic() < until:
            assert process.poll() is None
            time.sleep(0.02)
        workers = psutil.Process(process.pid).children()
        process.kill()
    before = done(out / JOURNAL)
    psutil.wait_procs(workers, timeout=60)
    assert not [one for one in workers if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    with (out / JOURNAL).open("ab") as file:
        file.write(b'{"type": "recording", "recording": "00')  # a power cut
    again = batch(archive, "--out", out, "--jobs", 1)
    assert again.returncode == 0, again.stderr
    assert before >= 1
    assert done(out / JOURNAL) == 4
    names = [json.loads(line)["recording"] for line in (out / JOURNAL).read_text().splitlines()[1:]]
    assert len(set(names)) == 4


def test_folders_and_lists_name_recordings(tmp_path: Path) -> None:
    root = tmp_path / "r"
    (root / "b").mkdir(parents=True)
    for name in ("b/two.AVI", "one.mp4", ".hidden.mp4", "notes.txt"):
        (root / name).write_bytes(b"x")
    make_session(root / "session")
    found = find_recordings(root, 100.0)
    assert [one.name for one in found] == ["b/two.AVI", "one.mp4", "session"]
    assert {one.fps for one in found} == {100.0}
    assert found[2].bytes > 1
    listed = root / "list.csv"
    listed.write_text("path;fps\none.mp4;200,5\nb/two.AVI;\nnowhere.mp4;\n")
    found = find_recordings(listed)
    assert [(one.name, one.fps, one.bytes) for one in found] == [
        ("b/two.AVI", None, 1),
        ("nowhere.mp4", None, 0),
        ("one.mp4", 200.5, 1),
    ]
    for content, says in (
        ("file\none.mp4\n", "no column path"),
        ("path\none.mp4\none.mp4\n", "twice"),
        ("path,fps\none.mp4,-1\n", "line 2"),
        ("path\n", "no recording"),
    ):
        listed.write_text(content)
        with pytest.raises(ValueError, match=says):
            find_recordings(listed)
    with pytest.raises(ValueError, match="no recording"):
        find_recordings(tmp_path / "nowhere")


def one(name: str, size: int = 5) -> ArchiveItem:
    return ArchiveItem(name, name, None, size, 7)


def test_a_journal_keeps_what_is_done(tmp_path: Path) -> None:
    with BatchJournal(tmp_path, {"config": {"a": 1}}) as journal:
        for name, reason in (("a", ""), ("b", "broken")):
            journal.add(row_of(one(name), reason))
        if os.name == "posix":
            with pytest.raises(JournalError, match="another mer-live batch"):
                BatchJournal(tmp_path, {"config": {"a": 1}})
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(b'{"type": "recording", "recording": "c')
    with BatchJournal(tmp_path, {"config": {"a": 1}}) as journal:
        every = [one("a"), one("b"), one("c")]
        assert [r.name for r in journal.left(every)] == ["c"]
        assert [r.name for r in journal.left(every, failed_again=True)] == ["b", "c"]
        assert [r.name for r in journal.left([one("a", 6), one("b")])] == ["a"]
        journal.add(row_of(one("b")))
        assert [(row["recording"], row["reason"]) for row in journal.rows()] == [("a", ""), ("b", "")]
    with pytest.raises(JournalError, match="another config"):
        BatchJournal(tmp_path, {"config": {"a": 2}})
    (tmp_path / JOURNAL).write_text("something\n")
    with pytest.raises(JournalError, match="not written by"):
        BatchJournal(tmp_path, {"config": {"a": 1}})


def rows() -> list[dict[str, Any]]:
    event = {
        **{"type": "event", "id": 1, "revision": 3, "state": "settled", "label": "surprise", "score": 0.9},
        **{"probs": {"negative": 0.1, "positive": 0.2, "surprise": 0.7}, "engine": "mtm", "backend": "x"},
        **{"onset_s": 1.0, "apex_s": 1.1, "offset_s": None, "decided_s": 1.2, "delay_ms": 1.0},
        **{"compute_ms": 3.0, "onset_frame": 1, "apex_frame": 2, "offset_frame": None},
        "face": {"id": 1, "box": [1, 2, 3, 4]},
    }
    good = row_of(one("a<b>.mp4")) | {"length_s": 120.0, "usable": 0.5, "speaking": 0.25, "fps": 200.0}
    return [good | {"events": [event, event | {"id": 2}]}, row_of(one("c"), "damaged & gone")]


def test_tables_agree_and_the_page_tells_counts_rates_and_shares(tmp_path: Path) -> None:
    totals = add_up(rows())
    assert (totals["recordings"], totals["failed"], totals["surprise"]) == (2, 1, 2)
    written = write_tables(rows(), tmp_path)
    with (tmp_path / EVENTS).open(newline="") as file:
        events = list(csv.DictReader(file))
    assert [(row["recording"], row["id"], row["face_box"]) for row in events] == [
        ("a<b>.mp4", "1", "1 2 3 4"),
        ("a<b>.mp4", "2", "1 2 3 4"),
    ]
    with (tmp_path / RECORDINGS).open(newline="") as file:
        assert [row["surprise"] for row in csv.DictReader(file)] == ["2", "0"]
    write_page(rows(), totals, tmp_path / "index.html", "archive")
    page = (tmp_path / "index.html").read_text()
    assert "a&lt;b&gt;.mp4" in page
    assert "damaged &amp; gone" in page
    assert "<td>2.00</td>" in page, "two events in a minute of usable face"
    assert "25%" in page
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet is an extra: mer-live[archive]")
    assert tmp_path / PARQUET in written
    table = parquet.read_table(tmp_path / PARQUET).to_pylist()
    assert [(row["recording"], row["id"], row["offset_s"]) for row in table] == [
        ("a<b>.mp4", 1, None),
        ("a<b>.mp4", 2, None),
    ]
    assert table[0]["prob_surprise"] == 0.7


def test_speaking_is_summed_with_what_goes_on() -> None:
    spoke = SpeakingTime()
    spoke.add((Speaking(10, None),))
    assert spoke.total_ns(25) == 15
    spoke.add((Speaking(10, 30), Speaking(50, None)))
    assert spoke.total_ns(60) == 30


@pytest.mark.slow
def test_a_ray_cluster_has_the_events_of_this_machine(archive: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is an extra: pip install 'mer-live[ray]'")
    port = free_port()
    head = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--port", str(port)]
    head += ["--num-cpus", "1", "--include-dashboard", "false", "--disable-usage-stats"]
    said, one = tmp_path / "head.log", tmp_path / "one"
    one.mkdir()
    (one / "000.mp4").write_bytes((archive / "000.mp4").read_bytes())
    with (
        said.open("w") as log,
        subprocess.Popen(head, stdout=log, stderr=log) as cluster,
    ):
        try:
            until = time.monotonic() + 240
            while "Ray runtime started" not in said.read_text() and time.monotonic() < until:
                assert cluster.poll() is None, said.read_text()
                time.sleep(0.1)
            remote = batch(
                *(one, "--out", tmp_path / "ray", "--executor", "ray"),
                *("--address", f"127.0.0.1:{port}", "--bundle", "mtm"),
            )
        finally:
            mine = [psutil.Process(cluster.pid), *psutil.Process(cluster.pid).children(recursive=True)]
            cluster.terminate()
            for left in psutil.wait_procs(mine, timeout=30)[1]:
                left.kill()
    assert remote.returncode == 0, remote.stderr
    local = batch(one, "--out", tmp_path / "local", "--jobs", 1, "--bundle", "mtm")
    assert local.returncode == 0, local.stderr
    found = without_compute(tmp_path / "ray" / EVENTS)
    assert found
    assert found == without_compute(tmp_path / "local" / EVENTS)
