"""MTM, macro to micro (Xia, Wang; IJCAI 2021): MiNet on micro-expressions, guided by MaNet on macro ones."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mer_live.engines.networks import build
from mer_live.engines.networks.base import Network
from mer_live.engines.networks.minet import MinetNetwork
from mer_live.engines.representation.specs import ApexSpec, FramesSpec, RepresentationSpec
from mer_live.training.learning.augment import shake
from mer_live.training.learning.checkpoint import here
from mer_live.training.learning.data import Inputs, Labelled, Rows, Unlabelled
from mer_live.training.learning.macro import macro_side
from mer_live.training.learning.pretrain import load
from mer_live.training.learning.trainer import Solver, derive, endless_batches, seeded
from mer_live.training.methods.mtm.guidance import (
    Head,
    contrastive_loss,
    domain_loss,
    relation_loss,
    reversal_strength,
    reverse_gradient,
)
from mer_live.training.methods.network import LoopConfig, NetworkMethod, Tensors

ABLATIONS: Mapping[str, Mapping[str, str]] = {
    "L_c": {"spatial": "0", "relation": "0", "temporal": "0", "contrast": "0"},
    "L_c + L_s": {"relation": "0", "temporal": "0", "contrast": "0"},
    "L_c + L_sam + L_t": {"spatial": "0", "contrast": "0"},
    "L_c + L_s + L_sam + L_t": {"contrast": "0"},
    "L_c + L_con": {"spatial": "0", "relation": "0", "temporal": "0"},
    "L_c + L_s + L_sam + L_t + L_con": {},
}
"""Rows of the paper's tables 2 and 3 -> settings."""


@dataclass(frozen=True, slots=True)
class MtmConfig(LoopConfig):
    """The paper's weights; it gives no epochs, rate, batch, T, frame size or temperature."""

    macro: str = ""
    """Folder of a prepared set of macro-expressions with the arrays ``apex`` and ``frames``."""
    manet_weights: str = ""
    """Folder of `training.learning.pretrain` with a MaNet, instead of one trained for each fold; it must not have seen
    the people of the test fold."""
    epochs: int = 30
    """Of the guidance, which every row of `ABLATIONS` gets, L_c alone as well."""
    pretrain_epochs: int = 30
    """Of MiNet and of MaNet, each on its own data, by L_c."""
    batch: int = 16
    """From each domain."""
    lr: float = 1e-4
    """Adam."""
    cosine: bool = False
    """Let the rate fall to 0 in each phase."""
    spatial: float = 0.1
    """lambda_1 of eq. 8, for L_s; 0 switches a loss off."""
    relation: float = 0.2
    """lambda_2, L_sam."""
    temporal: float = 0.2
    """lambda_3, L_t."""
    contrast: float = 0.1
    """lambda_4, L_con."""
    temperature: float = 0.07
    """tau of eqs. 6-7."""
    positives: Literal["sum", "mean"] = "sum"
    """L_con over an anchor's positives: as printed, or their mean (see `contrastive_loss`)."""
    intervals: int = 3
    """s_c of eq. 3. Where neither L_sam nor L_t is on, v is the plain mean, as in the paper's baseline."""
    heads: Literal["full", "convolution"] = "full"
    """Layers of the discriminators and the relation classifier (`Head`)."""
    width: int = 64
    """Of the ResNet-18s."""
    steps: int = 8
    """T."""
    size: int = 112
    """Side of the frames."""
    frames: Literal["gray", "difference"] = "gray"
    """difference: the temporal stream sees what changed since the first frame. Not in the paper."""
    augment: bool = False
    """Mirror half of the clips, and turn (5 degrees), shift (5 %) and scale each as a whole. Not in the paper."""
    dropout: float = 0.0


