"""ONNX Runtime: the CPU runner that exists on every platform."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.bundle import Bundle
from mer_live.engines.errors import BackendError
from mer_live.engines.runners.base import RunnerBase


class OnnxRuntimeRunner(RunnerBase):
    """Float32, one inference at a time.

    ``provider`` must be used for real: the library falls back to the CPU without a word, this runner
    raises BackendError instead.
    """

    backend = "onnxruntime"

    def __init__(self, bundle: Bundle, threads: int = 1, provider: str = "CPUExecutionProvider") -> None:
        super().__init__(bundle)
        try:
            import onnxruntime as ort
        except ImportError as error:
            raise BackendError("ONNX Runtime is missing; install it with: pip install onnxruntime") from error
        ort.disable_telemetry_events()  # does something on Windows only
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Idle threads that spin would take the core from the camera's thread.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        if provider not in ort.get_available_providers():
            raise BackendError(
                f"ONNX Runtime has no {provider} here; for CUDA install it with: pip install onnxruntime-gpu"
            )
        try:
            self._session: Any = ort.InferenceSession(
                str(bundle.onnx_path), sess_options=options, providers=[provider]
            )
        except Exception as error:  # the library raises its own, unrelated exception types
            raise BackendError(f"ONNX Runtime cannot run {bundle.onnx_path}: {error}") from error
        if provider not in self._session.get_providers():
            raise BackendError(f"ONNX Runtime did not take {provider} for {bundle.card.name}; check its log.")
        self._warm_up()

    def _run(self, inputs: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        (logits,) = self._session.run(["logits"], inputs)
        return np.asarray(logits, dtype=np.float32)

    def _free(self) -> None:
        self._session = None
