"""The ONNX that TensorRT gets: folded, and for fp16 converted, because its networks are strongly typed.

A bundle stores weights as float16 behind Casts and keeps the exporter's shape arithmetic. ONNX Runtime folds
both away. Half precision is a property of the file, not of the builder: every float tensor becomes float16,
while inputs and outputs stay float32, so that runners and callers do not care.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.bundle import Bundle
from mer_live.engines.errors import EngineError
from mer_live.engines.trt.file import Precision

HALF_ATOL = 0.02
HALF_RTOL = 0.02
"""Allowed between a half and a single precision engine, per logit: HALF_ATOL + HALF_RTOL * |expected|."""


def engine_model(bundle: Bundle, precision: Precision) -> bytes:
    """Serialized ONNX model of ``bundle`` for a TensorRT parser; EngineError when it cannot be made."""
    folded = _folded(bundle.onnx_path)
    return folded if precision == "fp32" else to_half(folded)


def sample_inputs(bundle: Bundle, batch: int, seed: int) -> dict[str, NDArray[np.float32]]:
    """Random inputs (batch, ...) in the range of each representation, for parity checks."""
    rng = np.random.default_rng(seed)
    samples = {}
    for card in bundle.card.inputs:
        shape = (batch, *card.shape)
        if card.representation.name == "apex":
            values = np.floor(rng.random(shape) * 256)
        elif card.representation.name == "adm":  # angle and magnitude in turn; a few px at most
            values = rng.uniform(-np.pi, np.pi, shape)
            values[..., 1::2] = rng.exponential(0.1, values[..., 1::2].shape)
        else:
            values = rng.random(shape)
        samples[card.name] = values.astype(np.float32)
    return samples


def run_onnx(model: bytes, inputs: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
    """Logits that ONNX Runtime computes on the CPU: the reference of every parity check."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, sess_options=options, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["logits"], inputs)[0], dtype=np.float32)


def half_error(got: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Largest difference as a multiple of what fp16 is allowed: up to 1.0 is fine; NaN is infinite."""
    ratio = np.abs(got - expected) / (HALF_ATOL + HALF_RTOL * np.abs(expected))
    return float(np.nan_to_num(ratio, nan=np.inf).max(initial=0.0))


def to_half(model: bytes) -> bytes:
    """Every float32 tensor of a serialized ONNX model becomes float16, except inputs and outputs.

    Raises EngineError when a weight does not fit into float16 or the graph has subgraphs.
    """
    try:
        import onnx
        from onnx import TensorProto, helper, numpy_helper
    except ImportError as error:
        raise EngineError(
            "Half precision needs the onnx package; install it with: pip install onnx"
        ) from error

    def half(tensor: Any) -> None:
        if tensor.data_type != TensorProto.FLOAT:
            return
        values = numpy_helper.to_array(tensor)
        if np.abs(values[np.isfinite(values)]).max(initial=0.0) > np.finfo(np.float16).max:
            raise EngineError(f"Weight {tensor.name} is too large for fp16; build with --precision fp32.")
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), tensor.name))

    proto = onnx.load_model_from_string(model)
    graph = proto.graph
    for tensor in graph.initializer:
        half(tensor)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type in (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS):
                raise EngineError(f"{node.op_type} holds a subgraph; build with --precision fp32.")
            if attribute.type == onnx.AttributeProto.TENSOR:
                half(attribute.t)
            if node.op_type == "Cast" and attribute.name == "to" and attribute.i == TensorProto.FLOAT:
                attribute.i = TensorProto.FLOAT16
    inputs = {i.name for i in graph.input if i.type.tensor_type.elem_type == TensorProto.FLOAT}
    outputs = {o.name for o in graph.output if o.type.tensor_type.elem_type == TensorProto.FLOAT}
    for node in graph.node:
        node.input[:] = [f"{name}.half" if name in inputs | outputs else name for name in node.input]
        node.output[:] = [f"{name}.half" if name in outputs else name for name in node.output]
    first = [helper.make_node("Cast", [n], [f"{n}.half"], to=TensorProto.FLOAT16) for n in sorted(inputs)]
    last = [helper.make_node("Cast", [f"{n}.half"], [n], to=TensorProto.FLOAT) for n in sorted(outputs)]
    nodes = [*first, *graph.node, *last]
    del graph.node[:]
    graph.node.extend(nodes)
    del graph.value_info[:]  # they state the old types
    return bytes(proto.SerializeToString())


def _folded(path: Path) -> bytes:
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.log_severity_level = 3
    # "Basic" folds constants and never takes operators of its own.
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
    with tempfile.TemporaryDirectory() as folder:
        folded = Path(folder) / "folded.onnx"
        options.optimized_model_filepath = str(folded)
        try:
            ort.InferenceSession(str(path), sess_options=options, providers=["CPUExecutionProvider"])
            return folded.read_bytes()
        except Exception as error:  # the library raises its own, unrelated exception types
            raise EngineError(f"ONNX Runtime cannot read {path}: {error}") from error
