"""The patch discriminator: is each patch of this face of the wanted style?"""

from __future__ import annotations

from torch import Tensor, nn


class PatchDiscriminator(nn.Module):
    """Faces (B, 1, H, H) in -1..1 -> one score a patch, (B, 1, h, h); 1 is real.

    CycleGAN's 70x70 PatchGAN (Zhu et al. 2017, after Isola et al. 2017): 4x4 convolutions, the first
    ``layers`` of stride 2, LeakyReLU 0.2. A patch sees 70 px with 3 layers, 34 px with 2.

    Deviation: no instance normalisation, which would hide how bright and how contrasted a face is.
    """

    def __init__(self, width: int = 64, layers: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(1, width, 4, 2, padding=1), nn.LeakyReLU(0.2))
        before = width
        for k in range(1, layers + 1):
            after = width * min(2**k, 8)
            self.layers.append(nn.Conv2d(before, after, 4, 2 if k < layers else 1, padding=1))
            self.layers.append(nn.LeakyReLU(0.2))
            before = after
        self.layers.append(nn.Conv2d(before, 1, 4, 1, padding=1))
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, 0.2)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, face: Tensor) -> Tensor:
        """(B, 1, H, H) -> (B, 1, h, h)."""
        scores: Tensor = self.layers(face)
        return scores
