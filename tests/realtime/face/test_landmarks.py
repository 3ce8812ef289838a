from __future__ import annotations

import mmap
import re
from importlib.metadata import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.face_meshes import on_canvas

from mer_live.realtime.face import landmarks
from mer_live.realtime.face.anchor import face_width
from mer_live.realtime.face.landmarks import Landmarker, LandmarkerError, detect_landmarks, load_landmarker


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    data = pytest.importorskip("skimage.data", reason="the portrait comes with scikit-image")
    return np.ascontiguousarray(data.astronaut()[:, :, ::-1])


def test_a_portrait_has_one_face_where_it_is(portrait: np.ndarray) -> None:
    found = detect_landmarks(portrait)
    assert found is not None
    assert found.shape == (478, 2)
    assert found.dtype == np.float32
    assert np.abs(found[1] - (226, 127)).max() < 20  # tip of the nose
    assert 80 < face_width(found) < 110
    np.testing.assert_array_equal(found, detect_landmarks(portrait))


def test_nobody_is_nobody() -> None:
    assert detect_landmarks(np.full((480, 640, 3), 120, np.uint8)) is None


def test_the_block_read_equals_the_public_interface(portrait: np.ndarray) -> None:
    """The struct is read past mediapipe's Python objects; an upgrade that moves a field must show."""
    import mediapipe as mp

    rgb = np.ascontiguousarray(portrait[:, :, ::-1])
    with Landmarker() as landmarker:
        (fast,) = landmarker.detect_rgb(rgb)
        slow = landmarker._task.detect(mp.Image(mp.ImageFormat.SRGB, rgb)).face_landmarks[0]
    np.testing.assert_array_equal(fast.landmarks, np.array([(p.x, p.y) for p in slow], np.float32) * 512)
    x0, y0, x1, y1 = fast.box
    assert (x1 - x0) < (y1 - y0) < 200


def test_the_largest_of_two_faces(faces: Path) -> None:
    one, two = faces / "001_neutral.jpg", faces / "002_neutral.jpg"
    found = detect_landmarks(on_canvas([(one, 0, 0, 240), (two, 280, 100, 360)]))
    assert found is not None
    assert found[1, 0] > 320


def test_a_damaged_model_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "face.task"
    broken.write_bytes(b"not a model")
    with pytest.raises(LandmarkerError, match="damaged"):
        load_landmarker(broken)
    with pytest.raises(LandmarkerError, match="reinstall"):
        load_landmarker(tmp_path / "none.task")
    assert len(load_landmarker()) == 3_758_596


def test_a_missing_system_library_names_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    from mediapipe.tasks.python.vision import FaceLandmarker

    def fail(options: Any) -> None:
        raise OSError("libEGL.so.1: cannot open shared object file")

    monkeypatch.setattr(FaceLandmarker, "create_from_options", fail)
    with pytest.raises(LandmarkerError, match=r"libEGL.*apt-get install -y .*libegl1 libgles2"):
        Landmarker()


def test_start_up_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    Landmarker().close()
    assert capfd.readouterr().err == ""


def test_no_stderr_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(descriptor: int) -> int:
        raise OSError("bad file descriptor")

    monkeypatch.setattr(landmarks.os, "dup", closed)
    Landmarker().close()


def test_mediapipe_holds_no_telemetry_address() -> None:
    """From 0.10.35 its tasks send usage metrics with no way to opt out (mediapipe issue 6291)."""
    binaries = [
        Path(str(f.locate()))
        for f in files("mediapipe") or []
        if f.suffix in {".so", ".dylib", ".pyd", ".dll"}
    ]
    assert binaries
    for path in binaries:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            assert re.search(rb"play\.googleapis\.com", content) is None, f"{path} phones home"
