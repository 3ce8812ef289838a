"""Weights inside an ONNX file: stored as float16, computed with as float32, and read back by name.

The initialisers carry the names of the torch state dict, so the ONNX file is the only file of weights. A
weight of two or more axes is stored as ``NAME.f16`` with a Cast behind it; runtimes fold the Cast when
they load the file. Vectors (biases, batch normalisation) stay float32: they are small and matter most.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

SUFFIX = ".f16"


def stored_as_float16(shape: tuple[int, ...]) -> bool:
    """Whether a weight of this shape is stored in half precision."""
    return len(shape) >= 2


def pack_float16(model: Any) -> None:
    """Turn the float32 initialisers of two or more axes into float16 with a Cast, in place.

    Raises ValueError when a weight does not fit into float16.
    """
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or not stored_as_float16(tuple(tensor.dims)):
            continue
        name, values = tensor.name, numpy_helper.to_array(tensor)
        if np.abs(values).max(initial=0.0) > np.finfo(np.float16).max:
            raise ValueError(f"weight {name} is too large for float16")
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), name + SUFFIX))
        casts.append(
            helper.make_node("Cast", [name + SUFFIX], [name], f"unpack.{name}", to=TensorProto.FLOAT)
        )
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def read_weights(path: Path) -> dict[str, NDArray[np.float32]]:
    """Float32 weights of an exported network by their name in the torch state dict.

    Raises ValueError when the file is no ONNX model.
    """
    try:
        model = onnx.load(str(path))
    except DecodeError as error:
        raise ValueError(f"not an ONNX model ({error})") from error
    weights = {}
    for tensor in model.graph.initializer:
        if tensor.data_type in (TensorProto.FLOAT, TensorProto.FLOAT16):
            values = numpy_helper.to_array(tensor).astype(np.float32)
            weights[tensor.name.removesuffix(SUFFIX)] = values
    return weights
