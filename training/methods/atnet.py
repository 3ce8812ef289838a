"""ATNet (Peng, Wang, Zhang, Chen; ACII 2019): apex frame and temporal flow statistics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from mer_live.engines.networks import build
from mer_live.engines.networks.base import Network
from mer_live.engines.representation.adm import mirror_adm
from mer_live.engines.representation.specs import AdmSpec, ApexSpec, RepresentationSpec
from mer_live.training.learning.data import Inputs, Labelled, Rows, Unlabelled
from mer_live.training.learning.pretrain import start_from
from mer_live.training.learning.trainer import oversample
from mer_live.training.methods.network import LoopConfig, NetworkMethod


@dataclass(frozen=True, slots=True)
class AtnetConfig(LoopConfig):
    """Paper and code disagree; ``recipe`` chooses."""

    variant: Literal["spatial", "temporal", "fusion"] = "fusion"
    recipe: Literal["as_published", "as_coded"] = "as_published"
    """as_published: ``epochs`` epochs, rate x0.1 after each fifth (10 of 50), rotation and shift.
    as_coded: ``iterations`` batches, rate x0.1 after each fifth (500 of 2,500), no rotation or shift
    (a misspelt parameter kept the authors' from running)."""
    epochs: int = 50
    iterations: int = 2500
    """as_coded only."""
    batch: int = 16
    lr: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 5e-6
    oversample: bool = True
    """Draw minority classes up to the majority anew each epoch, as the code does; the paper is silent."""
    rotation_deg: float = 5.0
    shift_px: float = 10.0
    """Largest rotation and shift of the apex frame, each applied with probability 0.5."""
    size: int = 224
    """Side of the apex frame; the network takes any."""
    mirror: bool = False
    """Mirror half of the clips: apex frame and flow statistics together. Not in the paper."""
    spatial_weights: str = ""
    """Folder that ``mer-train pretrain --network atnet --set variant=spatial`` wrote: the spatial stream begins
    with macro-expressions, as in the paper (which begins with ImageNet before)."""


class Atnet(NetworkMethod):
    """Inputs ``apex`` (224, 224) and ``adm`` (64, 128), or one of them by variant; SGD.

    Deviation: no ImageNet weights; without ``spatial_weights`` training starts from scratch.
    """

    name: ClassVar[str] = "atnet"
    paper: ClassVar[str] = "Peng, Wang, Zhang, Chen: A Novel Apex-Time Network, ACII 2019"
    Config = AtnetConfig

    _barred: frozenset[str] = frozenset()

    def fit(self, train: Labelled, target_unlabelled: Unlabelled | None = None, seed: int = 0) -> None:
        """Train from scratch, or from ``spatial_weights``, which must not have seen the test fold's people."""
        self._barred = train.barred
        super().fit(train, target_unlabelled, seed)

    def build(self) -> Network:
        """Return a fresh network."""
        network = build("atnet", {"variant": self.config.variant})
        if self.config.spatial_weights:
            start_from(network, self.config.spatial_weights, "streams.apex.", self._barred)
        return network

    def specs(self) -> Mapping[str, RepresentationSpec]:
        """Return the inputs of the variant."""
        every: dict[str, RepresentationSpec] = {"apex": ApexSpec(size=self.config.size), "adm": AdmSpec()}
        unused = {"spatial": "adm", "temporal": "apex"}.get(self.config.variant)
        return {name: spec for name, spec in every.items() if name != unused}

    def epochs(self, steps: int) -> int:
        """Return the published epochs, or as many as make the coded iterations."""
        if self.config.recipe == "as_coded":
            return max(1, -(-int(self.config.iterations) // steps))
        return int(self.config.epochs)

    def optimizer(
        self, network: Network, steps: int, epochs: int
    ) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler | None, str]:
        """Return SGD with momentum, the rate falling tenfold after each fifth of the run."""
        c = self.config
        sgd = torch.optim.SGD(network.parameters(), lr=c.lr, momentum=c.momentum, weight_decay=c.weight_decay)
        coded = c.recipe == "as_coded"
        fifth = max(1, (c.iterations if coded else epochs) // 5)
        return sgd, torch.optim.lr_scheduler.StepLR(sgd, fifth, 0.1), "step" if coded else "epoch"

    def batches(self, train: Labelled, rng: np.random.Generator) -> Iterable[Rows]:
        """Return shuffled batches, minority classes drawn up to the majority."""
        c = self.config
        rows = oversample(train.labels, rng) if c.oversample else np.arange(len(train.labels))
        rows = rows[rng.permutation(len(rows))]
        cuts = [rows[a : a + c.batch] for a in range(0, len(rows), c.batch)]
        # Batch norm needs two samples.
        return cuts if len(cuts) < 2 or len(cuts[-1]) > 1 else cuts[:-1]

    def augment(self, rows: Inputs, rng: np.random.Generator) -> Inputs:
        """Rotate and shift the apex frame; mirror both streams together."""
        c = self.config
        count = len(next(iter(rows.values())))
        result: dict[str, NDArray[Any]] = dict(rows)
        if c.recipe == "as_published" and "apex" in rows:
            result["apex"] = np.stack([_jittered(image, c, rng) for image in rows["apex"]])
        if c.mirror:
            flipped = rng.random(count) < 0.5
            if "apex" in result:
                apex = np.array(result["apex"])
                apex[flipped] = apex[flipped][..., ::-1]
                result["apex"] = apex
            if "adm" in result:
                adm = np.array(result["adm"], np.float32)
                for k in np.flatnonzero(flipped):
                    adm[k] = mirror_adm(adm[k])
                result["adm"] = adm
        return result


def _jittered(image: NDArray[Any], c: AtnetConfig, rng: np.random.Generator) -> NDArray[Any]:
    angle = rng.uniform(-c.rotation_deg, c.rotation_deg) * (rng.random() < 0.5)
    move = rng.uniform(-c.shift_px, c.shift_px, 2) * (rng.random() < 0.5)
    return warped(image, angle, move)


def warped(image: NDArray[Any], degrees: float, move: NDArray[np.float64]) -> NDArray[Any]:
    """Rotate an image (H, W) about its centre and move it by (x, y) px; its border is repeated outwards."""
    centre = (image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2
    warp = cv2.getRotationMatrix2D(centre, degrees, 1.0)
    warp[:, 2] += move
    size = (image.shape[1], image.shape[0])
    source = np.ascontiguousarray(image)
    result: NDArray[Any] = cv2.warpAffine(source, warp, size, borderMode=cv2.BORDER_REPLICATE)
    return result
