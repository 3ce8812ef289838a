"""A trained network and the clips of a set as it sees them: of a bundle, or of a fold's weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mer_live.engines.bundle import load_bundle
from mer_live.engines.networks.base import Network
from mer_live.engines.networks.load import load_network
from mer_live.engines.representation.represent import network_input
from mer_live.training.learning.pretrain import WEIGHTS, load
from mer_live.training.methods import make_method
from mer_live.training.methods.network import NetworkMethod
from mer_live.training.prepared.prepared_set import PreparedSet


@dataclass(frozen=True, slots=True)
class Opened:
    """A network and the set's clips for it."""

    name: str
    network: Network
    """In eval mode."""
    stored: Mapping[str, NDArray[Any]]
    """Input -> (N, ...) as the set has it."""
    inputs: tuple[Tensor, ...]
    """(N, ...) in the order of the network's arguments."""


def open_on(place: str, prepared: PreparedSet) -> Opened:
    """Open a shipped bundle, a bundle's folder, or a folder of ``evaluate --keep-weights``.

    Raises:
        BundleError: There is no such bundle.
        PreparedError: The set lacks an array of the network's.
        ValueError: The weights are of no method, or the set has other classes than the network.
    """
    if (Path(place) / WEIGHTS).is_file():
        made = load(place)
        of = made.provenance.get("method")
        if of is None:
            raise ValueError(
                f"{place} holds pretrained weights, of no method: give weights of evaluate --keep-weights"
            )
        method = make_method(of["name"], of["config"])
        assert isinstance(method, NetworkMethod)
        name, network = of["name"], made.network
        classes = tuple(made.provenance["classes"])
        stored = {n: np.asarray(_array(prepared, n, spec.shape)) for n, spec in method.specs().items()}
        tensors: Mapping[str, Tensor] = method.tensors(stored)
    else:
        bundle = load_bundle(place)
        name, network, classes = bundle.card.name, load_network(bundle), bundle.card.classes
        specs = {one.name: one.representation for one in bundle.card.inputs}
        stored = {n: np.asarray(_array(prepared, n, spec.shape)) for n, spec in specs.items()}
        tensors = {n: torch.from_numpy(network_input(stored[n], spec)) for n, spec in specs.items()}
    if classes != prepared.classes:
        raise ValueError(
            f"{place} decides between {', '.join(classes)}, the set between {', '.join(prepared.classes)}"
        )
    return Opened(name, network.eval(), stored, tuple(network.ordered(tensors)))


def _array(prepared: PreparedSet, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    return prepared.array("flow3" if name == "flow" and not prepared.has(name) else name, shape)
