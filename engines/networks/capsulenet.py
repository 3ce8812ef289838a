"""CapsuleNet (Van Quang, Chun, Tokuyama; FG 2019): capsules on the maps of a ResNet-18, routed by agreement."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mer_live.engines.networks.base import Network
from mer_live.engines.networks.residual import ResidualTrunk


@dataclass(frozen=True, slots=True)
class CapsulenetNetworkConfig:
    """The sizes of the authors' released network: 13.8 M parameters."""

    size: int = 224
    width: int = 64
    """Of the first residual stage."""
    kernel: int = 9
    """Of both convolutions after the trunk; a smaller ``size`` needs a smaller one."""
    capsule: int = 8
    """Dimensions of a primary capsule; there are 4 x ``width`` / 8 of them at each place."""
    class_capsule: int = 16
    """Dimensions of a class's capsule."""
    routings: int = 3
    classes: int = 3


def squash(s: Tensor) -> Tensor:
    """Length l -> l^2 / (1 + l^2), direction kept (Sabour, Frosst, Hinton 2017, eq. 1): (..., D) -> (..., D)."""
    square = (s * s).sum(-1, keepdim=True)
    return s * ((square + 1e-12).sqrt() / (1 + square))  # a root has no gradient at 0


def route(votes: Tensor, rounds: int) -> Tensor:
    """Dynamic routing (Sabour et al. 2017, Procedure 1).

    Votes (B, C, N, D) of N capsules for each of C classes -> class capsules (B, C, D). Each capsule's shares
    over the classes sum to 1; a class whose capsule agrees with a vote gets more of it. As in the authors'
    network no gradient flows through the shares.
    """
    frozen = votes.detach()
    agreement = torch.zeros_like(frozen[..., 0])  # (B, C, N)
    for _ in range(rounds - 1):
        shares = agreement.softmax(1)
        capsule = squash((shares[..., None] * frozen).sum(2, keepdim=True))  # (B, C, 1, D)
        agreement = agreement + (capsule * frozen).sum(-1)
    return squash((agreement.softmax(1)[..., None] * votes).sum(2))


class CapsulenetNetwork(Network):
    """Apex frame (B, 1, 224, 224) raw 0..255 -> logits (B, C): logarithms of the class capsules' lengths.

    So softmax gives each class its share of the lengths. Trunk: the first three stages of ResNet-18, without
    max pooling, as in the authors' network; then convolution 9x9, primary capsules by convolution 9x9/2, and
    one capsule a class. Deviation: one gray channel, no ImageNet or macro-expression weights.
    """

    name: ClassVar[str] = "capsulenet"

    def __init__(self, config: CapsulenetNetworkConfig) -> None:
        super().__init__()
        c = self.config = config
        self.input_names = ("apex",)
        self.trunk = ResidualTrunk((2, 2, 2), in_channels=1, width=c.width)
        self.trunk.pool = nn.Identity()
        maps = self.trunk.feature_size
        self.conv = nn.Conv2d(maps, maps, c.kernel)
        self.primary = nn.Conv2d(maps, maps, c.kernel, stride=2)
        side = (-(-c.size // 8) - c.kernel + 1 - c.kernel) // 2 + 1  # 28 -> 20 -> 6
        if side < 1:
            raise ValueError(
                f"two convolutions {c.kernel}x{c.kernel} do not fit on {c.size} / 8 pixels: take a smaller kernel"
            )
        self.capsules = side * side * maps // c.capsule
        self.feature_size = c.classes * c.class_capsule
        self.votes = nn.Parameter(0.01 * torch.randn(c.classes, self.capsules, c.class_capsule, c.capsule))

    def features(self, *inputs: Tensor) -> Tensor:
        """(B, 1, S, S) -> (B, C * 16), the class capsules."""
        (apex,) = inputs
        c = self.config
        x = self.primary(F.relu(self.conv(self.trunk.maps(apex / 255)[-1])))  # (B, M, 6, 6)
        primary = squash(x.permute(0, 2, 3, 1).reshape(-1, self.capsules, c.capsule))
        votes = torch.einsum("cnde,bne->bcnd", self.votes, primary)
        return route(votes, c.routings).flatten(1)

    def classify(self, features: Tensor) -> Tensor:
        """(B, C * 16) -> (B, C)."""
        capsules = features.reshape(-1, self.config.classes, self.config.class_capsule)
        lengths: Tensor = capsules.norm(dim=-1)
        return lengths.clamp_min(1e-6).log()
