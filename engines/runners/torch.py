"""torch: the reference that every other runner is compared with. The only runner that imports it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.bundle import Bundle
from mer_live.engines.errors import BackendError
from mer_live.engines.runners.base import RunnerBase


class TorchRunner(RunnerBase):
    """The network rebuilt from the card, with the weights that lie in the ONNX file."""

    backend = "torch"

    def __init__(self, bundle: Bundle, threads: int = 1, device: str = "cpu") -> None:
        super().__init__(bundle)
        try:
            import torch

            from mer_live.engines.networks.load import load_network
        except ImportError as error:
            raise BackendError(
                'torch or onnx is missing; install both with: pip install "mer-live[train]"'
            ) from error
        self._torch = torch
        if device == "cpu" and torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        if device != "cpu" and not torch.cuda.is_available():
            raise BackendError(f"torch sees no device {device!r} here; use the cpu or install a CUDA build.")
        self._device = torch.device(device)
        network = load_network(bundle)
        self._network: Any = network.to(self._device)
        self._order = network.input_names
        self._warm_up()

    def infer_tensors(self, inputs: Mapping[str, Any]) -> NDArray[np.float32]:
        """See ``Runner``."""
        # By default convolutions and LSTMs may take TF32 on CUDA, which is not float32.
        with self._torch.inference_mode(), self._torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            tensors = [inputs[name].to(self._device) for name in self._order]
            logits: NDArray[np.float32] = self._network(*tensors).cpu().numpy()
        return logits

    def _run(self, inputs: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        return self.infer_tensors({name: self._torch.from_numpy(array) for name, array in inputs.items()})

    def _free(self) -> None:
        self._network = None
