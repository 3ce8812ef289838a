"""A bundle's network in torch, with the bundle's weights."""

from __future__ import annotations

import torch

from mer_live.engines.bundle import Bundle
from mer_live.engines.errors import BackendError
from mer_live.engines.networks import build
from mer_live.engines.networks.base import Network
from mer_live.engines.onnx_weights import read_weights


def load_network(bundle: Bundle) -> Network:
    """The network that the card names, in eval mode on the CPU.

    Raises BackendError when the file is no ONNX model or holds other weights.
    """
    network = build(bundle.card.network.name, bundle.card.network.config)
    try:
        weights = read_weights(bundle.onnx_path)
    except ValueError as error:
        raise BackendError(f"{bundle.onnx_path} cannot be read: {error}; export the bundle again.") from error
    state = {name: torch.from_numpy(values) for name, values in weights.items()}
    missing, unexpected = network.load_state_dict(state, strict=False)
    # Counters of batch normalisation play no part in inference and are not exported.
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unexpected:
        raise BackendError(
            f"{bundle.onnx_path} does not hold the weights of {bundle.card.network.name} "
            f"(missing {missing[:3]}, unexpected {unexpected[:3]}); export the bundle again."
        )
    return network.eval()