class TwoStream(NetworkMethod):
    """The baseline, L_c alone (eq. 1): inputs ``apex`` (S, S) and ``frames`` (T, S, S); Adam.

    Deviation: the T frames are spread over onset..offset, not onset..apex.
    """

    name: ClassVar[str] = "minet"
    Config = MtmConfig

    def build(self) -> Network:
        """Return a fresh MiNet (or MaNet, which is the same)."""
        c = self.config
        intervals = c.intervals if c.relation or c.temporal else 1
        options = {"width": c.width, "intervals": intervals, "frames": c.frames, "dropout": c.dropout}
        options["classes"] = len(self.classes)
        # Half the time on a CPU; a layout in memory, nothing else.
        network: Network = build("minet", options).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network

    def specs(self) -> Mapping[str, RepresentationSpec]:
        """Return both inputs."""
        c = self.config
        return {"apex": ApexSpec(size=c.size), "frames": FramesSpec(steps=c.steps, size=c.size)}

    def published_solver(self, network: Network, steps: int, epochs: int) -> Solver:
        """Return Adam, at a fixed rate or falling to 0."""
        adam = torch.optim.Adam(self.trained(network), lr=self.config.lr)
        if not self.config.cosine:
            return Solver(adam)
        return Solver(adam, torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps * epochs), "step")

    def streams(self, network: Network, x: Tensors) -> tuple[Tensor, Tensor]:
        """Return f^A (B, F) and v(s) (B, s_c, F) of a training batch."""
        with self.half():
            spatial, temporal = cast(MinetNetwork, network).streams(*network.ordered(x))
        return spatial.float(), temporal.float()

    def terms(
        self, network: Network, x: Tensors, y: Tensor, target: Tensors | None
    ) -> dict[str, tuple[float, Tensor]]:
        """Return L_c."""
        logits = network.classify(cast(MinetNetwork, network).fuse(*self.streams(network, x)))
        return {"cross_entropy": self.cross_entropy(logits, y)}

    def augment(self, rows: Inputs, rng: np.random.Generator) -> Inputs:
        """Mirror and shake a clip's apex frame and frames together."""
        if not self.config.augment:
            return rows
        clips = np.concatenate([rows["apex"][:, None], rows["frames"]], 1)  # (B, 1 + T, S, S)
        flip = rng.random(len(clips)) < 0.5
        clips[flip] = clips[flip][..., ::-1]
        clips = shake(clips, rng, 5.0, self.config.size / 20)
        return {"apex": clips[:, 0], "frames": clips[:, 1:]}


class Mtm(TwoStream):
    """Both networks are trained apart, then MiNet goes on with eq. 8; MaNet is frozen from then on.

    Only MiNet's weights follow eq. 8, as the paper says (sec. 2.6), with those of the discriminators and the
    relation classifier; MaNet's features of the macro clips are therefore computed once, without augmentation.
    L_con, a sum over the batch, is divided by n, since the other losses are means over it.
    """

    name: ClassVar[str] = "mtm"
    paper: ClassVar[str] = "Xia, Wang: Micro-Expression Recognition Enhanced by Macro-Expression, IJCAI 2021"
    Config = MtmConfig
    _guide: Guide | None = None
    _start: Network | None = None

    def fit(self, train: Labelled, target_unlabelled: Unlabelled | None = None, seed: int = 0) -> None:
        """Train from scratch; ``seed`` decides every random choice.

        Raises:
            ValueError: A guiding loss is on and no macro-expressions are named.
        """
        c, self.classes = self.config, train.classes
        macro = None
        if c.spatial or c.relation or c.temporal or c.contrast:
            if not c.macro:
                raise ValueError(
                    "MTM needs macro-expressions: name a prepared set with --set macro=FOLDER, or switch its "
                    "losses off (spatial, relation, temporal and contrast = 0)"
                )
            macro = macro_side(c.macro, self.wants(), train.barred, train.classes)
        self._start = self._pretrained(train, seed, c.inner_fraction)
        self._guide = None
        if macro is not None:
            manet = (
                self._loaded(train.barred)
                if c.manet_weights
                else self._pretrained(macro, derive(seed, 11), 0.0)
            )
            with seeded(derive(seed, 12)):
                self._guide = Guide(c, *self._features(manet, macro.inputs), macro.labels, derive(seed, 13))
        super().fit(train, None, seed)

    @property
    def draws_from_one(self) -> bool:
        """Not while the guide draws macro clips and its heads learn beside the network."""
        return self._guide is None

    def build(self) -> Network:
        """Return the pretrained MiNet."""
        return super().build() if self._start is None else self._start

    def trained(self, network: Network) -> list[nn.Parameter]:
        """Return MiNet's parameters and those of the heads."""
        heads = [] if self._guide is None else list(self._guide.heads.parameters())
        return [*network.parameters(), *heads]

    def solver(self, network: Network, steps: int, epochs: int) -> Solver:
        """Return the solver; the guide learns how long the training is."""
        if self._guide is not None:
            self._guide.steps = steps * epochs
        return super().solver(network, steps, epochs)

    def terms(
        self, network: Network, x: Tensors, y: Tensor, target: Tensors | None
    ) -> dict[str, tuple[float, Tensor]]:
        """Return eq. 8."""
        spatial, temporal = self.streams(network, x)
        z = cast(MinetNetwork, network).fuse(spatial, temporal)
        terms = {"cross_entropy": self.cross_entropy(network.classify(z), y)}
        return terms if self._guide is None else terms | self._guide.terms(spatial, temporal, z, y)

    def _pretrained(self, data: Labelled, seed: int, inner_fraction: float) -> Network:
        c = self.config
        model = TwoStream(replace(c, epochs=c.pretrain_epochs, inner_fraction=inner_fraction))
        model.progress = self.progress
        model.fit(data, seed=seed)
        assert model.network is not None
        return model.network

    def _loaded(self, barred: Collection[str]) -> Network:
        found = load(self.config.manet_weights, barred).network
        manet = super().build()
        same = {k: getattr(manet.config, k) for k in ("intervals", "dropout")}  # these have no weights
        if found.name != manet.name or replace(found.config, **same) != manet.config:
            raise ValueError(
                f"the weights in {self.config.manet_weights} are of {found.name} {found.config}, wanted is "
                f"{manet.name} {manet.config}: pretrain that"
            )
        manet.load_state_dict(found.state_dict())
        return manet.eval()

    def _features(self, manet: Network, inputs: Inputs) -> tuple[Tensor, Tensor]:
        parts = []
        with torch.no_grad():
            for a in range(0, len(inputs["apex"]), 64):
                x = self.tensors({name: array[a : a + 64] for name, array in inputs.items()})
                parts.append(cast(MinetNetwork, manet).streams(*manet.ordered(x)))
        return torch.cat([s for s, _ in parts]).to(here()), torch.cat([t for _, t in parts]).to(here())


