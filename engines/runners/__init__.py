"""The backends, by name. A vendor's library is imported only when its backend is opened."""

from __future__ import annotations

from ctypes import CDLL
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from mer_live.engines.bundle import Bundle
from mer_live.engines.errors import BackendError
from mer_live.engines.runners.base import Runner
from mer_live.engines.trt.file import Precision

__all__ = ["BACKENDS", "BackendError", "Runner", "open_runner"]

_TABLE = {
    "tensorrt": ("tensorrt", "TensorRtRunner"),
    "openvino": ("openvino", "OpenVinoRunner"),
    "onnxruntime": ("onnxruntime", "OnnxRuntimeRunner"),
    "torch": ("torch", "TorchRunner"),
}
"""Backend -> module in this package and class, in the order that ``auto`` prefers."""

BACKENDS: tuple[str, ...] = ("auto", *_TABLE)


def open_runner(
    bundle: Bundle,
    backend: str = "auto",
    threads: int = 1,
    precision: Precision = "fp32",
    device: str | None = None,
) -> Runner:
    """Open ``bundle`` on a backend; ``auto`` takes the fastest that is here.

    That is TensorRT where an NVIDIA driver and the library are, else OpenVINO, else ONNX Runtime; torch is
    the reference and never chosen by itself. Raises BackendError, also for an unknown name; it says what
    to install. The runner's ``why`` says in one line why it was chosen.

    ``device``: ``cpu`` or ``cuda[:N]``; None: whatever the backend runs on. ``precision``: fp16 is TensorRT's.
    """
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    options: dict[str, Any] = {"threads": threads, "precision": precision, "device": device}
    if backend != "auto":
        if backend not in _TABLE:
            raise BackendError(f"Backend {backend!r} is unknown; take one of {', '.join(BACKENDS)}.")
        return _open(bundle, backend, "asked for", **options)
    reasons: list[str] = []
    why_not = "the device is the CPU" if device == "cpu" else _tensorrt_obstacle()
    if why_not is None:
        try:
            return _open(bundle, "tensorrt", "an NVIDIA device and TensorRT are here", **options)
        except BackendError as error:
            why_not = str(error)
    reasons.append(f"no tensorrt: {why_not}")
    for name in ("openvino", "onnxruntime"):
        try:
            return _open(bundle, name, "; ".join(reasons), **options)
        except BackendError as error:
            reasons.append(f"no {name}: {error}")
    raise BackendError("No backend can be used. " + "; ".join(reasons))


def _open(
    bundle: Bundle, backend: str, why: str, *, threads: int, precision: Precision, device: str | None
) -> Runner:
    module_name, class_name = _TABLE[backend]
    package = f"mer_live.engines.runners.{module_name}"
    if find_spec(package) is None:
        raise BackendError(f"This version of mer-live has no {backend} runner; take another backend.")
    options: dict[str, Any] = {"threads": threads}
    if backend == "tensorrt":
        options |= {"precision": precision, "device": device or "cuda"}
    elif precision != "fp32":
        raise BackendError(
            f"{precision} is TensorRT's, and {backend} computes in fp32: take --precision fp32."
        )
    elif backend == "torch" and device is not None:
        options["device"] = device
    runner: Runner = getattr(import_module(package), class_name)(bundle, **options)
    runner.why = why
    return runner


def _tensorrt_obstacle() -> str | None:
    """Why TensorRT cannot be used, or None; cheap, and without importing anything of NVIDIA's."""
    if find_spec("mer_live.engines.runners.tensorrt") is None:
        return "this version of mer-live has no runner for it"
    if find_spec("tensorrt") is None and find_spec("tensorrt_rtx") is None:
        return "the library is not installed"
    for name in ("libcuda.so.1", "nvcuda.dll"):
        try:
            CDLL(name)
            return None
        except OSError:
            continue
    return "no NVIDIA driver"
