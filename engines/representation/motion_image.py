"""Images of the motion between two or three frames: MADTN's motion-attention image and flow with strain."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.engines.representation.flow import Flow
from mer_live.engines.representation.head import without_head
from mer_live.engines.representation.specs import CHANNELS, Channel, Scaling


def resize_gray(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """(S, S) uint8 -> (size, size) uint8 by area; the same array when the size fits already."""
    if image.shape == (size, size):
        return image
    resized: NDArray[np.uint8] = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return resized


def flow_to_gray(
    flow: NDArray[np.float32], scaling: Scaling = "minmax", r_max_px: float = 3.0
) -> NDArray[np.uint8]:
    """Flow (S, S, 2) in px -> gray (S, S) uint8 as in MADTN: (r, theta) -> HSV (theta, r, 1) -> RGB -> gray.

    The papers do not say how r becomes the saturation. ``"minmax"``: per image, smallest r -> 0, largest
    -> 1 (the usual reading; magnitude is lost). ``"fixed"``: ``min(r / r_max_px, 1)``. No motion is white.
    """
    r, theta = cv2.cartToPolar(
        np.ascontiguousarray(flow[..., 0]), np.ascontiguousarray(flow[..., 1]), angleInDegrees=True
    )
    if scaling == "minmax":
        low, high = float(r.min()), float(r.max())
        saturation = (r - low) / (high - low) if high > low else np.zeros_like(r)
    elif scaling == "fixed":
        saturation = np.minimum(r / r_max_px, 1.0)
    else:
        raise ValueError(f"scaling {scaling!r} is unknown; take 'minmax' or 'fixed'")
    hsv = cv2.merge([theta.astype(np.float32), saturation.astype(np.float32), np.ones_like(r, np.float32)])
    gray = cv2.cvtColor(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), cv2.COLOR_RGB2GRAY)
    levels: NDArray[np.uint8] = np.rint(gray * 255.0).astype(np.uint8)
    return levels


def motion_image(
    onset: NDArray[np.uint8],
    middle: NDArray[np.uint8],
    offset: NDArray[np.uint8] | None,
    flow: Flow,
    *,
    size: int = 112,
    scaling: Scaling = "minmax",
    r_max_px: float = 3.0,
    channels: tuple[Channel, ...] = CHANNELS,
    steady: bool = False,
) -> NDArray[np.uint8]:
    """Motion-attention image of MADTN (Xia et al., ICPR-FBE 2020): three crops -> (size, size, 3) uint8.

    ==========================  ================  =============================================
    onset, middle, offset       (S, S) uint8      crops with one warp; flow is taken at ``size``
    channel 0 (R), "onset"      flow image        onset -> middle
    channel 1 (G), "face"       gray              middle
    channel 2 (B), "offset"     flow image        middle -> offset
    ==========================  ================  =============================================

    A channel that is not in ``channels`` is zero (the paper's ablations), and so is the third one when
    ``offset`` is None, that is, while the movement has not ended. ``steady``: the flow images show the flow less
    the head's; min-max scaling would else show the head alone where it moves more than the face does.
    """

    def gray(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.uint8]:
        moved = flow(before, after)
        return flow_to_gray(without_head(moved) if steady else moved, scaling, r_max_px)

    middle = resize_gray(middle, size)
    image = np.zeros((size, size, 3), np.uint8)
    if "onset" in channels:
        image[..., 0] = gray(resize_gray(onset, size), middle)
    if "face" in channels:
        image[..., 1] = middle
    if "offset" in channels and offset is not None:
        image[..., 2] = gray(middle, resize_gray(offset, size))
    return image


def optical_strain(flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """Strain magnitude (S, S), px per px, of a flow (S, S, 2): Liong et al. 2014, eq. 5.

    sqrt(e_xx^2 + e_yy^2 + 2 e_xy^2) of the symmetric gradient tensor, central differences.
    """
    dudy, dudx = np.gradient(flow[..., 0])
    dvdy, dvdx = np.gradient(flow[..., 1])
    shear = 0.5 * (dudy + dvdx)
    strain: NDArray[np.float32] = np.sqrt(dudx**2 + dvdy**2 + 2.0 * shear**2).astype(np.float32)
    return strain


def flow_strain(
    onset: NDArray[np.uint8],
    apex: NDArray[np.uint8],
    flow: Flow,
    *,
    size: int = 28,
    flow_px: int = 112,
    steady: bool = False,
) -> NDArray[np.float32]:
    """Horizontal flow, vertical flow and optical strain onset -> apex, for STSTNet (Liong et al., FG 2019).

    Crops (S, S) uint8 -> (size, size, 3) float32: flow at ``flow_px``, in px of that size, strain in px
    per px, each averaged over the area of a cell. ``steady``: less the head's movement.
    """
    field = flow(resize_gray(onset, flow_px), resize_gray(apex, flow_px))
    if steady:
        field = without_head(field)
    stacked = np.dstack([field, optical_strain(field)])
    shrunk: NDArray[np.float32] = cv2.resize(stacked, (size, size), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return shrunk


def quantise_flow_strain(image: NDArray[np.float32], max_px: float, max_strain: float) -> NDArray[np.uint8]:
    """``flow_strain`` -> uint8: flow +-max_px -> 1..255 (0 px = 128), strain 0..max_strain -> 0..255."""
    scaled = np.empty_like(image)
    scaled[..., :2] = 128.0 + 127.0 * np.clip(image[..., :2] / max_px, -1.0, 1.0)
    scaled[..., 2] = 255.0 * np.clip(image[..., 2] / max_strain, 0.0, 1.0)
    return np.rint(scaled).astype(np.uint8)


def mirror_flow_strain(images: NDArray[Any]) -> NDArray[Any]:
    """Images (..., S, S, 3) of `flow_strain`, quantised or not -> those of the left-right mirrored clips."""
    mirrored = images[..., ::-1, :].copy()
    right = mirrored[..., 0]
    # 0 px is 128, so that 255 becomes 1.
    mirrored[..., 0] = -right if mirrored.dtype.kind == "f" else np.minimum(256 - right.astype(np.int16), 255)
    return mirrored
