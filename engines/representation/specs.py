"""What a representation is made of: frozen records with every parameter; a model card carries them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from mer_live.engines.records import from_json, to_json

DIS_PRESETS = ("ultrafast", "fast", "medium")
Direction = Literal["circular", "as_published"]
"""How a cell's flow directions are averaged."""
GRID = 8
"""Cells of an ADM row along each axis."""
ROW = 2 * GRID * GRID
STEPS = 64
"""Rows of an ADM window."""
FlowMethod = Literal["dis", "farneback", "tvl1"]
Scaling = Literal["minmax", "fixed"]
Channel = Literal["onset", "face", "offset"]
CHANNELS: tuple[Channel, Channel, Channel] = ("onset", "face", "offset")


@dataclass(frozen=True, slots=True)
class FlowConfig:
    """Which flow and with which parameters; a model card carries it, the live path obeys it."""

    method: FlowMethod = "dis"
    preset: Literal["ultrafast", "fast", "medium"] = "fast"
    """DIS preset (Kroeger et al., ECCV 2016). On one core, 224 px: ultrafast .9, fast 2, medium 9 ms."""
    levels: int = 3
    """Farneback: pyramid levels, each half the size of the one before."""
    window_px: int = 15
    """Farneback: side of the averaging window."""
    iterations: int = 3
    """Farneback: iterations per level."""
    poly_n: int = 5
    """Farneback: neighbourhood of the polynomial expansion, px."""
    poly_sigma: float = 1.2
    """Farneback: Gaussian of the expansion, px."""
    gaussian: bool = False
    """Farneback: Gaussian instead of box window."""

    def __post_init__(self) -> None:
        if self.method not in ("dis", "farneback", "tvl1"):
            raise ValueError(f"flow method {self.method!r} is unknown; take 'dis', 'farneback' or 'tvl1'")
        if self.preset not in DIS_PRESETS:
            raise ValueError(f"DIS preset {self.preset!r} is unknown; take one of {', '.join(DIS_PRESETS)}")
        if min(self.levels, self.window_px, self.iterations, self.poly_n) < 1 or self.poly_sigma <= 0:
            raise ValueError("Farneback's parameters must all be positive")


@dataclass(frozen=True, slots=True)
class MotionSpec:
    """MADTN's motion-attention image: uint8 (size, size, 3)."""

    name: Literal["motion"] = "motion"
    flow: FlowConfig = field(default_factory=FlowConfig)
    size: int = 112
    scaling: Scaling = "minmax"
    r_max_px: float = 3.0
    """Used by scaling "fixed": the flow magnitude, px at ``size``, that gives full saturation."""
    middle: Literal["apex", "centre"] = "apex"
    """Frame in the middle: the apex, or the temporal centre of onset..offset as in the paper."""
    channels: tuple[Channel, ...] = CHANNELS
    steady: bool = False
    """Take the head's movement out of the flow (`head.without_head`)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape that ``represent`` returns."""
        return (self.size, self.size, 3)


@dataclass(frozen=True, slots=True)
class ApexSpec:
    """The gray apex frame: uint8 (size, size)."""

    name: Literal["apex"] = "apex"
    size: int = 224

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape that ``represent`` returns."""
        return (self.size, self.size)


@dataclass(frozen=True, slots=True)
class AdmSpec:
    """ATNet's window of ADM rows: float32 (64, 128), packed to the right."""

    name: Literal["adm"] = "adm"
    flow: FlowConfig = field(default_factory=lambda: FlowConfig(preset="ultrafast"))
    direction: Direction = "circular"
    flow_px: int = 224
    """Side that the crop is shrunk to before the flow is taken; the rows are in px of the crop. 112 takes a
    fifth of the time, but ATNet trained on it scored UF1 .871 instead of .935 (200 clips of the `val` people)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape that ``represent`` returns."""
        return (STEPS, ROW)


@dataclass(frozen=True, slots=True)
class Flow3Spec:
    """Horizontal flow, vertical flow and optical strain, onset -> apex: (size, size, 3)."""

    name: Literal["flow3"] = "flow3"
    flow: FlowConfig = field(default_factory=FlowConfig)
    size: int = 28
    flow_px: int = 112
    """Side of the crop that the flow is taken on; flow is in px of it."""
    max_px: float = 4.0
    max_strain: float = 0.2
    """uint8 only: the flow (px) and strain that reach the end of the scale; 0 px is 128."""
    dtype: Literal["uint8", "float32"] = "uint8"
    steady: bool = False
    """Take the head's movement out of the flow (`head.without_head`)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape that ``represent`` returns."""
        return (self.size, self.size, 3)


@dataclass(frozen=True, slots=True)
class FramesSpec:
    """Gray frames spread evenly from the onset on: uint8 (steps, size, size)."""

    name: Literal["frames"] = "frames"
    steps: int = 8
    size: int = 224
    end: Literal["offset", "apex"] = "offset"
    """Last frame: the offset, or the newest while it is unknown; or the apex, as MTM's paper has it."""
    steady: bool = False
    """Lay every frame over the first one, so that the head stands still (`head.steadied`)."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape that ``represent`` returns."""
        return (self.steps, self.size, self.size)


RepresentationSpec: TypeAlias = MotionSpec | ApexSpec | AdmSpec | Flow3Spec | FramesSpec
_SPECS: dict[str, type[Any]] = {
    "motion": MotionSpec,
    "apex": ApexSpec,
    "adm": AdmSpec,
    "flow3": Flow3Spec,
    "frames": FramesSpec,
}


def make_spec(name: str, **parameters: Any) -> RepresentationSpec:
    """Spec by name; ValueError for an unknown name, key or value."""
    return spec_from_json({"name": name, **parameters})


def spec_from_json(data: Mapping[str, Any]) -> RepresentationSpec:
    """Spec from a decoded JSON object with ``name`` and any of its parameters."""
    name = data.get("name")
    if name not in _SPECS:
        raise ValueError(f"representation {name!r} is unknown; take one of {', '.join(_SPECS)}")
    spec: RepresentationSpec = from_json(_SPECS[name], data, f"representation {name}")
    return spec


def spec_to_json(spec: RepresentationSpec) -> dict[str, Any]:
    """JSON object with the name and every parameter."""
    result: dict[str, Any] = to_json(spec)
    return result
