"""Bundle -> TensorRT engine, kept only after it was checked: one builder for both flavours.

``tensorrt`` (11 or newer) compiles for the GPU of this machine, ``rtx`` (TensorRT-RTX 1.7 or newer) ahead of
time for named compute capabilities, also without any GPU. Both take the same ONNX (``engines.trt.onnx``).
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from mer_live.engines.bundle import Bundle
from mer_live.engines.errors import EngineError
from mer_live.engines.parity import parity_error
from mer_live.engines.trt.file import (
    EngineHeader,
    EngineKey,
    Flavour,
    Precision,
    engine_dir,
    read_engine,
    write_engine,
)
from mer_live.engines.trt.gpu import present_gpu
from mer_live.engines.trt.library import load_flavour, logger_of, nvidia_messages
from mer_live.engines.trt.onnx import engine_model, half_error, run_onnx, sample_inputs

WORKSPACE_BYTES = 1 << 30
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Engine:
    """A checked engine, ready to be deserialized."""

    path: Path
    header: EngineHeader
    data: bytes


def engine_key(
    bundle: Bundle,
    precision: Precision,
    flavour: Flavour,
    compute_capability: str | None = None,
    gpu_index: int = 0,
) -> EngineKey:
    """Key of the engine that ``bundle`` needs; without a compute capability, for the GPU of that number here.

    Raises BackendError when the flavour's library is missing, EngineError when there is no GPU to build for.
    """
    library = load_flavour(flavour)
    gpu = present_gpu(gpu_index)
    if compute_capability is None:
        if gpu is None:
            raise EngineError(
                "There is no NVIDIA GPU here to build for; name one: --flavour rtx --compute-capability 8.9"
            )
        compute_capability = gpu.compute_capability
    elif flavour == "tensorrt" and (gpu is None or gpu.compute_capability != compute_capability):
        here = f"compute capability {gpu.compute_capability}" if gpu else "none"
        raise EngineError(
            f"TensorRT builds only for the GPU in this machine ({here}), not for {compute_capability}; "
            "build ahead of time with --flavour rtx."
        )
    if flavour == "rtx" and compute_capability not in rtx_capabilities(library):
        raise EngineError(
            f"TensorRT-RTX {library.__version__} has no compute capability {compute_capability}; it has "
            f"{', '.join(rtx_capabilities(library))}. On such a GPU take --flavour tensorrt."
        )
    return EngineKey(
        bundle=bundle.card.name,
        onnx_sha256=bundle.card.sha256,
        precision=precision,
        flavour=flavour,
        version=library.__version__,
        compute_capability=compute_capability,
    )


def rtx_capabilities(library: ModuleType) -> dict[str, Any]:
    """Compute capability such as "8.9" -> the library's constant."""
    members = library.ComputeCapability.__members__
    return {f"{name[2:-1]}.{name[-1]}": value for name, value in members.items() if name.startswith("SM")}


def build_engine(bundle: Bundle, key: EngineKey, folder: Path | None = None) -> Engine:
    """Compile, check and write one engine.

    The half-precision ONNX is compared with the float32 one on the CPU before anything is compiled. Where
    the GPU fits the key, the engine itself must agree with ONNX Runtime before it is kept. Raises
    EngineError with NVIDIA's own message when the compiler refuses, and when the two do not agree.
    """
    library = load_flavour(key.flavour)
    if library.__version__ != key.version:
        raise EngineError(
            f"The key asks for {key.flavour} {key.version}, but {library.__version__} is installed here."
        )
    model = engine_model(bundle, key.precision)
    parity = _check_half(bundle, model) if key.precision == "fp16" else "ONNX as shipped"
    data = compile_onnx(model, library, key)
    gpu = present_gpu()
    if gpu is not None and gpu.compute_capability == key.compute_capability:
        parity = f"{parity}; {check_parity(bundle, key, data)}"
    else:
        parity = f"{parity}; engine not run, no GPU of compute capability {key.compute_capability} here"
    path = write_engine(folder or engine_dir(), key, data, parity)
    logger.info("%s: %s", path, parity)
    return Engine(*_checked(path, key))


