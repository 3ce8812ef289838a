"""SA-AT's classifier of a face (Zhou, Mao, Xue 2019), teacher and student alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from torch import Tensor, nn

from mer_live.engines.networks.base import Network
from mer_live.engines.networks.plain import PlainTrunk, alexnet, vgg16
from mer_live.engines.networks.residual import ResidualTrunk, cifar_resnet, resnet18, resnet50
from mer_live.engines.networks.style import StyleGenerator


@dataclass(frozen=True, slots=True)
class SaAtNetworkConfig:
    """Defaults are the paper's best teacher, ResNet-110."""

    trunk: Literal["cifar", "resnet18", "resnet50", "alexnet", "vgg16"] = "cifar"
    """"cifar": the residual networks of depth 6n + 2, of which the paper takes 38 and 110."""
    depth: int = 110
    """Of "cifar"."""
    width: int = 0
    """Channels of the first stage; 0 takes the published 16 ("cifar") or 64."""
    stem_stride: int = 1
    """Of "cifar"; 4 makes a face of 224 px sixteen times cheaper."""
    hidden: int = 4096
    """Width of the fully connected layers of AlexNet and VGG-16."""
    style_width: int = 0
    """Filters of the style generator in front of the trunk; 0: there is none."""
    style_blocks: int = 2
    """Its residual blocks."""
    init_std: float = 0.02
    """Weights are drawn from a zero-centred normal of this deviation (paper); 0 keeps each layer's own."""
    classes: int = 3


def make_trunk(config: SaAtNetworkConfig) -> ResidualTrunk | PlainTrunk:
    """Trunk of a configuration, one gray channel."""
    width = config.width or (16 if config.trunk == "cifar" else 64)
    match config.trunk:
        case "cifar":
            return cifar_resnet(config.depth, width=width, stem_stride=config.stem_stride)
        case "resnet18":
            return resnet18(width=width)
        case "resnet50":
            return resnet50(width=width)
        case "alexnet":
            return alexnet(width=width, hidden=config.hidden)
        case "vgg16":
            return vgg16(width=width, hidden=config.hidden)


class SaAtNetwork(Network):
    """Face (B, 1, S, S) raw 0..255 -> logits (B, C), through the style generator where there is one."""

    name: ClassVar[str] = "sa-at"

    def __init__(self, config: SaAtNetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.input_names = ("apex",)
        self.trunk = make_trunk(config)
        self.feature_size = self.trunk.feature_size
        self.classifier = nn.Linear(self.feature_size, config.classes)
        if config.init_std:
            for module in self.modules():
                if isinstance(module, nn.Conv2d | nn.Linear):
                    nn.init.normal_(module.weight, std=config.init_std)
        self.style = (
            StyleGenerator(config.style_width, config.style_blocks) if config.style_width else nn.Identity()
        )

    def faces(self, apex: Tensor) -> Tensor:
        """(B, 1, S, S) raw 0..255 -> what the trunk sees, (B, 1, S, S) in -1..1, style aggregated."""
        styled: Tensor = self.style(apex / 127.5 - 1)
        return styled

    def maps(self, faces: Tensor) -> list[Tensor]:
        """Output of `faces` -> activated map of each stage of the trunk."""
        return self.trunk.maps(faces)

    def pooled(self, last: Tensor) -> Tensor:
        """Last of `maps` -> (B, F)."""
        return self.trunk.pooled(last)

    def features(self, *inputs: Tensor) -> Tensor:
        """(B, 1, S, S) raw 0..255 -> (B, F)."""
        (apex,) = inputs
        return self.pooled(self.maps(self.faces(apex))[-1])
