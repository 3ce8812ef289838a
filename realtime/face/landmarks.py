"""Face landmarks of one image, from mediapipe's FaceLandmarker and the model that ships with the project."""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import functools
import hashlib
import importlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.engines.errors import BackendError
from mer_live.realtime.config import MOST_FACES
from mer_live.realtime.face.doubt import Doubt, look_again

MODEL_PATH = Path(__file__).parents[1] / "models" / "face_landmarker.task"
MODEL_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
SYSTEM_LIBRARIES = "apt-get install -y libgl1 libxcb1 libglib2.0-0 libegl1 libgles2"

_stderr_lock = threading.Lock()


class LandmarkerError(BackendError):
    """The landmark model or a library below it cannot be used; the message says what to do."""


@dataclass(frozen=True, slots=True)
class FaceDetection:
    """One face in one frame."""

    landmarks: NDArray[np.float32]
    """(478, 2) (x, y) in frame pixels; may lie outside the frame where the face does."""
    doubt: Doubt = ""
    """Only where a look was asked to be confirmed."""

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of all landmarks, frame pixels."""
        x0, y0 = self.landmarks.min(axis=0)
        x1, y1 = self.landmarks.max(axis=0)
        return float(x0), float(y0), float(x1), float(y1)


@functools.cache
def load_landmarker(path: Path = MODEL_PATH) -> bytes:
    """Read the model and check its sha256, once per process.

    Raises:
        LandmarkerError: the file is missing, or is not the one this version was built with.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise LandmarkerError(f"cannot read the face model {path} ({error}): reinstall mer-live") from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != MODEL_SHA256:
        raise LandmarkerError(f"the face model {path} is damaged (sha256 {digest}): reinstall mer-live")
    return data


def preload() -> None:
    """For commands: begin to import mediapipe beside whatever else is being loaded; it takes most of a second.

    It imports matplotlib and sounddevice, for pictures and sounds that no command makes with it: they are spared.
    A failure shows where the import is really needed: in `Landmarker`.
    """

    def load() -> None:
        names = ("matplotlib", "matplotlib.pyplot", "sounddevice")
        spared = [name for name in names if name not in sys.modules]
        sys.modules |= {name: ModuleType(name) for name in spared}
        with contextlib.suppress(Exception):
            importlib.import_module("mediapipe")
        for name in spared:
            del sys.modules[name]

    if "mediapipe" not in sys.modules:
        threading.Thread(target=load, name="mediapipe-import", daemon=True).start()


class Landmarker:
    """FaceLandmarker in IMAGE mode: each answer depends on its image alone.

    VIDEO mode is 3 ms faster and a little smoother, but what it answers depends on every frame before;
    without that memory a restart loses nothing and a file gives the same landmarks at any pace.
    """

    def __init__(self, num_faces: int = MOST_FACES) -> None:
        model = load_landmarker()
        try:
            import mediapipe as mp
            from mediapipe.tasks.python import BaseOptions
            from mediapipe.tasks.python.vision import FaceLandmarker, FaceLandmarkerOptions, RunningMode
            from mediapipe.tasks.python.vision.face_landmarker import FaceLandmarkerResultC

            self._image: Callable[[NDArray[np.uint8]], Any] = functools.partial(mp.Image, mp.ImageFormat.SRGB)
            self._result_type: Any = FaceLandmarkerResultC
            options = FaceLandmarkerOptions(
                base_options=BaseOptions(model_asset_buffer=model),
                running_mode=RunningMode.IMAGE,
                num_faces=num_faces,
            )
            with _quiet_stderr():
                self._task: Any = FaceLandmarker.create_from_options(options)
                # The first call finishes what the constructor began, and logs as much.
                self.detect_rgb(np.zeros((64, 64, 3), np.uint8))
        except OSError as error:
            raise LandmarkerError(
                f"mediapipe lacks a system library ({error}): on Debian or Ubuntu run `{SYSTEM_LIBRARIES}`"
            ) from error

    def detect_rgb(self, image_rgb: NDArray[np.uint8]) -> tuple[FaceDetection, ...]:
        """Find the faces of a (H, W, 3) contiguous RGB image; the image is not kept.

        The pinned release's own ``detect`` makes 478 Python objects per face, which holds the interpreter
        for over 1 ms, a fifth of a frame at 200 fps; so the result struct is read here as one block.
        """
        scale = np.array([image_rgb.shape[1], image_rgb.shape[0]], np.float32)
        image = self._image(image_rgb)  # held by name: the call below sees only its pointer
        result = self._result_type()
        lib = self._task._lib
        lib.MpFaceLandmarkerDetectImage(self._task._handle, image._image_ptr, None, ctypes.byref(result))
        try:
            return tuple(
                FaceDetection(_points(result.face_landmarks[k]) * scale)
                for k in range(result.face_landmarks_count)
            )
        finally:
            lib.MpFaceLandmarkerCloseResult(ctypes.byref(result))

    def confirm(self, image_rgb: NDArray[np.uint8], face: FaceDetection) -> FaceDetection:
        """Look at a face of ``image_rgb`` once more; a false one, and one upside down, are marked as such."""

        def find(part: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
            return [found.landmarks for found in self.detect_rgb(part)]

        doubt, landmarks = look_again(find, image_rgb, face.landmarks)
        return FaceDetection(landmarks, doubt)

    def detect(self, image_bgr: NDArray[np.uint8]) -> tuple[FaceDetection, ...]:
        """Find the faces of a (H, W, 3) BGR image."""
        return self.detect_rgb(np.asarray(cv2.cvtColor(image_bgr, cv2.COLOR_BGR2RGB), np.uint8))

    def close(self) -> None:
        """Free the graph; a second call does nothing."""
        self._task.close()

    def abandon(self) -> None:
        """Leave it to the ending process: mediapipe's own clean-up needs threads that are gone by then."""
        self._task._handle = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _points(face: Any) -> NDArray[np.float32]:
    """(N, 2) normalised (x, y): the first two floats of each NormalizedLandmarkC."""
    struct = face.landmarks._type_
    raw = ctypes.string_at(face.landmarks, face.landmarks_count * ctypes.sizeof(struct))
    return np.frombuffer(raw, np.float32).reshape(face.landmarks_count, -1)[:, :2]


@contextlib.contextmanager
def _quiet_stderr() -> Iterator[None]:
    """Keep C++ start-up chatter off the terminal; absl logs there before anyone can configure it."""
    with _stderr_lock:
        try:
            saved = os.dup(2)
        except OSError:  # no stderr at all, as under pythonw
            yield
            return
        try:
            with open(os.devnull, "wb") as sink:
                os.dup2(sink.fileno(), 2)
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)


@functools.lru_cache(maxsize=1)
def _shared_landmarker(pid: int) -> tuple[Landmarker, threading.Lock]:
    # Keyed by process: a graph's threads do not survive a fork.
    landmarker = Landmarker()
    atexit.register(landmarker.abandon)
    return landmarker, threading.Lock()


def detect_landmarks(image_bgr: NDArray[np.uint8]) -> NDArray[np.float32] | None:
    """Landmarks of the largest face, for offline use; the landmarker is made once and kept.

    Args:
        image_bgr: (H, W, 3) uint8 BGR.

    Returns:
        (478, 2) float32 (x, y) in image pixels, or None where there is no face.

    Raises:
        LandmarkerError: as `Landmarker`.
    """
    landmarker, lock = _shared_landmarker(os.getpid())
    with lock:
        faces = landmarker.detect(image_bgr)
    return max(
        (face.landmarks for face in faces), key=lambda p: float(np.ptp(p, axis=0).prod()), default=None
    )
