"""What the networks see of a clip: each representation exactly once, for training and live alike.

``represent(clip, spec)`` makes the array that is stored and augmented; ``network_input(array, spec)`` makes
of it what a network takes. A spec travels in the model card, so the live path obeys what training did.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.representation.adm import adm_rows, adm_window, mirror_adm, window_bounds
from mer_live.engines.representation.clip import Clip
from mer_live.engines.representation.flow import Flow, make_flow
from mer_live.engines.representation.head import steadied
from mer_live.engines.representation.light import lit_like
from mer_live.engines.representation.motion_image import (
    flow_strain,
    motion_image,
    quantise_flow_strain,
    resize_gray,
)
from mer_live.engines.representation.specs import (
    AdmSpec,
    ApexSpec,
    Flow3Spec,
    FramesSpec,
    MotionSpec,
    RepresentationSpec,
)


def middle_frames(clip: Clip, fraction: float = 0.2) -> range:
    """Frames of the central ``fraction`` of onset..offset: MADTN's training augmentation; never empty."""
    last = len(clip.gray) - 1 if clip.offset is None else clip.offset
    centre, half = (clip.onset + last) / 2, fraction * (last - clip.onset) / 2
    start, stop = int(np.ceil(centre - half)), int(np.floor(centre + half)) + 1
    return range(start, stop) if stop > start else range(int(centre), int(centre) + 1)


def frames_of(spec: RepresentationSpec, onset: int, apex: int, offset: int | None, newest: int) -> list[int]:
    """Positions of the crops that ``represent`` looks at in a clip that carries its ADM rows, in its order."""
    if isinstance(spec, AdmSpec):
        return []
    if isinstance(spec, ApexSpec):
        return [apex]
    if isinstance(spec, Flow3Spec):
        return [onset, apex]
    if isinstance(spec, FramesSpec):
        last = newest if offset is None else offset
        end = apex if spec.end == "apex" else last
        taken: list[int] = np.rint(np.linspace(onset, end, spec.steps)).astype(int).tolist()
        return taken
    if offset is None:  # there is no temporal centre yet: the apex stands in for it
        return [onset, apex]
    return [onset, (onset + offset) // 2 if spec.middle == "centre" else apex, offset]


def _crops_of(clip: Clip, spec: RepresentationSpec) -> list[NDArray[np.uint8]]:
    taken = frames_of(spec, clip.onset, clip.apex, clip.offset, len(clip.gray) - 1)
    return [clip.gray[k] for k in taken]


def represent(clip: Clip, spec: RepresentationSpec, flow: Flow | None = None) -> NDArray[Any]:
    """Array of shape ``spec.shape`` that the network described by ``spec`` sees of ``clip``.

    ``flow``: the caller's flow object with ``spec.flow``'s parameters, kept between calls; None makes one.
    A provisional clip (``offset`` None) gives a motion image whose third channel is zero, an ADM window
    that ends at the newest crop, and frames up to the newest crop (those that end at the apex do so anyway).

    Crops that are compared are brought to one brightness where light flickers (`light.lit_like`): that of the
    onset, of ADM rows that of the crop before.
    """
    last = len(clip.gray) - 1 if clip.offset is None else clip.offset
    if isinstance(spec, ApexSpec):
        return resize_gray(_crops_of(clip, spec)[0], spec.size).copy()
    if isinstance(spec, FramesSpec):
        taken = _crops_of(clip, spec)
        frames = np.stack([resize_gray(lit_like(gray, taken[0]), spec.size) for gray in taken])
        return steadied(frames) if spec.steady else frames
    if isinstance(spec, AdmSpec) and clip.adm is not None:
        return adm_window(clip.adm, clip.onset, clip.apex, last)
    if flow is None:
        flow = make_flow(spec.flow)
    elif flow.config != spec.flow:
        raise ValueError(f"the representation wants {spec.flow}, the flow object is {flow.config}")
    if isinstance(spec, AdmSpec):
        start, stop = window_bounds(clip.onset, clip.apex, last)
        rows = adm_rows(clip.gray[:stop], flow, spec.direction, start, spec.flow_px)
        return adm_window(rows, clip.onset, clip.apex, last)
    if isinstance(spec, Flow3Spec):
        onset, apex = _crops_of(clip, spec)
        apex = lit_like(apex, onset)
        image = flow_strain(onset, apex, flow, size=spec.size, flow_px=spec.flow_px, steady=spec.steady)
        if spec.dtype == "float32":
            return image
        return quantise_flow_strain(image, spec.max_px, spec.max_strain)
    onset, middle, offset = motion_crops(clip, spec)
    return motion_image(
        onset,
        middle,
        offset,
        flow,
        size=spec.size,
        scaling=spec.scaling,
        r_max_px=spec.r_max_px,
        channels=spec.channels,
        steady=spec.steady,
    )


def motion_crops(
    clip: Clip, spec: MotionSpec
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8] | None]:
    """The (S, S) crops that a motion image compares, under the onset's light; the last is None while there is none."""
    onset, middle, *offset = _crops_of(clip, spec)
    return onset, lit_like(middle, onset), lit_like(offset[0], onset) if offset else None


def input_shape(spec: RepresentationSpec) -> tuple[int, ...]:
    """Shape of one network input, without the batch axis."""
    return network_input(np.zeros(spec.shape, np.uint8), spec).shape


def network_input(array: NDArray[Any], spec: RepresentationSpec) -> NDArray[np.float32]:
    """What ``represent`` returns, one or a batch of them -> contiguous float32 as the network takes it.

    The only place where arrays are scaled or transposed:

    =========  ==================  ==================  ==============================================
    motion     (H, W, 3) uint8     (3, H, W)           / 255
    apex       (S, S) uint8        (1, S, S)           raw 0..255, as ATNet's authors feed it
    adm        (64, 128) float32   (64, 128)           as it is
    flow3      (H, W, 3)           (3, H, W)           / 255 from uint8, px and strain from float32
    frames     (T, S, S) uint8     (T, 1, S, S)        / 255
    =========  ==================  ==================  ==============================================

    A leading batch axis is kept. Any other shape raises ValueError.
    """
    if array.shape[-len(spec.shape) :] != spec.shape or array.ndim - len(spec.shape) not in (0, 1):
        raise ValueError(f"{spec.name} must be {spec.shape}, or a batch of that, got {array.shape}")
    if isinstance(spec, AdmSpec):
        return np.ascontiguousarray(array, np.float32)
    if isinstance(spec, ApexSpec):
        return np.expand_dims(array, -3).astype(np.float32)
    if isinstance(spec, FramesSpec):
        return np.expand_dims(array, -3).astype(np.float32) / np.float32(255)
    planes = np.ascontiguousarray(np.moveaxis(array, -1, -3), np.float32)  # (..., H, W, 3) -> (..., 3, H, W)
    if isinstance(spec, Flow3Spec) and spec.dtype == "float32":
        return planes
    return planes / np.float32(255)


def mirror_crops(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Crops (..., S, S) flipped left-right."""
    return np.ascontiguousarray(gray[..., ::-1])


def mirror_clip(clip: Clip) -> Clip:
    """The left-right mirrored clip, ADM rows included (they must be of direction "circular").

    Mirror clips, not motion images: a motion image's gray depends on the flow's direction, so that
    flipping the image does not give the image of the mirrored clip.
    """
    adm = None if clip.adm is None else mirror_adm(clip.adm)
    return replace(clip, gray=mirror_crops(clip.gray), adm=adm)
