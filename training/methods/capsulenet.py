"""CapsuleNet (Van Quang, Chun, Tokuyama; FG 2019): the apex frame in capsules, margin loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mer_live.engines.networks import build
from mer_live.engines.networks.base import Network
from mer_live.engines.representation.specs import ApexSpec, RepresentationSpec
from mer_live.training.learning.data import Inputs, Labelled, Rows
from mer_live.training.learning.losses import margin_loss
from mer_live.training.learning.trainer import Solver, epoch_batches, oversample
from mer_live.training.methods.atnet import warped
from mer_live.training.methods.network import LoopConfig, NetworkMethod, Tensors


@dataclass(frozen=True, slots=True)
class CapsulenetConfig(LoopConfig):
    """As the authors' released code, whose scores are of the best epoch by the test subject; ours of the last."""

    epochs: int = 30
    batch: int = 32
    lr: float = 1e-4
    """Adam."""
    decay: float = 0.9
    """The rate is multiplied by it after each epoch."""
    upper: float = 0.99
    lower: float = 0.01
    """Margins of the loss."""
    rotation_deg: float = 8.0
    shift_px: float = 8.0
    """Of 240 px: their crop of 224 x 224."""
    contrast: float = 0.2
    """Brightness and contrast change by up to this part."""
    size: int = 224
    width: int = 64
    kernel: int = 9


class Capsulenet(NetworkMethod):
    """Input ``apex`` (224, 224).

    Minority classes are drawn up to the majority; the authors do it with further frames about the apex.
    """

    name: ClassVar[str] = "capsulenet"
    paper: ClassVar[str] = "Van Quang, Chun, Tokuyama: CapsuleNet for Micro-Expression Recognition, FG 2019"
    Config = CapsulenetConfig

    def build(self) -> Network:
        """Return a fresh network."""
        c = self.config
        sizes = {"size": c.size, "width": c.width, "kernel": c.kernel}
        return build("capsulenet", sizes | {"classes": len(self.classes)})

    def specs(self) -> Mapping[str, RepresentationSpec]:
        """Return the one input."""
        return {"apex": ApexSpec(size=self.config.size)}

    def published_solver(self, network: Network, steps: int, epochs: int) -> Solver:
        """Return Adam, its rate falling every epoch."""
        adam = torch.optim.Adam(network.parameters(), lr=self.config.lr)
        return Solver(adam, torch.optim.lr_scheduler.ExponentialLR(adam, self.config.decay))

    def batches(self, train: Labelled, rng: np.random.Generator) -> Iterable[Rows]:
        """Return shuffled batches, minority classes drawn up to the majority."""
        rows = oversample(train.labels, rng)
        return [rows[batch] for batch in epoch_batches(len(rows), self.config.batch, rng)]

    def augment(self, rows: Inputs, rng: np.random.Generator) -> Inputs:
        """Rotate, move, mirror, change brightness and contrast."""
        return {"apex": np.stack([_changed(image, self.config, rng) for image in rows["apex"]])}

    def terms(
        self, network: Network, x: Tensors, y: Tensor, target: Tensors | None
    ) -> dict[str, tuple[float, Tensor]]:
        """Return the margin loss on the capsules' lengths."""
        lengths = network(x["apex"]).exp()
        return {"margin": (1.0, margin_loss(lengths, y, self.config.upper, self.config.lower))}


def _changed(image: NDArray[Any], c: CapsulenetConfig, rng: np.random.Generator) -> NDArray[np.float32]:
    shift = c.shift_px * c.size / 240
    turned = warped(image, rng.uniform(-c.rotation_deg, c.rotation_deg), rng.uniform(-shift, shift, 2))
    if rng.random() < 0.5:
        turned = turned[:, ::-1]
    bright, contrast = rng.uniform(1 - c.contrast, 1 + c.contrast, 2)
    mean = turned.mean()
    return np.asarray(np.clip(bright * (mean + contrast * (turned - mean)), 0, 255), np.float32)
