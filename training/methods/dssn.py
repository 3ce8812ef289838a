"""DSSN (Khor, See, Liong, Phan, Lin; ICIP 2019): flow magnitude and strain in two truncated AlexNets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from mer_live.training.learning.data import Inputs
from mer_live.training.methods.off_apexnet import OffApexnet, OffApexnetConfig


@dataclass(frozen=True, slots=True)
class DssnConfig(OffApexnetConfig):
    """As the authors' released code: Adam 1e-4, 100 epochs, batches of 32; its decay of the rate (1e-7) is left out."""

    size: int = 227


class Dssn(OffApexnet):
    """Input ``flow`` (227, 227, 3) in 8 bits: magnitude is taken of both components, strain is the third channel."""

    name: ClassVar[str] = "dssn"
    paper: ClassVar[str] = "Khor, See, Liong, Phan, Lin: Dual-stream Shallow Networks, ICIP 2019"
    Config = DssnConfig

    def tensors(self, arrays: Inputs) -> dict[str, Tensor]:
        """Scale to 0..1; ValueError for floats, in which the network could not tell what no movement is."""
        if arrays["flow"].dtype.kind == "f":
            raise ValueError("dssn takes flow in 8 bits (128 is no movement): prepare flow3 with dtype=uint8")
        return super().tensors(arrays)
