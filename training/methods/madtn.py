"""MADTN (Xia, Zheng, Zong, Jiang; ICPR-FBE 2020): motion-attention images, MMD on the first FC layer."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mer_live.engines.networks import build
from mer_live.engines.networks.base import Network
from mer_live.engines.representation.specs import CHANNELS, MotionSpec, RepresentationSpec
from mer_live.training.learning.augment import shake
from mer_live.training.learning.data import Inputs, Labelled, Rows, Unlabelled
from mer_live.training.learning.losses import MADTN_BANDWIDTHS, mmd2
from mer_live.training.learning.trainer import Solver, endless_batches
from mer_live.training.methods.network import LoopConfig, NetworkMethod, Tensors

log = logging.getLogger(__name__)

Channels = Literal["all", "face", "onof-face", "onof-offof"]
_KEPT: Mapping[str, tuple[int, ...]] = {
    "all": (0, 1, 2),
    "face": (1,),
    "onof-face": (0, 1),
    "onof-offof": (0, 2),
}
"""Channels of the image: 0 flow onset -> middle, 1 gray middle frame, 2 flow middle -> offset."""


@dataclass(frozen=True, slots=True)
class MadtnConfig(LoopConfig):
    """The paper's settings; it gives no number of epochs."""

    epochs: int = 60
    batch: int = 32
    """From each domain."""
    lr: float = 2e-4
    """Adam."""
    mmd_weight: float = 2.0
    """Lambda of eq. 8; without target clips there is no second domain and the term is off."""
    bandwidths: tuple[float, ...] = MADTN_BANDWIDTHS
    rotation_deg: float = 30.0
    """Each training image of either domain is turned by an angle from [-r, r]."""
    channels: Channels = "all"
    """Ablations: the channels left out are zero."""
    middle_frames: bool = True
    """Draw one of the clip's copies per epoch where the set holds some: its other central frames, or its mirror
    image. The paper takes each as a sample of its own; drawing keeps clips' weights equal and an epoch short."""
    provisional: float = 0.0
    """Share of the training images that lack the third channel, as a provisional decision lacks it, since the
    movement has not ended; the paper sees whole clips only."""
    size: int = 0
    """Side of the image; 0 is the array's own, 112 (the paper's) at most: a smaller array enlarged shows the
    network nothing more, and 28 px take a thirteenth of the time of 112."""
    hidden: int = 256
    """Width of the first FC layer."""
    dropout: float = 0.0
    normalised: bool = False
    """A BatchNorm before each convolution. Not in the paper."""
    shift_px: float = 0.0
    """Above 0: each training image is turned, shifted by up to this along each axis and scaled a little, its border
    repeated, as a live crop moves; 0 turns it alone, its corners black."""
    brightness: float = 0.0
    """The face of each training image is made darker or brighter by up to this part; the flow stays as it is."""

    @property
    def side(self) -> int:
        """``size``, or the paper's."""
        return self.size or 112


