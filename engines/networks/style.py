"""The generator of the style aggregation: a face in any database's style -> the same face in one style."""

from __future__ import annotations

from torch import Tensor, nn


class _ResidualBlock(nn.Module):
    """Two 3x3 convolutions; the sum is not activated."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, W, H, H) -> the same."""
        return x + self.branch(x)  # type: ignore[no-any-return]


class StyleGenerator(nn.Module):
    """Gray faces (B, 1, H, H) in -1..1, H a multiple of 4 -> the same faces, (B, 1, H, H) in -1..1.

    Layers of CycleGAN's generator (Zhu, Park, Isola, Efros, ICCV 2017, after Johnson et al. 2016):
    7x7, two 3x3/2, ``blocks`` residual blocks, two up-convolutions, 7x7; reflected borders. There 64
    filters and 9 blocks; here few, so that a CPU can train it.

    Deviations: what the last layer gives is **added** to the face, and begins at zero: a style is light,
    contrast and noise, and the shape of the face, sub-pixel movements included, passes by. And no instance
    normalisation, which would hide from the network how bright and how contrasted a face is.
    """

    def __init__(self, width: int = 64, blocks: int = 9) -> None:
        super().__init__()
        w = width
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(3),
            nn.Conv2d(1, w, 7),
            nn.ReLU(),
            nn.Conv2d(w, 2 * w, 3, 2, padding=1),
            nn.ReLU(),
            nn.Conv2d(2 * w, 4 * w, 3, 2, padding=1),
            nn.ReLU(),
            *(_ResidualBlock(4 * w) for _ in range(blocks)),
            nn.ConvTranspose2d(4 * w, 2 * w, 3, 2, padding=1, output_padding=1),
            nn.ReLU(),
            nn.ConvTranspose2d(2 * w, w, 3, 2, padding=1, output_padding=1),
            nn.ReLU(),
            nn.ReflectionPad2d(3),
            nn.Conv2d(w, 1, 7),
        )
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        last = self.layers[-1]
        assert isinstance(last, nn.Conv2d)
        nn.init.zeros_(last.weight)

    def forward(self, face: Tensor) -> Tensor:
        """(B, 1, H, H) -> (B, 1, H, H)."""
        styled: Tensor = (face + self.layers(face)).clamp(-1, 1)
        return styled
