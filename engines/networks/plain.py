"""AlexNet and VGG-16 as trunks: stages of plain convolutions, then two fully connected layers."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn


class PlainTrunk(nn.Module):
    """(B, in_channels, H, H) -> (B, ``hidden``), the second fully connected layer; `maps` gives the stages.

    =========  =======================================================================
    stages     convolutions with their ReLU; each ends before its pooling
    pool       (kernel, stride) of the max pooling behind every stage
    width      channels of the last stage
    grid       side of the map that the fully connected layers take; others are averaged to it
    dropout    before the second fully connected layer, and before the classifier's input
    =========  =======================================================================
    """

    def __init__(
        self,
        stages: Sequence[nn.Module],
        *,
        pool: tuple[int, int],
        width: int,
        grid: int,
        hidden: int,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.pool = nn.MaxPool2d(*pool)
        self.grid = nn.AdaptiveAvgPool2d(grid)
        self.full = nn.Sequential(
            nn.Linear(width * grid * grid, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Dropout(dropout),
        )
        self.feature_size = hidden

    def maps(self, x: Tensor) -> list[Tensor]:
        """Activated maps of the stages, before their pooling."""
        found: list[Tensor] = []
        for stage in self.stages:
            x = stage(self.pool(x) if found else x)
            found.append(x)
        return found

    def pooled(self, last: Tensor) -> Tensor:
        """Last of `maps` -> (B, hidden)."""
        feature: Tensor = self.full(self.grid(self.pool(last)).flatten(1))
        return feature

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, H) -> (B, hidden)."""
        return self.pooled(self.maps(x)[-1])


def _convolutions(widths: Sequence[tuple[int, int]]) -> nn.Sequential:
    stage = nn.Sequential()
    for before, width in widths:
        stage.append(nn.Conv2d(before, width, 3, padding=1))
        stage.append(nn.ReLU())
    return stage


def alexnet(in_channels: int = 1, width: int = 64, hidden: int = 4096) -> PlainTrunk:
    """AlexNet (Krizhevsky, Sutskever, Hinton, NIPS 2012) with 3 stages; 57 M parameters at the full widths.

    Deviation: one column of filters instead of two, without local response normalisation, as in
    Krizhevsky's own later version (arXiv 1404.5997).
    """
    w = width
    stages = [
        nn.Sequential(nn.Conv2d(in_channels, w, 11, 4, padding=2), nn.ReLU()),
        nn.Sequential(nn.Conv2d(w, 3 * w, 5, padding=2), nn.ReLU()),
        _convolutions([(3 * w, 6 * w), (6 * w, 4 * w), (4 * w, 4 * w)]),
    ]
    return PlainTrunk(stages, pool=(3, 2), width=4 * w, grid=6, hidden=hidden)


def vgg16(in_channels: int = 1, width: int = 64, hidden: int = 4096) -> PlainTrunk:
    """VGG-16 (Simonyan, Zisserman, ICLR 2015): 5 stages of 2, 2, 3, 3, 3 convolutions; 134 M parameters."""
    w = width
    outs = (w, 2 * w, 4 * w, 8 * w, 8 * w)
    stages, before = [], in_channels
    for out, count in zip(outs, (2, 2, 3, 3, 3), strict=True):
        stages.append(_convolutions([(before, out), *[(out, out)] * (count - 1)]))
        before = out
    return PlainTrunk(stages, pool=(2, 2), width=8 * w, grid=7, hidden=hidden)
