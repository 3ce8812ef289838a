"""Sources that other packages bring; the GenICam example among them, with a stand-in for the maker's library."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from support.playing import play
from support.video_clips import HEIGHT, WIDTH, numbered

from mer_live.realtime.sources import open as opening
from mer_live.realtime.sources.config import CameraConfig, SourceError
from mer_live.realtime.sources.memory import MemorySource
from mer_live.realtime.sources.open import PLUGINS, open_source

EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "genicam_source.py"


def plug(monkeypatch: pytest.MonkeyPatch, make: Callable[[CameraConfig], object]) -> None:
    class Found(EntryPoint):
        def load(self) -> Any:
            return make

    found = Found("lab", "lab_cameras:Source", PLUGINS)

    def entry_points(group: str, name: str) -> list[EntryPoint]:
        return [found] if (group, name) == (PLUGINS, "lab") else []

    monkeypatch.setattr(opening, "entry_points", entry_points)


def test_a_source_is_found_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[CameraConfig] = []

    def make(cfg: CameraConfig) -> MemorySource:
        asked.append(cfg)
        return MemorySource(np.zeros((3, 8, 8, 3), np.uint8), fps=100.0)

    plug(monkeypatch, make)
    cfg = CameraConfig(source="lab:left", fps=200.0)
    with open_source(cfg) as source:
        assert source.size == (8, 8)
    assert asked == [cfg]
    with pytest.raises(SourceError, match="no file other:left"):
        open_source(CameraConfig(source="other:left"))


def test_what_goes_wrong_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(cfg: CameraConfig) -> object:
        raise RuntimeError("no licence")

    plug(monkeypatch, broken)
    with pytest.raises(SourceError, match=r"lab_cameras:Source \(no licence\)"):
        open_source(CameraConfig(source="lab:left"))
    plug(monkeypatch, lambda cfg: "a text")
    with pytest.raises(SourceError, match="made a str"):
        open_source(CameraConfig(source="lab:left"))


class Buffer:
    def __init__(self, image: np.ndarray[Any, Any]) -> None:
        part = SimpleNamespace(data=image.reshape(-1), height=image.shape[0], width=image.shape[1])
        self.payload = SimpleNamespace(components=[part])

    def __enter__(self) -> Buffer:
        return self

    def __exit__(self, *exc: object) -> None: ...


class Camera:
    """Two frames, then a cable that is pulled."""

    def __init__(self) -> None:
        names = ("PixelFormat", "ExposureTime", "AcquisitionFrameRate", "Width", "Height")
        nodes = {name: SimpleNamespace(value=0) for name in names}
        nodes["Width"].value, nodes["Height"].value = WIDTH, HEIGHT
        self.remote_device = SimpleNamespace(node_map=SimpleNamespace(**nodes))
        self.calls: list[str] = []
        self.left = [numbered(k) for k in (7, 8)]

    def start(self) -> None:
        self.calls.append("start")

    def stop(self) -> None:
        self.calls.append("stop")

    def destroy(self) -> None:
        self.calls.append("destroy")

    def try_fetch(self, timeout: float) -> Buffer | None:
        return Buffer(self.left.pop(0)) if self.left else None


def test_the_genicam_example_gives_frames_and_the_camera_back(monkeypatch: pytest.MonkeyPatch) -> None:
    camera, created = Camera(), []

    class Harvester:
        def add_file(self, path: str) -> None: ...

        def update(self) -> None: ...

        def reset(self) -> None:
            camera.calls.append("reset")

        def create(self, which: object) -> Camera:
            created.append(which)
            return camera

    library = ModuleType("harvesters.core")
    library.Harvester = Harvester  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "harvesters", ModuleType("harvesters"))
    monkeypatch.setitem(sys.modules, "harvesters.core", library)
    spec = importlib.util.spec_from_file_location("genicam_source", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    wanted = CameraConfig(source="genicam:A7", fps=200.0, exposure_ms=4.0)
    monkeypatch.delenv("GENICAM_CTI", raising=False)
    with pytest.raises(SourceError, match="GENICAM_CTI"):
        example.GenicamSource(wanted)
    monkeypatch.setenv("GENICAM_CTI", "producer.cti")
    source = example.GenicamSource(wanted)
    nodes = camera.remote_device.node_map
    assert (nodes.ExposureTime.value, nodes.AcquisitionFrameRate.value) == (4000.0, 200.0)
    assert (source.size, source.live, source.nominal_fps) == ((WIDTH, HEIGHT), True, 200.0)
    numbers, _ = play(source)
    assert numbers == [7, 8]
    assert "its trigger" in str(source.error)
    assert created == [{"serial_number": "A7"}]
    assert camera.calls == ["reset", "start", "stop", "destroy", "reset"]
