"""ATNet's two streams as bundles of their own, so that each can be timed on every engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mer_live.engines.bundle import Bundle
from mer_live.engines.networks import build
from mer_live.engines.networks.load import load_network
from mer_live.engines.trt.onnx import sample_inputs


def stream_bundles(bundle: Bundle, folder: Path) -> list[Bundle]:
    """The spatial and the temporal network of a fused ATNet; nothing for any other bundle.

    Weights are the fused network's; the classifier keeps the columns of its stream.
    """
    from mer_live.training.export.bundle import export_bundle

    card = bundle.card
    if card.network.name != "atnet" or len(card.inputs) != 2:
        return []
    weights = load_network(bundle).state_dict()
    samples = sample_inputs(bundle, 2, seed=0)
    parts, column = [], 0
    for variant, wanted in zip(("spatial", "temporal"), card.inputs, strict=True):
        config: dict[str, Any] = {**card.network.config, "variant": variant}
        network = build("atnet", config)
        state = {
            name: tensor for name, tensor in weights.items() if name.startswith(f"streams.{wanted.name}.")
        }
        columns = slice(column, column + network.feature_size)
        state["classifier.weight"] = weights["classifier.weight"][:, columns]
        state["classifier.bias"] = weights["classifier.bias"]
        network.load_state_dict(state, strict=False)
        column += network.feature_size
        part = export_bundle(
            network.eval(),
            {wanted.name: wanted.representation},
            {wanted.name: samples[wanted.name]},
            folder / f"{card.name}-{variant}",
            name=f"{card.name}-{variant}",
            version=card.version,
            data=card.data,
            licence=card.licence,
            attribution=card.attribution,
        )
        parts.append(part)
    return parts
