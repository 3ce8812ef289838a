"""SA-AT (Zhou, Mao, Xue 2019): styles aggregated, a macro-expression teacher's attention transferred."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from mer_live.engines.networks import build
from mer_live.engines.networks.base import Network
from mer_live.engines.networks.sa_at import SaAtNetwork
from mer_live.engines.records import to_json
from mer_live.engines.representation.specs import ApexSpec, RepresentationSpec
from mer_live.training.learning.augment import shake
from mer_live.training.learning.checkpoint import here
from mer_live.training.learning.data import Inputs, Labelled, Unlabelled
from mer_live.training.learning.pretrain import PretrainConfig, Pretrained, load, pretrain, start_from
from mer_live.training.learning.trainer import Fit, Solver
from mer_live.training.methods.network import LoopConfig, NetworkMethod, Tensors
from mer_live.training.methods.sa_at.attention_transfer import attention_terms
from mer_live.training.methods.sa_at.style.styles import styles_of
from mer_live.training.methods.sa_at.style.train import StyleConfig, StyleFit, train_style
from mer_live.training.prepared.prepared_set import PreparedSet

Variant = Literal["resnet", "resnet+sa", "resnet+at", "sa-at"]
TrunkName = Literal["resnet110", "resnet38", "resnet50", "resnet18", "alexnet", "vgg16"]


@dataclass(frozen=True, slots=True)
class SaAtConfig(LoopConfig):
    """The paper's settings where it gives one: rate, batches, face of 256 px, weights of deviation 0.02."""

    variant: Variant = "sa-at"
    """Rows of the paper's Table 3: with attention transfer (at), with aggregated styles (sa)."""
    without_at: Literal["teacher", "student"] = "teacher"
    """What "resnet" and "resnet+sa" test. teacher: the macro-expression network as it is, no micro-expression
    seen (paper); student: a student trained on cross entropy alone, which differs in nothing but the transfer."""
    teacher: TrunkName = "resnet110"
    """resnet38 and resnet110 are of the CIFAR type, resnet50 has bottlenecks."""
    student: TrunkName = "resnet38"
    """The paper transfers to a shallower network and does not name it."""
    teacher_weights: str = ""
    """Folder that ``mer-train pretrain --network sa-at`` wrote; its network is the teacher, whatever ``teacher``
    says. A fold that is tested on people whom the teacher has seen is refused."""
    macro: str = ""
    """Prepared set of macro-expressions to train the teacher on where no weights are given, without the people
    of the test fold."""
    teacher_epochs: int = 12
    student_weights: str = ""
    """Folder of ``mer-train pretrain`` with the student's own network: it begins with macro-expressions too.
    Empty: from scratch, as in the paper."""
    stages: tuple[int, ...] = (1, 2, 3)
    """Of the student, from 1; the last one is compared with the teacher's last."""
    beta: float = 0.0
    """Of eq. 4; 0 takes 1000 / elements of the map, stage by stage."""
    size: int = 256
    """Side of the face; crops of 224 px are enlarged."""
    stem_stride: int = 1
    """Of CIFAR-type trunks; 4 is sixteen times cheaper."""
    width: int = 0
    """Channels of the student's first stage; 0 takes the published ones."""
    hidden: int = 4096
    """Fully connected layers of AlexNet and VGG-16."""
    init_std: float = 0.02
    style_width: int = 8
    """Filters of the style generator; CycleGAN has 64."""
    style_blocks: int = 2
    """Its residual blocks; CycleGAN has 9."""
    style_steps: int = 200
    """Batches that it is trained on."""
    epochs: int = 50
    batch: int = 16
    lr: float = 1e-4
    """Adam; the paper names no optimiser."""
    rotation_deg: float = 0.0
    shift_px: float = 0.0
    mirror: bool = False
    """Augmentation; the paper has none."""
    bfloat16: bool = True


