"""ATNet (Peng, Wang, Zhang, Chen; ACII 2019): apex frame and temporal flow statistics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, cast

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mer_live.engines.networks import build
from mer_live.engines.networks.atnet import AtnetNetwork
from mer_live.engines.networks.base import Network
from mer_live.engines.representation.adm import mirror_adm
from mer_live.engines.representation.motion_image import mirror_flow_strain
from mer_live.engines.representation.specs import AdmSpec, ApexSpec, Flow3Spec, RepresentationSpec
from mer_live.training.learning.data import Inputs, Labelled, Rows, Unlabelled
from mer_live.training.learning.pretrain import start_from
from mer_live.training.learning.trainer import Solver, derive, oversample
from mer_live.training.methods.network import LoopConfig, NetworkMethod, Tensors


@dataclass(frozen=True, slots=True)
class AtnetConfig(LoopConfig):
    """Paper and code disagree; ``recipe`` chooses."""

    variant: Literal["spatial", "temporal", "fusion"] = "fusion"
    picture: Literal["apex", "flow3"] = "apex"
    """What the spatial stream sees: the gray apex frame (paper), or the flow from the onset to it and its strain, in
    which a movement of a pixel can be seen without knowing the face."""
    widths: tuple[int, int, int, int] = (64, 128, 256, 512)
    """Of the ResNet-10."""
    hidden: int = 512
    """Of the LSTM."""
    cells: Literal["polar", "vector"] = "polar"
    """What the LSTM is given of a cell of the ADM: angle and magnitude (paper), or a motion vector."""
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
    """Largest rotation and shift of the picture, each applied with probability 0.5; a turned flow keeps its vectors."""
    size: int = 224
    """Side of the picture; the network takes any."""
    mirror: bool = False
    """Mirror half of the clips: picture and flow statistics together. Not in the paper."""
    temporal_epochs: int = 0
    """Above 0, of "fusion": the temporal stream is first trained alone for so many epochs. The paper trains both
    streams jointly from the start, which takes ten times as long on a CPU."""
    spatial_epochs: int = 0
    """The same of the spatial stream, which is then frozen while both are trained jointly. Where both were trained
    alone both are frozen: only the classifier, which begins with the mean of theirs, is trained jointly."""
    spatial_weights: str = ""
    """Folder that ``mer-train pretrain --network atnet --set variant=spatial`` wrote: the spatial stream begins
    with macro-expressions, as in the paper (which begins with ImageNet before)."""


class Atnet(NetworkMethod):
    """Inputs ``apex`` (224, 224), or ``flow3`` (S, S, 3), and ``adm`` (64, 128), or one of them by variant; SGD.

    Deviation: no ImageNet weights; without ``spatial_weights`` training starts from scratch.
    """

    name: ClassVar[str] = "atnet"
    paper: ClassVar[str] = "Peng, Wang, Zhang, Chen: A Novel Apex-Time Network, ACII 2019"
    Config = AtnetConfig

    _barred: frozenset[str] = frozenset()
    _begun: Mapping[str, AtnetNetwork] = {}
    """Stream -> the network of that stream, trained alone."""

    def fit(self, train: Labelled, target_unlabelled: Unlabelled | None = None, seed: int = 0) -> None:
        """Train from scratch, or from ``spatial_weights``, which must not have seen the test fold's people."""
        c = self.config
        self._barred, self._begun = train.barred, {}
        alone: dict[str, tuple[Literal["temporal", "spatial"], int]] = {
            "adm": ("temporal", c.temporal_epochs),
            c.picture: ("spatial", c.spatial_epochs),
        }
        for number, (stream, (variant, epochs)) in enumerate(alone.items()):
            if c.variant == "fusion" and epochs:
                begins = c.spatial_weights if variant == "spatial" else ""
                model = Atnet(replace(c, variant=variant, epochs=epochs, spatial_weights=begins))
                model.progress = self.progress
                model.fit(train, seed=derive(seed, 21 + number))
                assert isinstance(model.network, AtnetNetwork)
                self._begun[stream] = model.network
        super().fit(train, target_unlabelled, seed)

    @property
    def _frozen(self) -> tuple[str, ...]:
        """Streams that stand still in joint training; the temporal one learns on beside a spatial one that does."""
        both = len(self._begun) > 1
        return tuple(stream for stream in self._begun if both or stream == self.config.picture)

    def build(self) -> Network:
        """Return a fresh network."""
        c = self.config
        sizes = {"widths": list(c.widths), "hidden": c.hidden, "cells": c.cells, "classes": len(self.classes)}
        network = build("atnet", {"variant": c.variant, "picture": c.picture} | sizes)
        assert isinstance(network, AtnetNetwork)
        if c.spatial_weights:
            start_from(network, c.spatial_weights, f"streams.{c.picture}.", self._barred)
        for stream, trained in self._begun.items():
            network.streams[stream].load_state_dict(trained.streams[stream].state_dict())
        for stream in self._frozen:
            network.streams[stream].requires_grad_(False)
        if len(self._begun) == len(network.streams):
            with torch.no_grad():
                own = [self._begun[stream].classifier for stream in network.streams]
                network.classifier.weight.copy_(torch.cat([k.weight for k in own], 1) / len(own))
                network.classifier.bias.copy_(torch.stack([k.bias for k in own]).mean(0))
        if c.bfloat16:  # in which this layout is twice as fast
            network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network

    def terms(
        self, network: Network, x: Tensors, y: Tensor, target: Tensors | None
    ) -> dict[str, tuple[float, Tensor]]:
        """Return cross entropy; a frozen stream keeps the statistics of its batch norm."""
        for stream in self._frozen:
            cast(AtnetNetwork, network).streams[stream].eval()
        return super().terms(network, x, y, target)

    def specs(self) -> Mapping[str, RepresentationSpec]:
        """Return the inputs of the variant."""
        c = self.config
        picture = ApexSpec(size=c.size) if c.picture == "apex" else Flow3Spec(size=c.size)
        every: dict[str, RepresentationSpec] = {c.picture: picture, "adm": AdmSpec()}
        unused = {"spatial": "adm", "temporal": c.picture}.get(c.variant)
        return {name: spec for name, spec in every.items() if name != unused}

    def epochs(self, steps: int) -> int:
        """Return the published epochs, or as many as make the coded iterations."""
        if self.config.recipe == "as_coded":
            return max(1, -(-int(self.config.iterations) // steps))
        return int(self.config.epochs)

    def published_solver(self, network: Network, steps: int, epochs: int) -> Solver:
        """Return SGD with momentum, the rate falling tenfold after each fifth of the run."""
        c = self.config
        sgd = torch.optim.SGD(network.parameters(), lr=c.lr, momentum=c.momentum, weight_decay=c.weight_decay)
        coded = c.recipe == "as_coded"
        fifth = max(1, (c.iterations if coded else epochs) // 5)
        return Solver(sgd, torch.optim.lr_scheduler.StepLR(sgd, fifth, 0.1), "step" if coded else "epoch")

    def batches(self, train: Labelled, rng: np.random.Generator) -> Iterable[Rows]:
        """Return shuffled batches, minority classes drawn up to the majority."""
        c = self.config
        rows = oversample(train.labels, rng) if c.oversample else np.arange(len(train.labels))
        rows = rows[rng.permutation(len(rows))]
        cuts = [rows[a : a + c.batch] for a in range(0, len(rows), c.batch)]
        # Batch norm needs two samples.
        return cuts if len(cuts) < 2 or len(cuts[-1]) > 1 else cuts[:-1]

    def augment(self, rows: Inputs, rng: np.random.Generator) -> Inputs:
        """Rotate and shift the picture; mirror both streams together."""
        c = self.config
        count = len(next(iter(rows.values())))
        result: dict[str, NDArray[Any]] = dict(rows)
        if c.recipe == "as_published" and c.picture in rows:
            result[c.picture] = np.stack([_jittered(image, c, rng) for image in rows[c.picture]])
        if c.mirror:
            flipped = rng.random(count) < 0.5
            for name, mirrored in (
                ("apex", _mirror_gray),
                ("flow3", mirror_flow_strain),
                ("adm", mirror_adm),
            ):
                if name in result:
                    result[name] = np.array(result[name])
                    result[name][flipped] = mirrored(result[name][flipped])
        return result


def _jittered(image: NDArray[Any], c: AtnetConfig, rng: np.random.Generator) -> NDArray[Any]:
    angle = rng.uniform(-c.rotation_deg, c.rotation_deg) * (rng.random() < 0.5)
    move = rng.uniform(-c.shift_px, c.shift_px, 2) * (rng.random() < 0.5)
    return warped(image, angle, move)


def _mirror_gray(images: NDArray[Any]) -> NDArray[Any]:
    return images[..., ::-1]


def warped(image: NDArray[Any], degrees: float, move: NDArray[np.float64]) -> NDArray[Any]:
    """Rotate an image (H, W) or (H, W, C) about its centre, move it by (x, y) px; its border is repeated."""
    centre = (image.shape[1] - 1) / 2, (image.shape[0] - 1) / 2
    warp = cv2.getRotationMatrix2D(centre, degrees, 1.0)
    warp[:, 2] += move
    size = (image.shape[1], image.shape[0])
    source = np.ascontiguousarray(image)
    result: NDArray[Any] = cv2.warpAffine(source, warp, size, borderMode=cv2.BORDER_REPLICATE)
    return result
