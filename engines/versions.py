"""Versions of what computes, as reports and cards state them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import metadata

PACKAGES = (
    "python", "mer-live", "numpy", "opencv-contrib-python", "mediapipe", "av", "onnxruntime", "openvino", "torch",
    "scikit-learn",
)  # fmt: skip
"""What decides about results and speed."""


def versions(names: Sequence[str] = PACKAGES) -> dict[str, str]:
    """Name -> version, ``not installed`` where there is none."""
    found = {}
    for name in names:
        try:
            found[name] = sys.version.split()[0] if name == "python" else metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found
