"""OpenVINO: the fastest CPU runner. The only file that imports it.

``import openvino`` by itself reports the import to Google Analytics through ``openvino_telemetry``, with no
question asked, and leaves an identifier in ``~/intel``. A recogniser of emotions must not phone home: that
package is barred before the import, and OpenVINO then takes its own silent stand-in. A test holds this.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.bundle import Bundle
from mer_live.engines.errors import BackendError
from mer_live.engines.runners.base import RunnerBase


@functools.cache
def _core(make: Callable[[], Any]) -> Any:
    """One for all runners; each would load the CPU's plugin anew."""
    return make()


class OpenVinoRunner(RunnerBase):
    """CPU, one inference at a time, float32 unless told otherwise.

    ``precision="bf16"`` lets a CPU with AMX or AVX512-BF16 compute in bfloat16: about twice as fast, with
    about 1 % error on the logits.
    """

    backend = "openvino"

    def __init__(self, bundle: Bundle, threads: int = 1, precision: str = "f32") -> None:
        super().__init__(bundle)
        # None makes the import of that package fail, here and in whatever else runs in this process.
        sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
        try:
            import openvino as ov
        except ImportError as error:
            raise BackendError("OpenVINO is missing; install it with: pip install openvino") from error
        settings: dict[str, Any] = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": precision,  # on some CPUs the default would be bf16
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,  # else the networks of several bundles may wait for one core
        }
        try:
            model = _core(ov.Core).read_model(str(bundle.onnx_path))
            self._request: Any = _core(ov.Core).compile_model(model, "CPU", settings).create_infer_request()
            self._warm_up()
        except RuntimeError as error:
            raise BackendError(f"OpenVINO cannot run {bundle.onnx_path}: {error}") from error

    def _run(self, inputs: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        # share_inputs: the arrays outlive the call; the result is copied, the request reuses its own.
        result = self._request.infer(inputs, share_inputs=True, share_outputs=False)
        return np.array(result[0], dtype=np.float32)

    def _free(self) -> None:
        self._request = None