def ensure_engine(bundle: Bundle, key: EngineKey, folder: Path | None = None) -> Engine:
    """The kept engine of this key, or a new one when there is none or the file cannot be trusted."""
    path = (folder or engine_dir()) / key.filename
    if path.exists():
        try:
            return Engine(*_checked(path, key))
        except EngineError as error:
            logger.warning("%s Building it again now.", error)
    else:
        logger.warning("No engine for this GPU yet; building %s (once, up to a minute).", path.name)
    return build_engine(bundle, key, folder)


def compile_onnx(model: bytes, library: ModuleType, key: EngineKey) -> bytes:
    """Serialized engine of a strongly typed ONNX model; EngineError with NVIDIA's message."""
    with nvidia_messages(library) as messages:
        builder = library.Builder(logger_of(library))
        network = builder.create_network(0)
        parser = library.OnnxParser(network, logger_of(library))
        if not parser.parse(model):
            errors = [parser.get_error(i) for i in range(parser.num_errors)]
            said = [f"{e.node_operator() or 'model'} {e.node_name()}: {e.desc()}" for e in errors] or messages
            raise EngineError(f"{key.flavour} cannot take {key.bundle}: {'; '.join(said)}")
        config = builder.create_builder_config()
        # TF32 is on by default and has a 10-bit mantissa: that is not what fp32 means here.
        config.clear_flag(library.BuilderFlag.TF32)
        config.set_memory_pool_limit(library.MemoryPoolType.WORKSPACE, WORKSPACE_BYTES)
        profile = builder.create_optimization_profile()
        for i in range(network.num_inputs):
            tensor = network.get_input(i)
            sample = tuple(tensor.shape)[1:]
            profile.set_shape(tensor.name, (1, *sample), (1, *sample), (key.max_batch, *sample))
        config.add_optimization_profile(profile)
        if key.flavour == "rtx":
            config.num_compute_capabilities = 1
            config.set_compute_capability(rtx_capabilities(library)[key.compute_capability], 0)
        serialized = builder.build_serialized_network(network, config)
        if serialized is None:
            raise EngineError(
                f"{key.flavour} cannot compile {key.bundle} in {key.precision} for compute capability "
                f"{key.compute_capability}: {'; '.join(messages) or 'it gave no reason'}"
            )
        return bytes(memoryview(serialized))


def check_parity(bundle: Bundle, key: EngineKey, data: bytes) -> str:
    """Run an engine on this machine's GPU against ONNX Runtime; one line on the result, or EngineError."""
    import torch

    from mer_live.engines.trt.session import EngineSession

    batch = min(3, key.max_batch)
    inputs = sample_inputs(bundle, batch, seed=0)
    expected = run_onnx(bundle.onnx_path.read_bytes(), inputs)
    session = EngineSession(load_flavour(key.flavour), data, torch.device("cuda"))
    worst = 0.0
    measure = parity_error if key.precision == "fp32" else half_error
    for count in (1, batch):
        got = session.infer({name: array[:count] for name, array in inputs.items()})
        worst = max(worst, measure(got, expected[:count]))
    if worst > 1.0:
        raise EngineError(
            f"The {key.precision} engine of {key.bundle} differs from ONNX Runtime by {worst:.1f} times what "
            "is allowed; it was not kept."
        )
    return f"engine agrees with ONNX Runtime ({worst:.2f} of what is allowed)"


def _checked(path: Path, key: EngineKey) -> tuple[Path, EngineHeader, bytes]:
    return (path, *read_engine(path, key))


def _check_half(bundle: Bundle, model: bytes) -> str:
    inputs = sample_inputs(bundle, 3, seed=0)
    worst = half_error(run_onnx(model, inputs), run_onnx(bundle.onnx_path.read_bytes(), inputs))
    if worst > 1.0:
        raise EngineError(
            f"{bundle.card.name} loses too much in half precision ({worst:.1f} times what is allowed); "
            "build it with --precision fp32."
        )
    return f"half ONNX agrees with the float one on the CPU ({worst:.2f} of what is allowed)"
