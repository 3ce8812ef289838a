"""Residual trunks of He, Zhang, Ren, Sun (CVPR 2016): ResNet-18 and -50, and the CIFAR family of depth 6n + 2.

All are one class, `ResidualTrunk`, which hands out the map of every stage (attention transfer compares
them) and the pooled feature. `ResNet10` in ``resnet.py`` is another design, that of ATNet's authors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn
from torch.nn import functional as F


class PaddedShortcut(nn.Module):
    """Shortcut without weights: every second pixel, new channels zero (the paper's option A, for CIFAR)."""

    def __init__(self, added: int, stride: int) -> None:
        super().__init__()
        self.added, self.stride = added, stride

    def forward(self, x: Tensor) -> Tensor:
        """(B, V, H, H) -> (B, V + added, H/stride, H/stride)."""
        return F.pad(x[:, :, :: self.stride, :: self.stride], (0, 0, 0, 0, 0, self.added))


def _shortcut(before: int, after: int, stride: int, padded: bool) -> nn.Module:
    if before == after and stride == 1:
        return nn.Identity()
    if padded:
        return PaddedShortcut(after - before, stride)
    return nn.Sequential(nn.Conv2d(before, after, 1, stride, bias=False), nn.BatchNorm2d(after))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, each with BatchNorm; the sum with the shortcut is activated."""

    expansion = 1

    def __init__(self, before: int, width: int, stride: int = 1, *, padded: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, width, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = _shortcut(before, width, stride, padded)

    def forward(self, x: Tensor) -> Tensor:
        """(B, V, H, H) -> (B, W, H/stride, H/stride)."""
        inner = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(inner + self.shortcut(x))


class Bottleneck(nn.Module):
    """1x1 to W, 3x3, 1x1 to 4 W, each with BatchNorm; the stride is the first one's, as in the paper."""

    expansion = 4

    def __init__(self, before: int, width: int, stride: int = 1, *, padded: bool = False) -> None:
        super().__init__()
        after = width * self.expansion
        self.conv1 = nn.Conv2d(before, width, 1, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.shortcut = _shortcut(before, after, stride, padded)

    def forward(self, x: Tensor) -> Tensor:
        """(B, V, H, H) -> (B, 4 W, H/stride, H/stride)."""
        inner = F.relu(self.bn1(self.conv1(x)))
        inner = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(inner)))))
        return F.relu(inner + self.shortcut(x))


class ResidualTrunk(nn.Module):
    """(B, in_channels, H, H) -> pooled feature (B, F); `maps` gives the stages on the way.

    =============  =================================================================================
    blocks         residual blocks of each stage; the first of each stage but the first halves the map
    width          channels of the first stage; every stage doubles them
    bottleneck     `Bottleneck` instead of `BasicBlock`; F is then four times as wide
    stem           "imagenet": 7x7/2 and max pooling 3x3/2, map H/4; "cifar": 3x3/1, map H,
                   and shortcuts without weights
    stem_stride    of the "cifar" stem, for faces larger than CIFAR's 32 px: kernel 2 stride + 1
    =============  =================================================================================

    Attributes:
        widths: Channels of each stage's map.
        feature_size: F.
    """

    def __init__(
        self,
        blocks: Sequence[int],
        *,
        in_channels: int = 1,
        width: int = 64,
        bottleneck: bool = False,
        stem: Literal["imagenet", "cifar"] = "imagenet",
        stem_stride: int = 1,
    ) -> None:
        super().__init__()
        block: type[BasicBlock] | type[Bottleneck] = Bottleneck if bottleneck else BasicBlock
        if stem == "imagenet":
            self.conv1 = nn.Conv2d(in_channels, width, 7, 2, padding=3, bias=False)
            self.pool: nn.Module = nn.MaxPool2d(3, 2, padding=1)
        else:
            kernel = 2 * stem_stride + 1
            self.conv1 = nn.Conv2d(in_channels, width, kernel, stem_stride, padding=stem_stride, bias=False)
            self.pool = nn.Identity()
        self.bn1 = nn.BatchNorm2d(width)
        self.stages = nn.ModuleList()
        self.widths = tuple(width * 2**k * block.expansion for k in range(len(blocks)))
        self.feature_size = self.widths[-1]
        before = width
        for k, count in enumerate(blocks):
            stage = nn.Sequential()
            for j in range(count):
                stride = 2 if k and not j else 1
                stage.append(block(before, width * 2**k, stride, padded=stem == "cifar"))
                before = self.widths[k]
            self.stages.append(stage)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def maps(self, x: Tensor) -> list[Tensor]:
        """Activated maps of the stages, (B, widths[k], H_k, H_k); each stage halves H_k."""
        x = self.pool(F.relu(self.bn1(self.conv1(x))))
        found = []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        return found

    def pooled(self, last: Tensor) -> Tensor:
        """Last of `maps` -> (B, F), its mean."""
        return last.mean(dim=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, H) -> (B, F)."""
        return self.pooled(self.maps(x)[-1])


def resnet18(in_channels: int = 1, width: int = 64) -> ResidualTrunk:
    """ResNet-18: 4 stages of 2 basic blocks, F = 8 ``width``; 11.2 M parameters at 64."""
    return ResidualTrunk((2, 2, 2, 2), in_channels=in_channels, width=width)


def resnet50(in_channels: int = 1, width: int = 64) -> ResidualTrunk:
    """ResNet-50: 3, 4, 6, 3 bottlenecks, F = 32 ``width``; 23.5 M parameters at 64."""
    return ResidualTrunk((3, 4, 6, 3), in_channels=in_channels, width=width, bottleneck=True)


def cifar_resnet(depth: int, in_channels: int = 1, width: int = 16, *, stem_stride: int = 1) -> ResidualTrunk:
    """CIFAR-type network of ``depth`` = 6n + 2 layers: 3 stages of n basic blocks, F = 4 ``width``.

    1.7 M parameters at depth 110. Raises ValueError for a depth that is not 6n + 2.
    """
    if depth < 8 or (depth - 2) % 6:
        raise ValueError(f"a CIFAR-type residual network has 6n + 2 layers (8, 14, 20, ... 110), not {depth}")
    n = (depth - 2) // 6
    return ResidualTrunk(
        (n, n, n), in_channels=in_channels, width=width, stem="cifar", stem_stride=stem_stride
    )
