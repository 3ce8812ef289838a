"""What the cards of the shipped bundles say of their making."""

from __future__ import annotations

from mer_live.training.zoo.clips import ADM, MOTION
from mer_live.training.zoo.train import ZooConfig

LICENCE = "CC-BY-4.0"
ATTRIBUTION = (
    "Trained on animated photographs of the Face Research Lab London Set, Lisa DeBruine and Benedict Jones, "
    "CC BY 4.0, doi 10.6084/m9.figshare.5047666; the photographs were altered (warped, relit, degraded). "
    "Action units and durations as counted from annotations of CASME II, SAMM, CAS(ME)^3 and DFME."
)


def deviations(config: ZooConfig) -> dict[str, tuple[str, ...]]:
    """Bundle -> how it differs from the paper."""
    return {
        "madtn": (
            f"flow by DIS instead of Farneback, its magnitude {_scale()}",
            "the apex instead of the temporal centre as middle frame",
            "third channel zero while the offset is unknown; half of the training samples are such",
            "AdamW; rotation up to 8 degrees; no target domain, so no MMD",
        ),
        "atnet": (
            f"LSTM of {config.hidden} instead of 512, ResNet-10 of {config.widths[0]} to {config.widths[-1]} maps "
            "instead of 64 to 512: an event shall be recognised within 30 ms on two CPU cores",
            f"ADM directions by circular mean, flow by DIS {ADM.flow.preset} at {ADM.flow_px} px; the LSTM is given "
            "motion vectors, not angles",
            "one-sided windows; half of the training samples end 10-60 ms after the apex",
            f"AdamW; {'no ImageNet' if config.spatial_weights else 'no pre-training'}; streams trained one after the "
            "other; products in bfloat16 while training",
        ),
        "sa-at": (
            "the student is a ResNet-18 with 24 filters instead of 64, on faces of 112 px; the paper gives 256 px",
            "teacher and student begin with rendered macro-expressions; no macro-expression database was used",
            "styles are two clusters by light and sharpness, aggregated by a small CycleGAN without instance "
            "normalisation whose generator adds to the face",
            "AdamW with one cosine; small rotations and shifts, mirrored faces, smoothed labels",
        ),
        "mtm": (
            f"ResNet-18s with {config.mtm.width} filters instead of 64",
            "the temporal stream sees what changed since the first frame, not the frames themselves",
            "frames from onset to offset, or to the newest one while the offset is unknown (half of the samples)",
            "rendered macro-expressions; no macro-expression database was used",
            "L_con averages over an anchor's positives; heads are full layers on pooled features",
            "mirrored, turned and shifted clips; a rate that falls to 0; products in bfloat16 while training",
        ),
    }


def _scale() -> str:
    if MOTION.scaling == "minmax":
        return "scaled per image (min-max)"
    return f"on a fixed scale ({MOTION.r_max_px} px at {MOTION.size} px) instead of min-max"
