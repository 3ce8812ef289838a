"""Grad-CAM (Selvaraju et al.; ICCV 2017): where a network looked when it named a clip."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mer_live.engines.networks.base import Network
from mer_live.training.figures.motion import some_of_each
from mer_live.training.figures.opened import Opened, open_on
from mer_live.training.pictures import figure, save
from mer_live.training.prepared.prepared_set import PreparedSet


def grad_cam(network: Network, inputs: tuple[Tensor, ...], answers: Tensor) -> NDArray[np.float32]:
    """(N, S, S) in 0..1: eqs. 1 and 2 on the last convolution of every stream, the mean of the streams.

    A stream of several frames a clip counts by the mean of its frames. S is the largest side of those maps.

    Args:
        network: In eval mode.
        inputs: (N, ...) in the order of its arguments.
        answers: (N,) the classes that are explained.

    Raises:
        ValueError: The network has no convolution.
    """
    seen: list[Tensor] = []

    def keep(module: nn.Module, given: tuple[Tensor, ...], output: Tensor) -> None:
        if output.ndim == 4 and output.shape[-1] > 1:
            seen.append(output)

    hooks = [m.register_forward_hook(keep) for m in network.modules() if isinstance(m, nn.Conv2d)]
    try:
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
            logits = network(*(tensor.detach().clone().requires_grad_() for tensor in inputs))
            chosen = logits.gather(1, answers[:, None]).sum()
            last = _last_of_each_stream(seen)
            gradients = torch.autograd.grad(chosen, last)
    finally:
        for hook in hooks:
            hook.remove()
    side = max(map_.shape[-1] for map_ in last)
    streams = []
    for map_, gradient in zip(last, gradients, strict=True):
        cam = (gradient.mean((2, 3), keepdim=True) * map_).sum(1).relu().detach().numpy()
        cam = cam.reshape(len(answers), -1, *cam.shape[1:]).mean(1)  # the frames of a clip
        tall = cam.max((1, 2), keepdims=True)
        streams.append([cv2.resize(one, (side, side)) for one in cam / np.maximum(tall, 1e-12)])
    return np.asarray(np.mean(streams, 0), np.float32)


def _last_of_each_stream(maps: list[Tensor]) -> list[Tensor]:
    """Those that no other one depends on and that decide something."""
    last: list[Tensor] = []
    left = list(maps)
    while left:
        last.append(left[-1])
        earlier = left[:-1]
        if not earlier:
            break
        reached = torch.autograd.grad(last[-1].sum(), earlier, retain_graph=True, allow_unused=True)
        left = [map_ for map_, gradient in zip(earlier, reached, strict=True) if gradient is None]
    if not last:
        raise ValueError("the network has no convolution, and so no map that Grad-CAM could show")
    return last


def draw_attention(prepared: PreparedSet, places: list[str], out: Path, count: int = 2) -> Path:
    """Draw a row for each of ``count`` clips of every class, a column for each network, its map over the picture.

    Raises:
        As `opened.open_on` and `grad_cam`.
    """
    shown = prepared.subset(some_of_each(prepared, count))
    opened = [open_on(place, shown) for place in places]
    picture, grid = figure(1.9 * len(opened) + 0.5, 1.85 * len(shown), len(shown), len(opened), squeeze=False)
    for column, one in zip(grid.T, opened, strict=True):
        with torch.no_grad():
            answers = one.network(*one.inputs).argmax(1)
        for k, (axes, cam) in enumerate(zip(column, grad_cam(one.network, one.inputs, answers), strict=True)):
            face = _face(one, k)
            axes.imshow(face, cmap="gray", extent=(0, 1, 1, 0))
            axes.imshow(
                cam, cmap="jet", alpha=0.4, extent=(0, 1, 1, 0), vmin=0, vmax=1, interpolation="bilinear"
            )
            axes.set(xticks=[], yticks=[])
            axes.set_xlabel(f"says {prepared.classes[int(answers[k])]}", fontsize=7)
        column[0].set_title(one.name, fontsize=9)
    for axes, label, subject in zip(grid[:, 0], shown.labels, shown.subjects, strict=True):
        axes.set_ylabel(f"{shown.classes[label]}\n{subject}", fontsize=7)
    return save(picture, out)


def _face(one: Opened, row: int) -> NDArray[np.float32]:
    """What of the input looks most like a picture: apex, last frame, middle frame, or how much moved."""
    for name, array in one.stored.items():
        image = np.asarray(array[row], np.float32)
        if name == "apex":
            return image
        if name == "frames":
            return np.asarray(image[-1])
        if name == "motion":
            return np.asarray(image[..., 1])
    flow = next(np.asarray(a[row], np.float32) for a in one.stored.values() if a.ndim == 4)
    return np.asarray(
        np.hypot(flow[..., 0] - np.median(flow[..., 0]), flow[..., 1] - np.median(flow[..., 1]))
    )
