"""Micro-Attention (Wang, Peng, Bi, Chen; Neurocomputing 2020): a ResNet-10 whose blocks point at a part of the face."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mer_live.engines.networks.base import Network
from mer_live.engines.networks.resnet import FirstBlock, PreActivationBlock, ResNet10


@dataclass(frozen=True, slots=True)
class MicroAttentionNetworkConfig:
    """The authors' sizes: 5.9 M parameters."""

    widths: tuple[int, int, int, int] = (64, 128, 256, 512)
    classes: int = 3


class AttentionUnit(nn.Module):
    """A mask 0..1 on a block's sum x, from the block's three maps: x + mask * x.

    The three maps, joined, pass a 1x1 convolution; the mean over its channels and a sigmoid are the mask. So
    one unit sees three receptive fields and adds 3 W^2 parameters.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3 * width, width, 1, bias=False)
        nn.init.kaiming_normal_(self.mix.weight)

    def forward(self, x: Tensor, parts: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """(B, W, H, H) and three of the same -> (B, W, H, H)."""
        mixed: Tensor = self.mix(torch.cat(parts, 1))
        mask = mixed.mean(1, keepdim=True).sigmoid()  # (B, 1, H, H)
        return x + mask * x


class MicroAttentionNetwork(Network):
    """Apex frame (B, 1, 224, 224) raw 0..255 -> logits (B, C).

    ResNet-10 as in ATNet, whose authors are those of this network too, with a unit after each residual block
    (the last one after the final BatchNorm and ReLU), global average pooling, L2 normalisation, classifier.
    """

    name: ClassVar[str] = "micro-attention"

    def __init__(self, config: MicroAttentionNetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.input_names = ("apex",)
        self.trunk = ResNet10(config.widths)
        self.units = nn.ModuleList(AttentionUnit(width) for width in config.widths)
        self.feature_size = config.widths[-1]
        self.classifier = nn.Linear(self.feature_size, config.classes)
        nn.init.xavier_uniform_(self.classifier.weight)
        nn.init.zeros_(self.classifier.bias)

    def features(self, *inputs: Tensor) -> Tensor:
        """(B, 1, 224, 224) -> (B, 512) of length 1."""
        (apex,) = inputs
        trunk = self.trunk
        x = trunk.stem(apex)
        blocks: tuple[FirstBlock | PreActivationBlock, ...] = (
            trunk.block1,
            trunk.block2,
            trunk.block3,
            trunk.block4,
        )
        for block, unit in zip(blocks, self.units, strict=True):
            parts = block.parts(x)  # shortcut, inner, residual
            x = parts[0] + parts[2]
            if block is trunk.block4:
                x = F.relu(trunk.last_bn(x))
            x = unit(x, parts)
        return F.normalize(x.mean(dim=(2, 3)), eps=1e-6)
