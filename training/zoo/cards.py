"""What the cards of the shipped bundles say of their making."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mer_live.training.zoo.clips import ADM, MOTION

LICENCE = "CC-BY-4.0"
ATTRIBUTION = (
    "Trained on animated photographs of the Face Research Lab London Set, Lisa DeBruine and Benedict Jones, "
    "CC BY 4.0, doi 10.6084/m9.figshare.5047666; the photographs were altered (warped, relit, degraded). "
    "Action units and durations as counted from annotations of CASME II, SAMM, CAS(ME)^3 and DFME."
)


def deviations(name: str, config: Mapping[str, Any]) -> tuple[str, ...]:
    """How a bundle differs from its paper; ``config`` holds the settings of its method."""
    c = config
    match name:
        case "madtn":
            return (
                f"the head's movement, a similarity, is taken out of the flow; its magnitude {_scale()}",
                "the apex instead of the temporal centre as middle frame",
                "third channel zero while the offset is unknown; half of the training samples are such",
                f"AdamW with one cosine; mirrored clips; turned by up to {c['rotation_deg']:g} degrees, shifted, face "
                "made darker or brighter; smoothed labels; no target domain, so no MMD",
            )
        case "atnet":
            return (
                f"LSTM of {c['hidden']} instead of 512, ResNet-10 of {c['widths'][0]} to {c['widths'][-1]} maps "
                "instead of 64 to 512: an event shall be recognised within 30 ms on two CPU cores",
                f"the ResNet sees the flow onset to apex (Farneback, the head's movement taken out) and its strain at "
                f"{c['size']} px, not the gray apex frame, in which a movement of a pixel cannot be seen",
                f"ADM directions by circular mean, flow by DIS {ADM.flow.preset} at {ADM.flow_px} px; the LSTM is "
                "given motion vectors, not angles",
                "one-sided windows; half of the training samples end 10-60 ms after the apex",
                f"AdamW with one cosine; {'no ImageNet' if c['spatial_weights'] else 'no pre-training'}; each stream "
                "is trained alone, then the classifier of both while they stand still; mirrored clips; smoothed labels",
            )
        case "sa-at":
            return (
                f"the student is a ResNet-18 with {c['width']} filters instead of 64, on faces of {c['size']} px; the "
                "paper gives 256 px",
                "teacher and student begin with rendered macro-expressions; no macro-expression database was used",
                "styles are two clusters by light and sharpness, aggregated by a small CycleGAN without instance "
                "normalisation whose generator adds to the face",
                "AdamW with one cosine; small rotations and shifts, mirrored faces, smoothed labels",
            )
        case _:
            return (
                f"ResNet-18s with {c['width']} filters instead of 64",
                "the temporal stream sees what changed since the first frame, not the frames themselves; every frame "
                "is laid over the first one, so that the head stands still",
                "rendered macro-expressions; no macro-expression database was used",
                "L_con averages over an anchor's positives; heads are full layers on pooled features",
                "mirrored, turned and shifted clips; a rate that falls to 0; products in bfloat16 while training",
            )


def _scale() -> str:
    if MOTION.scaling == "minmax":
        return "scaled per image (min-max)"
    return f"on a fixed scale ({MOTION.r_max_px} px at {MOTION.size} px) instead of min-max"
