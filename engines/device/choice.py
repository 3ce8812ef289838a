"""Which device a run uses, and why; torch is imported only where there is a GPU."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec

from mer_live.engines.errors import BackendError
from mer_live.engines.trt.gpu import present_gpu
from mer_live.engines.trt.library import INSTALL

CPU_HOLDS_FPS = 200.0
"""Of one face and source, with room to spare on two cores (README, "Measured")."""
_NAMES = re.compile(r"auto|cpu|cpu-torch|cuda(:\d+)?")


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """Where flows, representations and networks are computed."""

    name: str
    """cpu; cuda:N; or cpu-torch: the code of a CUDA device on the CPU, for tests."""
    why: str
    """One line."""

    @property
    def torch(self) -> str | None:
        """The device's name in torch; None where torch is not used."""
        return None if self.name == "cpu" else self.name.removesuffix("-torch")


def check_device(asked: str, backend: str) -> None:
    """Raises ValueError where the options make no sense together, whatever machine this is."""
    if not _NAMES.fullmatch(asked):
        raise ValueError(f"--device is auto, cpu, cuda or cuda:N, not {asked!r}.")
    if backend == "tensorrt" and asked in ("cpu", "cpu-torch"):
        raise ValueError(f"TensorRT runs on a GPU: take --device cuda with it, not --device {asked}.")


def choose_device(
    asked: str = "auto", *, faces: int = 1, fps: float = 30.0, backend: str = "auto"
) -> DeviceChoice:
    """The device for so many faces at ``fps`` each; ``auto`` takes CUDA where it is there and worth it.

    Raises ValueError as `check_device`, BackendError where what was asked for is not there.
    """
    check_device(asked, backend)
    if asked == "cpu":
        return DeviceChoice("cpu", "asked for")
    if asked == "cpu-torch":
        if find_spec("torch") is None:
            raise BackendError(
                '--device cpu-torch needs torch; install it with: pip install "mer-live[train]"'
            )
        return DeviceChoice("cpu-torch", "asked for: a CUDA device's code on the CPU")
    name = "cuda:0" if asked in ("auto", "cuda") else asked
    why_not = _obstacle(int(name.partition(":")[2]))
    if asked != "auto":
        if why_not is not None:
            raise BackendError(f"--device {asked} cannot be used: {why_not}")
        return DeviceChoice(name, "asked for")
    if backend == "tensorrt":
        worth: str | None = "TensorRT runs there"
    elif faces > 1:
        worth = f"{faces} faces at once"
    else:
        worth = f"{fps:g} fps are more than the CPU holds" if fps > CPU_HOLDS_FPS else None
    if worth is None:
        return DeviceChoice("cpu", f"one face at {fps:g} fps, which it holds")
    return DeviceChoice("cpu", why_not.rstrip(".")) if why_not is not None else DeviceChoice(name, worth)


def _obstacle(index: int) -> str | None:
    """Why CUDA cannot be used on the GPU of this number, with what to do; None where it can."""
    if present_gpu() is None:
        return "no NVIDIA GPU with a driver is here; take --device cpu."
    if present_gpu(index) is None:
        return f"there is no GPU {index} here; take --device cuda."
    line = f"install it with: {INSTALL['tensorrt']}"
    if find_spec("torch") is None:
        return f"torch is not installed; {line}"
    import torch

    if not torch.cuda.is_available():
        return f"this torch sees no GPU, it may be the CPU build; {line} --force-reinstall"
    return None
