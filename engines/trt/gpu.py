"""Which NVIDIA GPU is here, asked of the driver itself: no torch, no TensorRT, no context on the device."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any

_MAJOR, _MINOR = 75, 76  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_*


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU that CUDA sees."""

    name: str
    compute_capability: str
    """Such as "8.9"."""


def present_gpu(index: int = 0) -> Gpu | None:
    """The visible GPU of this number, or None without a driver or such a device."""
    driver = _driver()
    if driver is None or driver.cuInit(0) != 0:
        return None
    device, count = ctypes.c_int(), ctypes.c_int()
    if driver.cuDeviceGetCount(ctypes.byref(count)) != 0 or count.value <= index:
        return None
    if driver.cuDeviceGet(ctypes.byref(device), index) != 0:
        return None
    name = ctypes.create_string_buffer(256)
    capability = []
    for attribute in (_MAJOR, _MINOR):
        value = ctypes.c_int()
        if driver.cuDeviceGetAttribute(ctypes.byref(value), attribute, device) != 0:
            return None
        capability.append(str(value.value))
    driver.cuDeviceGetName(name, len(name), device)
    return Gpu(name.value.decode(errors="replace"), ".".join(capability))


def _driver() -> Any:
    for name in ("libcuda.so.1", "nvcuda.dll"):
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None
