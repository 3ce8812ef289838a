"""Inputs that nobody would make, and everybody gets: mutilated files, random stamps, trees, lists and sheets.

What must hold: no traceback but one sentence, an end, outputs in order, and counts that add up.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from support import trees
from support.fuzzing import cases
from support.video_clips import frames, write_video

from mer_live.benchmarks.published import layouts
from mer_live.engines.csv_file import CsvError, read_columns
from mer_live.realtime.ring import FrameRing
from mer_live.realtime.sources.config import CameraConfig, SourceError
from mer_live.realtime.sources.open import open_source
from mer_live.realtime.sources.sequence import SequenceError, order_pictures
from mer_live.realtime.sources.stamps import Mender
from mer_live.realtime.sources.video import FileSource
from mer_live.training.datasets import read_dataset
from mer_live.training.datasets.sample import DatasetError

CONTAINERS = {
    "a.mp4": {"codec": "libx264"},
    "a.mkv": {"codec": "libx264", "options": {"bf": "2"}},
    "a.avi": {"codec": "mjpeg", "pix_fmt": "yuvj420p"},
    "a.ts": {"codec": "libx264", "container_format": "mpegts"},
    "a.webm": {"codec": "libvpx", "container_format": "webm"},
}


@functools.cache
def whole(name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write_video(Path(folder) / name, frames(24), **CONTAINERS[name]).read_bytes()  # type: ignore[arg-type]


def play(path: Path, fps: float | None) -> None:
    """Whatever it is: an end within the test's time, frames in order, and every frame accounted for."""
    try:
        source = open_source(CameraConfig(source=str(path), fps=fps))
    except SourceError as error:
        assert "\n" not in str(error)  # noqa: PT017  (either end is right)
        return
    if isinstance(source, FileSource):
        found = source.scan()
        assert found is not None
        assert 0 <= found.share <= 1
        assert len(list(source.glimpses(3))) <= 4
    with source:
        ring = FrameRing(4, *source.size[::-1], block=True)
        with ring.reader() as reader:
            source.start(ring)
            seen = [(frame.index, frame.t_ns, frame.stretch) for frame in iter(lambda: reader.read(20), None)]
        assert source.join(20)
    assert source.error is None or isinstance(source.error, SourceError)
    assert len(seen) == source.captured
    assert reader.dropped == 0
    for column in range(3):
        values = [row[column] for row in seen]
        assert values == sorted(values)
    assert len({row[1] for row in seen}) == len(seen)


@cases(0.2)
@given(data=st.data())
def test_containers_mutilated_by_bytes(tmp_path: Path, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(CONTAINERS)))
    content = bytearray(whole(name))
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["flip", "zero", "cut", "drop", "double"])):
            case "flip":
                content[at] ^= data.draw(st.integers(1, 255))
            case "zero":
                content[at : at + 64] = bytes(len(content[at : at + 64]))
            case "cut":
                del content[max(1, at) :]
            case "drop":
                del content[at : at + data.draw(st.integers(1, 500))]
            case "double":
                content[at:at] = content[at : at + 188]
        if len(content) < 2:
            break
    path = tmp_path / name
    path.write_bytes(content)
    play(path, data.draw(st.sampled_from([None, 200.0])))


@cases(0.1)
@given(data=st.data())
def test_transport_streams_mutilated_by_packets(tmp_path: Path, data: st.DataObject) -> None:
    content = whole("a.ts")
    packets = [content[k : k + 188] for k in range(0, len(content), 188)]
    order = data.draw(st.lists(st.integers(0, len(packets) - 1), max_size=2 * len(packets)))
    path = tmp_path / "a.ts"
    path.write_bytes(b"".join(packets[k] for k in order))
    play(path, None)


@cases(0.15)
@given(
    st.lists(
        st.none() | st.integers(-(10**16), 10**16) | st.integers(0, 20).map(lambda k: k * 5_000_000),
        max_size=60,
    ),
    st.none() | st.integers(1, 10**9),
)
def test_random_stamps(raw: list[int | None], period_ns: int | None) -> None:
    mender = Mender(period_ns)
    stamps = [mender.add(t, raw[k + 1] if k + 1 < len(raw) else None) for k, t in enumerate(raw)]
    assert stamps == sorted(stamps)
    assert len({stamp.t_ns for stamp in stamps}) == len(stamps)
    assert (
        sum(stamp.stretch for stamp in stamps[-1:])
        == mender.mended.rewinds + mender.mended.leaps + mender.mended.pauses
    )


NAMES = st.text("abimgIMG_-. ()0123456789²é", min_size=1, max_size=14)


@cases(0.15)
@given(
    st.lists(
        st.tuples(NAMES, st.sampled_from([".png", ".jpg", ".PNG", ".txt", ""])), max_size=20, unique=True
    )
)
def test_random_picture_names(pairs: list[tuple[str, str]]) -> None:
    names = [stem + suffix for stem, suffix in pairs]
    try:
        found = order_pictures(names)
    except SequenceError:
        return
    assert list(found.numbers) == sorted(set(found.numbers))
    assert len(found.names) == len(found.numbers)
    assert set(found.names).isdisjoint(found.left_out)
    assert set(found.names) | set(found.left_out) <= set(names)


@cases(0.1)
@given(
    content=st.binary(max_size=300)
    | st.text("path,subjectlabel;\"'=\t\n\r0.7-é\0", max_size=300).map(str.encode)
)
def test_random_csv(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    try:
        rows = read_columns(path, ("path",))
    except CsvError as error:
        assert str(path) in str(error)  # noqa: PT017  (either end is right)
        return
    assert all(set(row) >= {"path", "line"} for row in rows)


CELLS = st.sampled_from(
    [None, "", "/", "?", "\\\\", -1, 0, 3, 6.4, "4", "4,5", "1e9", True, "sub", float("inf"), "=1/0"]
)


@cases(0.05)
@given(data=st.data())
def test_random_sheets(tmp_path: Path, data: st.DataObject) -> None:
    if not (tmp_path / "sub0001_01").is_dir():
        trees.write_frames(tmp_path / "sub0001_01", range(1, 9), "{}.png")
    header = ["Subject", "Filename", "OnsetFrame", "ApexFrame", "OffsetFrame", "Emotion", "Fps", "AU"]
    rows = data.draw(st.lists(st.lists(CELLS, min_size=4, max_size=4), max_size=6))
    table = [["sub0001", "sub0001_01", *row[:3], "surprise", 200, row[3]] for row in rows]
    layouts.write_sheet(tmp_path / "training_full_with_AU.xlsx", {"s": [header, *table]})
    try:
        reading = read_dataset("dfme", tmp_path)
    except DatasetError:
        return
    assert len(reading.samples) + len(reading.skipped) == len(rows)
    for sample in reading.samples:
        assert sample.onset >= 1
        assert sample.apex is None or sample.onset < sample.apex


def test_a_folder_of_random_bytes(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for k in range(8):
        (tmp_path / f"img{k}.png").write_bytes(rng.bytes(200))
    play(tmp_path, 100.0)
    cv2.imwrite(str(tmp_path / "img0.png"), np.zeros((8, 8), np.uint8))
    play(tmp_path, 100.0)
