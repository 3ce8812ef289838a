"""ResNet-10 on one gray channel, as ATNet's authors use it."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class FirstBlock(nn.Module):
    """Residual block with an identity shortcut; its input is already activated."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, W, H, H) -> shortcut, activated inner map, residual; each of the same shape."""
        inner = F.relu(self.bn2(self.conv1(x)))
        return x, inner, self.conv2(inner)

    def forward(self, x: Tensor) -> Tensor:
        """(B, W, H, H) -> the same."""
        shortcut, _, residual = self.parts(x)
        return shortcut + residual


class PreActivationBlock(nn.Module):
    """Residual block that halves the map: BN-ReLU first, then both branches with stride 2."""

    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(before)
        self.conv1 = nn.Conv2d(before, width, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.shortcut = nn.Conv2d(before, width, 1, stride=2, bias=False)

    def parts(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, V, H, H) -> shortcut, activated inner map, residual; each (B, W, H/2, H/2)."""
        x = F.relu(self.bn1(x))
        inner = F.relu(self.bn2(self.conv1(x)))
        return self.shortcut(x), inner, self.conv2(inner)

    def forward(self, x: Tensor) -> Tensor:
        """(B, V, H, H) -> (B, W, H/2, H/2)."""
        shortcut, _, residual = self.parts(x)
        return shortcut + residual


class ResNet10(nn.Module):
    """(B, 1, 224, 224) raw gray 0..255 -> (B, 512); the input is normalised by a BatchNorm of its own.

    Convolution 7x7/2, max pooling 3x3/2, one residual block each of 64, 128, 256, 512 maps, the last
    three pre-activated with a 1x1/2 shortcut, global average pooling. (The authors' files, after Simon,
    Rodner, Denzler: ImageNet pre-trained models with batch normalization, 2016.)
    """

    def __init__(self, widths: tuple[int, int, int, int] = (64, 128, 256, 512), in_channels: int = 1) -> None:
        super().__init__()
        self.input_bn = nn.BatchNorm2d(in_channels)
        self.conv1 = nn.Conv2d(in_channels, widths[0], 7, stride=2, padding=3)
        self.bn1 = nn.BatchNorm2d(widths[0])
        # Caffe rounds pooled sizes up: 112 -> 56 without padding.
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.block1 = FirstBlock(widths[0])
        self.block2 = PreActivationBlock(widths[0], widths[1])
        self.block3 = PreActivationBlock(widths[1], widths[2])
        self.block4 = PreActivationBlock(widths[2], widths[3])
        self.last_bn = nn.BatchNorm2d(widths[3])
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out" if module is self.conv1 else "fan_in")
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def stem(self, gray: Tensor) -> Tensor:
        """(B, 1, 224, 224) -> (B, 64, 56, 56)."""
        pooled: Tensor = self.pool(F.relu(self.bn1(self.conv1(self.input_bn(gray)))))
        return pooled

    def maps(self, gray: Tensor) -> Tensor:
        """(B, 1, 224, 224) -> (B, 512, 7, 7), activated."""
        x = self.stem(gray)
        x = self.block4(self.block3(self.block2(self.block1(x))))
        return F.relu(self.last_bn(x))

    def forward(self, gray: Tensor) -> Tensor:
        """(B, 1, 224, 224) -> (B, 512)."""
        return self.maps(gray).mean(dim=(2, 3))