class Guide:
    """MaNet's features of the macro clips, and the heads that compare MiNet's with them."""

    def __init__(
        self, config: MtmConfig, spatial: Tensor, temporal: Tensor, labels: NDArray[np.int64], seed: int
    ) -> None:
        """Take f_a^A (M, F), v_a(s) (M, s_c, F) and labels (M,); ``seed`` orders the batches."""
        self.config = config
        self.spatial, self.temporal = spatial, temporal
        self.labels = torch.from_numpy(labels).to(spatial.device)
        features, intervals = spatial.shape[1], temporal.shape[1]
        outputs = {"spatial": 1, "relation": intervals, "temporal": 1}
        convolutional = config.heads == "convolution"
        self.heads = nn.ModuleDict(
            {
                name: Head(features, count, convolutional=convolutional)
                for name, count in outputs.items()
                if getattr(config, name)
            }
        ).to(spatial.device)
        self.steps = 1
        """Of the whole training; decides how fast the reversal grows."""
        self._step = 0
        batch = min(config.batch, len(labels))
        self._rows: Iterator[Rows] = endless_batches(len(labels), batch, np.random.default_rng(seed))

    def terms(
        self, spatial: Tensor, temporal: Tensor, z: Tensor, labels: Tensor
    ) -> dict[str, tuple[float, Tensor]]:
        """Return the losses that are on; f_i^A (n, F), v_i(s) (n, s_c, F), z_i (n, 2 F), labels (n,)."""
        c = self.config
        rows = torch.from_numpy(next(self._rows)[: len(labels)])
        spatial_a, temporal_a = self.spatial[rows], self.temporal[rows]
        self._step += 1
        strength = reversal_strength(self._step / self.steps)
        terms: dict[str, tuple[float, Tensor]] = {}
        if c.spatial:
            judge = self.heads["spatial"]
            value = domain_loss(judge(reverse_gradient(spatial, strength)), judge(spatial_a))
            terms["spatial"] = (c.spatial, value)
        if c.relation:
            both = torch.cat([temporal, temporal_a])
            terms["relation"] = (c.relation, relation_loss(self.heads["relation"](both)))
        if c.temporal:
            judge = self.heads["temporal"]
            value = domain_loss(judge(reverse_gradient(temporal, strength)), judge(temporal_a))
            terms["temporal"] = (c.temporal, value)
        if c.contrast:
            z_a = torch.cat([spatial_a, temporal_a.mean(1)], 1)
            value = contrastive_loss(z, labels, z_a, self.labels[rows], c.temperature, c.positives)
            terms["contrast"] = (c.contrast, value / len(labels))
        return terms
