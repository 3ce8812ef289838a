"""The image pool: discriminators are shown generated faces of earlier steps too (Shrivastava et al. 2017)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


class ImagePool:
    """The last generated faces, at most ``size`` of them; 0 keeps none and gives every face back."""

    def __init__(self, size: int, rng: np.random.Generator) -> None:
        self._size, self._rng = size, rng
        self._kept: list[Tensor] = []

    def __len__(self) -> int:
        return len(self._kept)

    def exchange(self, faces: Tensor) -> Tensor:
        """(B, ...) new faces -> (B, ...): while filling, the same; then half of them are swapped for kept ones."""
        shown = []
        for face in faces.detach():
            if len(self._kept) < self._size:
                self._kept.append(face)
            elif self._size and self._rng.random() < 0.5:
                at = int(self._rng.integers(self._size))
                face, self._kept[at] = self._kept[at], face
            shown.append(face)
        return torch.stack(shown)
