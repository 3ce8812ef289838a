"""The live path on one device: crops go up once, probabilities come back, and nothing else crosses.

Two steady paths, each captured once as a CUDA graph and replayed (on a CPU the same code is called):
every frame: crop -> expansion -> flow from the previous crop -> ADM row -> ring;
every spot: two flows at the motion image's size -> motion image, ADM window, apex frame -> networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mer_live.engines.device.farneback import Expansion, TorchFarneback
from mer_live.engines.device.graph import Replayed
from mer_live.engines.device.networks import DeviceNetwork
from mer_live.engines.device.ops import adm_rows, flow_to_gray, pack_right, shrink, window_indices
from mer_live.engines.device.upload import Upload
from mer_live.engines.representation.adm import window_bounds
from mer_live.engines.representation.specs import (
    ROW,
    STEPS,
    AdmSpec,
    ApexSpec,
    FlowConfig,
    MotionSpec,
    RepresentationSpec,
)

ONSET, APEX, LAST, CENTRE = range(4)
"""Order of a spot's crops on the device."""
_UPLOADS = 2
"""Pinned buffers: one is on its way while the other is filled."""


@dataclass(frozen=True, slots=True)
class DeviceConfig:
    """Sizes that are fixed when the path is made."""

    streams: int = 1
    """Cameras that are pushed together."""
    size: int = 224
    """Side of the crops, px."""
    capacity: int = 512
    """Crops kept per camera; a spot may reach back this far. 25 MB at 224 px."""
    capture: bool = True
    """Use CUDA graphs where the device is CUDA."""


