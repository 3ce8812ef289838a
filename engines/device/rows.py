"""ADM rows of several faces on one device: what is ready is stepped as one batch, and nobody waits for a slow one."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mer_live.engines.device.device import Device, sizes_up_to
from mer_live.engines.device.farneback import TorchFarneback
from mer_live.engines.device.ops import adm_rows, shrink
from mer_live.engines.representation.light import STEADY
from mer_live.engines.representation.specs import ROW, AdmSpec


class AdmRows:
    """For each face the flow from its last crop to its next, as a row of the ADM feature.

    A face takes a place with ``open``; ``start`` hands its next crop over and returns, ``row`` waits for what came
    of it. Faces may step from threads of their own. One batch is in flight at a time; what is started
    meanwhile goes together in the next. Going up (pinned), pyramid, flow, row and coming down are one captured graph.

    Args:
        device: where.
        spec: rows to make, of Farneback flow.
        places: faces at once.
        size: S, side of the crops, px.
    """

    def __init__(self, device: Device, spec: AdmSpec, places: int = 1, size: int = 224) -> None:
        self.spec = spec
        self._device = device
        self._stream = device.stream()
        self._lock = threading.Lock()
        self._free = list(range(places))[::-1]
        self._crops = np.zeros((places, size, size), np.uint8)
        self._waiting: list[int] = []
        self._flying: list[int] = []
        self._landed: Callable[[], None] = lambda: None
        self._rows: dict[int, NDArray[np.float32]] = {}
        flow = TorchFarneback(spec.flow_px, spec.flow_px, spec.flow).to(device.torch)
        # Newest crop of every face, expanded, finest level first; one more place for what fills a batch up.
        blank = flow.expand(device.zeros(1, spec.flow_px, spec.flow_px))
        self._newest = tuple(device.zeros(places + 1, *level.shape[1:]) for level in blank)
        self._light = device.zeros(places + 1)  # their mean gray levels
        self._batches = [_Batch(self, flow, count, size) for count in sizes_up_to(places)]

    @property
    def full(self) -> bool:
        """Whether every place is taken."""
        return not self._free

    def open(self) -> int:
        """A place for a face; RuntimeError when all are taken."""
        with self._lock:
            if not self._free:
                raise RuntimeError(f"all {len(self._crops)} places of the device are taken by faces")
            return self._free.pop()

    def close(self, place: int) -> None:
        """Give a place back."""
        with self._lock:
            while place in self._waiting or place in self._flying:
                self._land()
            self._rows.pop(place, None)
            self._free.append(place)

    def start(self, place: int, gray: NDArray[np.uint8]) -> None:
        """Take the next crop (S, S) of a face."""
        with self._lock:
            while place in self._waiting:  # two crops of one face follow each other
                self._land()
            self._rows.pop(place, None)
            self._crops[place] = gray
            self._waiting.append(place)
            if not self._flying:
                self._launch()

    def row(self, place: int) -> NDArray[np.float32]:
        """(128,) row of the flow from a face's crop before to the one that was started last."""
        with self._lock:
            while place not in self._rows:
                if place not in self._waiting and place not in self._flying:
                    raise ValueError("no crop of this face was started")
                self._land()
            return self._rows.pop(place)

    def _launch(self) -> None:
        batch = next(b for b in self._batches if b.count >= len(self._waiting))
        self._flying, self._waiting = self._waiting, []
        batch.fill(self._flying, self._crops)
        with self._device.on(self._stream):
            self._result = batch.run()
            self._landed = self._device.mark(self._stream)

    def _land(self) -> None:
        """Wait for what flies, then let go what waits."""
        self._landed()
        for k, place in enumerate(self._flying):
            if place not in self._waiting:  # else a newer crop of this face makes this row worthless
                self._rows[place] = self._result[k].numpy().copy()
        self._flying = []
        if self._waiting:
            self._launch()


def _light(crops: Tensor, before: Tensor) -> tuple[Tensor, Tensor]:
    """Mean gray levels (B,) of crops (B, S, S), and the gain (B, 1, 1, 1) that `light.lit_like` gives each."""
    own = crops.mean(dim=(1, 2))
    alike = ((own - before).abs() <= STEADY * before) | (own < 1.0)
    gain = torch.where(alike, torch.ones_like(own), before / own.clamp_min(1.0))
    return own, gain[:, None, None, None]


class _Batch:
    """Buffers and graph for up to ``count`` faces."""

    def __init__(self, rows: AdmRows, flow: TorchFarneback, count: int, size: int) -> None:
        device, spec = rows._device, rows.spec
        self.count = count
        self._spare = len(rows._newest[0]) - 1
        self._crops = device.pinned(count, size, size, dtype=torch.uint8)
        self._places = device.pinned(count, dtype=torch.int64)
        crops = device.zeros(count, size, size, dtype=torch.uint8)
        places = device.zeros(count, dtype=torch.int64)
        result = device.pinned(count, ROW)
        scale = device.zeros(ROW) + 1.0
        scale[1::2] = size / spec.flow_px  # magnitudes are in px of the crop

        def step() -> Tensor:
            crops.copy_(self._crops, non_blocking=True)
            places.copy_(self._places, non_blocking=True)
            small = shrink(crops.float(), spec.flow_px)
            following, light, gain = flow.expand(small), *_light(small, rows._light.index_select(0, places))
            lit = tuple(level * gain for level in following)  # an expansion is linear in its picture
            moved = flow.displace(tuple(level.index_select(0, places) for level in rows._newest), lit)
            for level, new in zip((*rows._newest, rows._light), (*following, light), strict=True):
                level.index_copy_(0, places, new)
            return result.copy_(adm_rows(moved, spec.direction) * scale, non_blocking=True)

        self._places.fill_(self._spare)
        self.run = device.captured(step, rows._stream)

    def fill(self, faces: list[int], crops: NDArray[np.uint8]) -> None:
        """Write the crops of ``faces`` and where their last ones lie; the device is at rest."""
        self._places.fill_(self._spare)
        for k, place in enumerate(faces):
            self._crops[k].numpy()[...] = crops[place]
            self._places[k] = place
