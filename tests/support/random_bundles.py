"""Small networks with random weights, exported once for all tests that need a bundle."""

from __future__ import annotations

import os
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from mer_live.engines.bundle import Bundle, load_bundle
from mer_live.engines.networks import build
from mer_live.engines.networks.base import Network
from mer_live.engines.representation.represent import network_input
from mer_live.engines.representation.specs import RepresentationSpec, make_spec
from mer_live.training.export.bundle import export_bundle

CONFIGS: dict[str, dict[str, Any]] = {
    "madtn": {"widths": [4, 6, 8], "hidden": 12},
    "ststnet": {},
    "atnet": {"widths": [4, 6, 8, 8], "hidden": 8, "layers": 1},
    "minet": {"width": 4},
    "sa-at": {"depth": 8, "width": 4, "stem_stride": 4, "style_width": 2, "style_blocks": 1},
    "off-apexnet": {"hidden": 24},
    "dual-inception": {"hidden": 24},
    "dssn": {"size": 67, "widths": [4, 8]},
    "capsulenet": {"width": 4},
    "micro-attention": {"widths": [4, 6, 8, 8]},
}


def specs_of(network: Network) -> dict[str, RepresentationSpec]:
    sized = {"flow3": {"size": getattr(network.config, "size", 0)}}
    return {name: make_spec(name, **sized.get(name, {})) for name in network.input_names}


def samples_of(
    network: Network,
    count: int = 3,
    seed: int = 0,
    specs: dict[str, RepresentationSpec] | None = None,
) -> dict[str, NDArray[np.float32]]:
    """Inputs of the right range: random images, windows of random angles and small magnitudes."""
    rng = np.random.default_rng(seed)
    samples = {}
    specs = specs or specs_of(network)
    for name, spec in specs.items():
        if name == "adm":
            array = rng.uniform(-np.pi, np.pi, (count, *spec.shape)).astype(np.float32)
            array[..., 1::2] = rng.uniform(0, 0.1, array[..., 1::2].shape)
            array[:, :20] = 0
        else:
            array = rng.integers(0, 256, (count, *spec.shape)).astype(np.uint8)
        samples[name] = network_input(array, spec)
    return samples


def random_network(name: str, seed: int = 0, **config: Any) -> Network:
    """Random weights, batch normalisation with statistics of the random inputs, evaluation mode."""
    torch.manual_seed(seed)
    network = build(name, {**CONFIGS[name], **config})
    samples = samples_of(network, count=4, seed=seed + 1)
    with torch.no_grad():
        for _ in range(20):
            network.train()(*[torch.from_numpy(samples[n]) for n in network.input_names])
    return network.eval()


@cache
def random_bundle(name: str) -> Bundle:
    """Exported bundle of ``random_network(name)``; do not change its files."""
    path = Path(os.environ["MER_TEST_BUNDLES"]) / name
    if not path.exists():
        mine = path.with_name(f"{name}-{os.getpid()}")
        network = random_network(name)
        export_bundle(
            network,
            specs_of(network),
            samples_of(network),
            mine,
            name=name,
            version="0.0",
            data="none: random weights",
            licence="Apache-2.0",
            attribution="nobody",
        )
        try:
            mine.rename(path)
        except OSError:  # another process was first
            shutil.rmtree(mine)
    return load_bundle(path)