class SaAt(NetworkMethod):
    """Input ``apex`` (S, S): cross entropy + beta/2 sum of attention differences (eq. 4), Adam.

    The styles are aggregated by a generator that is trained on the fold's training side without labels and
    becomes the first part of the network, so that test clips pass through it as well.

    Attributes:
        teacher: The frozen teacher with its provenance; None where none is needed.
        aggregation: Of the last `fit`; None without style aggregation, or where all clips are of one style.
    """

    name: ClassVar[str] = "sa-at"
    paper: ClassVar[str] = "Zhou, Mao, Xue: Style Aggregated and Attention Transfer, 2019"
    Config = SaAtConfig

    def __init__(self, config: SaAtConfig | None = None) -> None:
        super().__init__(config)
        self.teacher: Pretrained | None = None
        self.aggregation: StyleFit | None = None
        self._barred: frozenset[str] = frozenset()

    @property
    def transfers(self) -> bool:
        """Whether attention is transferred."""
        return self.config.variant in ("resnet+at", "sa-at")

    @property
    def aggregates(self) -> bool:
        """Whether styles are aggregated."""
        return self.config.variant in ("resnet+sa", "sa-at")

    def specs(self) -> Mapping[str, RepresentationSpec]:
        """Return the apex frame."""
        return {"apex": ApexSpec(size=self.config.size)}

    def build(self) -> Network:
        """Return a fresh student behind the trained style generator."""
        c = self.config
        network = self._styled(trunk_settings(c.student, c) | {"width": c.width})
        for part in ("trunk.", "classifier.") if c.student_weights else ():
            start_from(network, c.student_weights, part, self._barred)
        return network

    def fit(self, train: Labelled, target_unlabelled: Unlabelled | None = None, seed: int = 0) -> None:
        """Train the style generator, then the student; the teacher alone where the paper tests that.

        Raises:
            ValueError: A teacher is needed and neither ``teacher_weights`` nor ``macro`` is given.
        """
        c = self.config
        alone = not self.transfers and c.without_at == "teacher"
        self._barred, self.classes = train.barred, train.classes
        self.teacher = self._teacher() if self.transfers or alone else None
        self.aggregation = None
        if self.aggregates:
            faces = train.inputs["apex"]
            style = StyleConfig(width=c.style_width, blocks=c.style_blocks, steps=c.style_steps)
            self.aggregation = train_style(faces, styles_of(faces, train.subjects, seed), style, seed)
        if not alone:
            super().fit(train, None, seed)
            return
        assert self.teacher is not None
        taught = self.teacher.network.config.classes
        if taught != len(train.classes):
            raise ValueError(
                f"the teacher knows {taught} classes and these clips have {len(train.classes)}: teach it on macro-"
                "expressions of the same classes"
            )
        network = self._styled(dict(to_json(self.teacher.network.config)))
        network.load_state_dict(self.teacher.network.state_dict(), strict=False)
        self.network, self.report = network.eval(), Fit(0)

    def augment(self, rows: Inputs, rng: np.random.Generator) -> Inputs:
        """Mirror, turn and shift the faces where that is asked for."""
        c = self.config
        faces = np.array(rows["apex"])
        if c.mirror:
            flip = rng.random(len(faces)) < 0.5
            faces[flip] = faces[flip][..., ::-1]
        if c.rotation_deg or c.shift_px:
            faces = shake(faces, rng, c.rotation_deg, c.shift_px)
        return {"apex": faces}

    def published_solver(self, network: Network, steps: int, epochs: int) -> Solver:
        """Return Adam over all but the style generator, at a fixed rate."""
        return Solver(torch.optim.Adam(self.trained(network), lr=self.config.lr))

    def terms(
        self, network: Network, x: Tensors, y: Tensor, target: Tensors | None
    ) -> dict[str, tuple[float, Tensor]]:
        """Return cross entropy (eq. 3) and the attention terms (eq. 4) of the same faces in both networks."""
        assert isinstance(network, SaAtNetwork)
        with self.half():
            faces = network.faces(x["apex"])
            maps = network.maps(faces)
            logits = network.classify(network.pooled(maps[-1]))
        terms = {"cross_entropy": self.cross_entropy(logits, y)}
        if self.transfers:
            assert self.teacher is not None
            teacher = self.teacher.network
            assert isinstance(teacher, SaAtNetwork)
            with torch.no_grad(), self.half():
                wanted = teacher.maps(faces)
            c = self.config
            terms |= attention_terms([m.float() for m in maps], [m.float() for m in wanted], c.stages, c.beta)
        return terms

    def _styled(self, settings: dict[str, Any]) -> Network:
        settings = {"classes": len(self.classes)} | settings
        if self.aggregation is not None:
            c = self.config
            settings = settings | {"style_width": c.style_width, "style_blocks": c.style_blocks}
        network = build("sa-at", settings)
        assert isinstance(network, SaAtNetwork)
        if self.aggregation is not None:
            network.style.load_state_dict(self.aggregation.generator.state_dict())
            network.style.requires_grad_(False)
        # Twice as fast in half precision.
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        return network

    def _teacher(self) -> Pretrained:
        c = self.config
        if c.teacher_weights:
            teacher = load(c.teacher_weights, self._barred)
            if not isinstance(teacher.network, SaAtNetwork):
                raise ValueError(
                    f"{c.teacher_weights} holds a {teacher.network.name}: pretrain --network sa-at"
                )
        elif c.macro:
            settings = tuple(sorted(trunk_settings(c.teacher, c).items()))
            teacher = _taught(c.macro, settings, c.size, c.teacher_epochs, self._barred)
        else:
            raise ValueError(
                f"sa-at ({c.variant}) needs a teacher: --set teacher_weights=FOLDER of mer-train pretrain, or "
                "--set macro=FOLDER, a prepared set of macro-expressions"
            )
        teacher.network.to(here()).eval().requires_grad_(False)
        return teacher


def trunk_settings(trunk: TrunkName, config: SaAtConfig) -> dict[str, Any]:
    """Settings of the network ``sa-at`` with the trunk of this name."""
    settings: dict[str, Any] = {"init_std": config.init_std, "hidden": config.hidden}
    if trunk in ("resnet38", "resnet110"):
        depth = int(trunk.removeprefix("resnet"))
        return settings | {"trunk": "cifar", "depth": depth, "stem_stride": config.stem_stride}
    return settings | {"trunk": trunk}


@lru_cache(maxsize=2)
def _taught(
    macro: str, settings: tuple[tuple[str, Any], ...], size: int, epochs: int, barred: frozenset[str]
) -> Pretrained:
    # Folds share one teacher, as in the paper, unless the macro set shows the people they are tested on.
    config = PretrainConfig(epochs=epochs, size=size)
    return pretrain("sa-at", dict(settings), PreparedSet.open(macro), config, barred)
