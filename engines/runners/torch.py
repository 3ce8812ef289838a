"""torch: the reference that every other runner is compared with. The only runner that imports it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.bundle import Bundle
from mer_live.engines.errors import BackendError
from mer_live.engines.networks import build
from mer_live.engines.runners.base import RunnerBase


class TorchRunner(RunnerBase):
    """The network rebuilt from the card, with the weights that lie in the ONNX file."""

    backend = "torch"

    def __init__(self, bundle: Bundle, threads: int = 1, device: str = "cpu") -> None:
        super().__init__(bundle)
        try:
            import torch

            from mer_live.engines.onnx_weights import read_weights
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
        network = build(bundle.card.network.name, bundle.card.network.config)
        try:
            weights = read_weights(bundle.onnx_path)
        except ValueError as error:
            raise BackendError(f"torch cannot run {bundle.onnx_path}: {error}") from error
        state = {name: torch.from_numpy(values) for name, values in weights.items()}
        missing, unexpected = network.load_state_dict(state, strict=False)
        # Counters of batch normalisation play no part in inference and are not exported.
        missing = [name for name in missing if not name.endswith("num_batches_tracked")]
        if missing or unexpected:
            raise BackendError(
                f"{bundle.onnx_path} does not hold the weights of {bundle.card.network.name} "
                f"(missing {missing[:3]}, unexpected {unexpected[:3]}); export the bundle again."
            )
        self._network: Any = network.eval().to(self._device)
        self._order = network.input_names
        self._warm_up()

    def _run(self, inputs: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        with self._torch.inference_mode():
            tensors = [self._torch.from_numpy(inputs[name]).to(self._device) for name in self._order]
            logits: NDArray[np.float32] = self._network(*tensors).cpu().numpy()
        return logits

    def _free(self) -> None:
        self._network = None