class Madtn(NetworkMethod):
    """Input ``motion`` (112, 112, 3): cross entropy + lambda MMD^2 (eq. 8), Adam.

    The paper's MMD compares source and target database; in CDE and LOSO there is no target, so the same
    network is trained on cross entropy alone.
    """

    name: ClassVar[str] = "madtn"
    paper: ClassVar[str] = "Xia, Zheng, Zong, Jiang: Motion Attention Deep Transfer Network, ICPR-FBE 2020"
    Config = MadtnConfig

    @property
    def adapts(self) -> bool:
        """Whether the MMD is on."""
        return bool(self.config.mmd_weight)

    def settled(self, shapes: Mapping[str, tuple[int, ...]]) -> Mapping[str, Any]:
        """Return the settings that rows of these shapes decide: the side, where it was left open."""
        if self.config.size or len(shapes["motion"]) != 3:
            return {}
        return {"size": min(112, max(16, *shapes["motion"][:2]))}

    def build(self) -> Network:
        """Return a fresh network; whatever the side, its last maps are 7 x 7 at most."""
        c = self.config
        pools = (2, 2, -(-c.side // 28))
        sizes = {"size": c.side, "pools": pools, "hidden": c.hidden, "classes": len(self.classes)}
        network = build("madtn", sizes | {"dropout": c.dropout, "normalised": c.normalised})
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]

    def specs(self) -> Mapping[str, RepresentationSpec]:
        """Return the one input, with the channels of the ablation."""
        channels = tuple(CHANNELS[c] for c in _KEPT[self.config.channels])
        return {"motion": MotionSpec(size=self.config.side, channels=channels)}

    def published_solver(self, network: Network, steps: int, epochs: int) -> Solver:
        """Return Adam at a fixed rate."""
        return Solver(torch.optim.Adam(network.parameters(), lr=self.config.lr))

    def draw(self, train: Labelled, rows: Rows, rng: np.random.Generator) -> Inputs:
        """Return the batch, each clip with one of its middle frames."""
        images = np.array(train.inputs["motion"][rows])
        if self.config.middle_frames and "motion" in train.copies:
            copies, of = train.copies["motion"]
            order = np.argsort(of, kind="stable")
            begin = np.searchsorted(of[order], rows)
            count = np.searchsorted(of[order], rows, side="right") - begin
            pick = rng.integers(0, count + 1)  # the last one stands for the clip's own image
            for k in np.flatnonzero(pick < count):
                images[k] = copies[order[begin[k] + pick[k]]]
        return {"motion": images}

    def augment(self, rows: Inputs, rng: np.random.Generator) -> Inputs:
        """Move each image as a whole, change the light on the face; take the third channel from some."""
        images, config = rows["motion"], self.config
        if config.shift_px:
            images = shake(images, rng, config.rotation_deg, config.shift_px)
        elif config.rotation_deg:
            angles = rng.uniform(-config.rotation_deg, config.rotation_deg, len(images))
            images = np.stack([_rotated(i, a) for i, a in zip(images, angles, strict=True)])
        if config.brightness:
            light = rng.uniform(1 - config.brightness, 1 + config.brightness, (len(images), 1, 1))
            images = images.copy()
            images[..., 1] = np.clip(images[..., 1] * light, 0, 255)
        if config.provisional:
            images = images.copy()
            images[rng.random(len(images)) < config.provisional, ..., 2] = 0
        return {"motion": images}

    def tensors(self, arrays: Inputs) -> dict[str, Tensor]:
        """Scale as every other input, then drop the channels of the ablation."""
        found = super().tensors(arrays)  # (B, 3, S, S)
        kept = _KEPT[self.config.channels]
        for c in range(3):
            if c not in kept:
                found["motion"][:, c] = 0
        return found

    def terms(
        self, network: Network, x: Tensors, y: Tensor, target: Tensors | None
    ) -> dict[str, tuple[float, Tensor]]:
        """Return cross entropy on the labelled source, and MMD^2 to the target on the first FC layer."""
        with self.half():
            source = network.features(x["motion"])
            logits = network.classify(source)
            other = network.features(target["motion"]).float() if target is not None else None
        terms = {"cross_entropy": self.cross_entropy(logits, y)}
        if other is not None:
            terms["mmd"] = (self.config.mmd_weight, mmd2(source.float(), other, self.config.bandwidths))
        return terms

    def _target_rows(self, target: Unlabelled | None, rng: np.random.Generator) -> Iterator[Rows] | None:
        if not self.config.mmd_weight:
            return None
        if target is None:
            log.info("no target domain in this protocol: MMD is off, cross entropy alone")
            return None
        count = len(target.inputs["motion"])
        if count < 2:
            raise ValueError(f"MMD needs at least two target clips, there is {count}")
        return endless_batches(count, min(self.config.batch, count), rng)


def _rotated(image: NDArray[Any], degrees: float) -> NDArray[Any]:
    side = image.shape[0]
    turn = cv2.getRotationMatrix2D(((side - 1) / 2, (side - 1) / 2), degrees, 1.0)
    if image.dtype.kind == "f":
        image = image.astype(np.float32)
    rotated: NDArray[Any] = cv2.warpAffine(np.ascontiguousarray(image), turn, (side, side))
    return rotated
