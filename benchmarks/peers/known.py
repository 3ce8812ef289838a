"""Which packages a user might pick instead: those measured, and those that cannot be, with the reason."""

from __future__ import annotations

from dataclasses import dataclass

_TENSORFLOW = (
    "tensorflow-cpu==2.21.0; platform_system != 'Darwin'",
    "tensorflow==2.21.0; platform_system == 'Darwin'",
    "opencv-contrib-python==4.14.0.94",
    "numpy==2.4.6",
    "setuptools==80.10.2",  # later ones lack pkg_resources
)


@dataclass(frozen=True, slots=True)
class Peer:
    """One package, its environment, and what it offers."""

    name: str
    adapter: str
    """Name in ``runner.ADAPTERS``."""
    package: str = ""
    """Installed into an environment of its own; empty: it is part of ours."""
    pins: tuple[str, ...] = ()
    """What the measured part of it imports; the package itself is installed without its dependencies."""
    answer: str = "7 emotion scores a frame"
    events: str = "no"
    phases: str = "no"
    clock: str = "none"
    lost: str = "no"


PEERS = (
    Peer(
        "mer-live",
        "mer-live",
        answer="micro-expressions: class, score, times",
        events="yes, provisional and final",
        phases="yes",
        clock="at capture",
        lost="counted",
    ),
    Peer(
        "mediapipe blendshapes",
        "mediapipe",
        answer="52 blendshapes a frame",
        clock="given by the caller",
        lost="LIVE_STREAM drops unseen",
    ),
    # The newest, in an environment of its own: releases after 0.10.33 send usage metrics, so mer-live stays there.
    Peer(
        "mediapipe newest",
        "mediapipe",
        "mediapipe==1.2.3",
        (
            "absl-py==2.5.1",
            "certifi==2026.10.19.post1",
            "flatbuffers==25.12.19",
            "sounddevice==0.5.6",
            "matplotlib==3.11.2",
            "numpy==2.4.6",
            "opencv-contrib-python==5.1.0.95",
        ),
        answer="52 blendshapes a frame",
        clock="given by the caller",
        lost="LIVE_STREAM drops unseen",
    ),
    # Its other dependencies (torch for MTCNN faces, moviepy, pandas) serve options that are off by default.
    Peer("fer", "fer", "fer==25.10.3", (*_TENSORFLOW, "pillow==13.0.0", "requests==2.34.2")),
    Peer("facex", "facex", "facex==1.1.0", (*_TENSORFLOW, "scikit-image==0.26.0")),
)

FEATURES = {
    "answers with": "answer",
    "events": "events",
    "onset, apex, offset": "phases",
    "clock": "clock",
    "lost frames": "lost",
}
"""Column of the feature table -> attribute of ``Peer``."""

NOT_RUN = (
    ("facemood 1.0.1", "takes no frames: its one function opens camera 0 and a window"),
    (
        "py-feat 2.1.5",
        "its wheel (10.6 MB: videos of its tests) holds no weights; fetches them from Hugging Face at the first run",
    ),
    ("deepface 0.0.103", "fetches its weights from GitHub at the first run"),
    ("libreface 0.2.0", "fetches its weights from Google Drive at the first run"),
    ("emotiefflib 1.1.1", "fetches its weights from GitHub at the first run"),
    ("hsemotion-onnx 0.3.1", "fetches its weights from GitHub at the first run"),
    ("rmn 3.3.0", "fetches its weights from Hugging Face at the first run"),
    ("erml 1.0.1", "fetches its weights from GitHub at the first run"),
    ("pypaz 0.2.5", "fetches its weights from GitHub at the first run"),
    ("fer-pytorch 1.1.2", "fetches its weights from GitHub at the first run; needs Python 3.10 or older"),
    (
        "FFEM 0.4.4",
        "built on deepface, which fetches its weights; pins TensorFlow 2.10 (Python 3.10 or older)",
    ),
    ("deepface-cv2 0.0.1", "ships no weights: it expects an ONNX file in the home folder"),
    ("OpenFace 2.2", "not a Python package: it is built from C++ and fetches its models by a script"),
)