class DevicePath:
    """One device, one or several cameras; used by one thread.

    Raises ValueError when a bundle asks for something that has no device version (DIS flow, flow3, frames).
    """

    def __init__(
        self, networks: Sequence[DeviceNetwork], device: str, config: DeviceConfig | None = None
    ) -> None:
        self.config = config = config or DeviceConfig()
        self.device = torch.device(device)
        self._cuda = self.device.type == "cuda"
        self._networks = tuple(networks)
        self._specs = _specs_of(self._networks, config.size)
        adm = next((s for s in self._specs if isinstance(s, AdmSpec)), None)
        self._adm = adm or AdmSpec(flow=FlowConfig(method="farneback"), flow_px=config.size)
        self._flow = self._farneback(config.size, self._adm.flow)
        self._motion_flows = {
            s: self._farneback(s.size, s.flow) for s in self._specs if isinstance(s, MotionSpec)
        }
        streams, size, capacity = config.streams, config.size, config.capacity
        self._crop = self._zeros(streams, size, size, dtype=torch.uint8)
        self._ring = self._zeros(streams, capacity, size, size, dtype=torch.uint8)
        # The last slot stays zero: padding of a window.
        self._rows = self._zeros(streams, capacity + 1, ROW)
        self._previous: Expansion = self._flow.expand(self._crop.float())
        # What the graphs must know of a frame or a spot lies in tensors, since a graph's numbers are fixed.
        self._control = self._zeros(2, streams, dtype=torch.int64)
        self._each_stream = torch.arange(streams, device=self.device)
        self._spot_crops = self._zeros(4, dtype=torch.int64)
        self._spot_rows = self._zeros(STEPS, dtype=torch.int64)
        self._spot_ended = self._zeros(1)
        self._pushed = 0
        self._uploads = [Upload(streams, size, self.device) for _ in range(_UPLOADS)]
        self.stream: Any = self._new_stream()
        """The CUDA stream that everything but uploads runs on; None elsewhere."""
        self._copies = self._new_stream()
        self._frame = Replayed(self._step, self._reset, device=self.device, capture=config.capture)
        self._spot = Replayed(
            self._answer, device=self.device, capture=config.capture, ready=self._networks_capturable
        )
        if self._cuda:
            torch.cuda.synchronize(self.device)  # the buffers were made on another stream

    @property
    def frames(self) -> int:
        """Number of frames pushed so far."""
        return self._pushed

    # Every frame

    def push(self, crops: NDArray[np.uint8], fresh: NDArray[np.bool_]) -> int:
        """Take one crop per camera; returns their frame number, counted from 0.

        ``crops`` (streams, S, S) uint8. ``fresh`` (streams,): the crop has another warp than the one
        before (``FaceCrop.anchor`` changed), so there is no flow to it and its ADM row is zero. Returns before
        the device is done; waits only when the device is two frames behind.
        """
        config = self.config
        if crops.shape != self._crop.shape or crops.dtype != np.uint8 or fresh.shape != (config.streams,):
            raise ValueError(
                f"crops must be {tuple(self._crop.shape)} uint8 and fresh ({config.streams},), "
                f"got {crops.shape} {crops.dtype} and {fresh.shape}"
            )
        number = self._pushed
        upload = self._uploads[number % _UPLOADS]
        upload.fill(crops, number % config.capacity, fresh if number else np.ones_like(fresh))
        with self._on_stream():
            upload.send(self._crop, self._control, self._copies)
            self._frame()
        self._pushed = number + 1
        return number

    def adm(self, number: int) -> NDArray[np.float32]:
        """ADM rows (streams, 128) of a frame; waits. For checks."""
        with self._on_stream():
            rows: NDArray[np.float32] = self._rows[:, self._slot(number)].cpu().numpy()
        return rows

    def _step(self) -> None:
        slot, moving = self._control.unbind(0)
        following = self._flow.expand(self._crop.float())
        flow = self._flow.displace(self._previous, following)
        row = adm_rows(flow, self._adm.direction) * moving[:, None]
        self._rows.index_put_((self._each_stream, slot), row)
        self._ring.index_put_((self._each_stream, slot), self._crop)
        for kept, new in zip(self._previous, following, strict=True):
            kept.copy_(new)

    def _reset(self) -> None:
        """Undo what warming up did: the last frame must be the previous one when the graph first runs."""
        before = (self._pushed - 1) % self.config.capacity
        last = self._ring[:, before].float() if self._pushed else torch.zeros_like(self._crop).float()
        for kept, new in zip(self._previous, self._flow.expand(last), strict=True):
            kept.copy_(new)

    # Every spot

    def recognize(
        self, stream: int, onset: int, apex: int, offset: int | None, last: int | None = None
    ) -> NDArray[np.float32]:
        """Probabilities (C,), the mean of the networks' softmax, of a spot in frame numbers.

        ``offset`` None: provisional, the clip ends at ``last`` (default: the newest frame). Waits for
        the result. ValueError when a frame is no longer, or not yet, in the ring.
        """
        last = (self._pushed - 1 if last is None else last) if offset is None else offset
        if not (0 <= stream < self.config.streams and onset <= apex <= last):
            raise ValueError(f"need 0 <= stream < {self.config.streams} and onset <= apex <= offset")
        centre = apex if offset is None else (onset + last) // 2
        slots = [self._slot(k) for k in (onset, apex, last, centre)]
        start, stop = window_bounds(onset, apex, last)
        rows = window_indices(start, max(stop, start), self.config.capacity)
        with self._on_stream():
            # Indices into ring and rows with all cameras in one line.
            first = stream * self.config.capacity
            self._spot_crops.copy_(torch.tensor([first + slot for slot in slots]))
            self._spot_rows.copy_(torch.tensor([first + stream + row for row in rows]))
            self._spot_ended.fill_(0.0 if offset is None else 1.0)
            probs: NDArray[np.float32] = self._spot().cpu().numpy()
        return probs

    def inputs(self) -> dict[RepresentationSpec, NDArray[np.float32]]:
        """What the networks saw at the last spot, each (1, ...); waits. For checks."""
        with self._on_stream():
            return {spec: tensor.cpu().numpy() for spec, tensor in self._look().items()}

    @torch.no_grad()
    def _answer(self) -> Tensor:
        """(C,) probabilities of the spot that ``_spot_crops`` and ``_spot_rows`` name."""
        made = self._look()
        logits = [
            network({i.name: made[i.representation] for i in network.bundle.card.inputs})
            for network in self._networks
        ]
        return torch.softmax(torch.cat(logits), dim=1).mean(dim=0)

    def _look(self) -> dict[RepresentationSpec, Tensor]:
        """The representations that the networks want of that spot, scaled as ``network_input`` does."""
        crops = self._ring.flatten(0, 1)[self._spot_crops].float()  # (4, S, S): see ONSET
        made: dict[RepresentationSpec, Tensor] = {}
        for spec in self._specs:
            if isinstance(spec, MotionSpec):
                made[spec] = self._motion(spec, crops)
            elif isinstance(spec, ApexSpec):
                made[spec] = shrink(crops[APEX : APEX + 1], spec.size)[:, None]  # (1, 1, S, S)
            elif isinstance(spec, AdmSpec):
                made[spec] = pack_right(self._rows.flatten(0, 1)[self._spot_rows])[None]  # (1, 64, 128)
        return made

    def _motion(self, spec: MotionSpec, crops: Tensor) -> Tensor:
        """(1, 3, size, size) in 0..1."""
        middle = CENTRE if spec.middle == "centre" else APEX
        small = shrink(torch.stack([crops[ONSET], crops[middle], crops[LAST]]), spec.size)
        flow = self._motion_flows[spec]
        expansion = flow.expand(small)
        moved = flow.displace(tuple(c[:2] for c in expansion), tuple(c[1:] for c in expansion))
        grays = flow_to_gray(moved, spec.scaling, spec.r_max_px)  # (2, size, size)
        planes = {"onset": grays[0], "face": small[1], "offset": grays[1] * self._spot_ended}
        zero = torch.zeros_like(grays[0])
        image = torch.stack([plane if name in spec.channels else zero for name, plane in planes.items()])
        return (image / 255.0)[None]

    def _networks_capturable(self) -> bool:
        return all(network.capturable() for network in self._networks)

    def _slot(self, number: int) -> int:
        if not max(0, self._pushed - self.config.capacity) <= number < self._pushed:
            raise ValueError(
                f"frame {number} is not in the ring, which holds {self.config.capacity} frames "
                f"up to {self._pushed - 1}"
            )
        return number % self.config.capacity

    def _farneback(self, size: int, config: FlowConfig) -> TorchFarneback:
        return TorchFarneback(size, size, config).to(self.device)

    def _zeros(self, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.zeros(*shape, dtype=dtype, device=self.device)

    def _new_stream(self) -> Any:
        return torch.cuda.Stream(self.device) if self._cuda else None  # type: ignore[no-untyped-call]

    def _on_stream(self) -> AbstractContextManager[Any]:
        return torch.cuda.stream(self.stream) if self._cuda else nullcontext()


def _specs_of(networks: Sequence[DeviceNetwork], size: int) -> tuple[RepresentationSpec, ...]:
    """Each representation once; ValueError for what the device cannot make."""
    if not networks:
        raise ValueError("At least one network is needed.")
    specs = dict.fromkeys(i.representation for n in networks for i in n.bundle.card.inputs)
    for spec in specs:
        if not isinstance(spec, MotionSpec | ApexSpec | AdmSpec):
            raise ValueError(
                f"representation {spec.name!r} has no device version; run this bundle on the CPU"
            )
        if not isinstance(spec, ApexSpec) and spec.flow.method != "farneback":
            raise ValueError(
                f"a bundle was trained with {spec.flow.method!r} flow, which has no device version; "
                "take a bundle with 'farneback', or run this one on the CPU"
            )
    adm = [spec for spec in specs if isinstance(spec, AdmSpec)]
    if any(spec.flow_px != size for spec in adm):
        raise ValueError(f"the device path takes the flow of ADM rows on whole crops (flow_px={size})")
    if len(adm) > 1:
        raise ValueError("the bundles want different ADM rows; run them on two device paths")
    return tuple(specs)
