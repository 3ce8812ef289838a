"""The one table of tolerances: what may differ from what, by how much, and why."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from mer_live.engines.parity import PARITY_ATOL, PARITY_RTOL


@dataclass(frozen=True, slots=True)
class Tolerance:
    """|got - expected| <= atol + rtol * |expected|, element by element."""

    atol: float
    rtol: float
    why: str


TOLERANCES: dict[str, Tolerance] = {
    "runner-torch": Tolerance(
        PARITY_ATOL,
        PARITY_RTOL,
        "logits, float32: other order of sums, fused layers; export refuses more",
    ),
    "batch-single": Tolerance(1e-4, 1e-4, "logits of one sample alone or in a batch: other kernels"),
    "farneback-mean": Tolerance(0.02, 0.0, "px, mean end-point difference to OpenCV's; seen 5e-5"),
    "farneback-p99": Tolerance(0.2, 0.0, "px, 99th percentile away from the border; seen 5e-5"),
    "farneback-batch": Tolerance(2e-3, 0.0, "px: matrix products sum in another order for another size"),
    "device-adm-px": Tolerance(1e-3, 0.0, "px, ADM magnitudes: torch Farneback against OpenCV's"),
    "device-adm-rad": Tolerance(2e-2, 0.0, "rad, ADM angles of cells that move over 0.01 px"),
    "device-gray-mean": Tolerance(0.1, 0.0, "gray levels: OpenCV's arc tangent is good to 0.01 degrees"),
    "device-gray-max": Tolerance(
        3.0, 0.0, "gray levels, one pixel: minmax scaling follows one extreme pixel"
    ),
    "device-probs": Tolerance(2e-3, 0.0, "probabilities of the device path against the CPU path"),
    "flow-mirror-mean": Tolerance(0.03, 0.0, "px, mean: DIS lays its patches from the left"),
}


def assert_close(name: str, got: ArrayLike, expected: ArrayLike) -> None:
    """Assert with the table's row ``name``."""
    row = TOLERANCES[name]
    np.testing.assert_allclose(got, expected, rtol=row.rtol, atol=row.atol, err_msg=f"{name}: {row.why}")
