"""The one door to every frame source: ``open_source``."""

from __future__ import annotations

import re
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.session.layout import is_session
from mer_live.realtime.sources.base import FrameSource, place
from mer_live.realtime.sources.camera import CameraSource
from mer_live.realtime.sources.config import CameraConfig, SourceError
from mer_live.realtime.sources.images import ImageSource, is_image_sequence
from mer_live.realtime.sources.memory import MemorySource
from mer_live.realtime.sources.replay import SessionSource
from mer_live.realtime.sources.sequence import is_picture
from mer_live.realtime.sources.url import is_url, public_url
from mer_live.realtime.sources.video import open_video

_DEVICE = re.compile(r"/dev/|\\\\[.?]\\")
_PLUGIN = re.compile(r"([A-Za-z][\w-]+):(?!//)")
PLUGINS = "mer_live.sources"
"""Entry points of sources of other packages: NAME makes ``--camera NAME:WHICH``; each takes a `CameraConfig`."""


def open_source(cfg: CameraConfig) -> FrameSource:
    """Open what ``cfg.source`` names; the source is idle until ``start(ring)``.

    Raises SourceError with one sentence that says what to do.
    """
    source = cfg.source
    if isinstance(source, str) and (named := _PLUGIN.match(source)) and not Path(source).exists():
        for found in entry_points(group=PLUGINS, name=named[1]):
            return _plugged(found, cfg)
    if isinstance(source, int) or _DEVICE.match(source):
        camera = CameraSource(cfg)
        if cfg.preload:
            camera.stop()
            raise SourceError("a camera cannot be read before the start: leave preload out")
        return camera
    opened: FrameSource
    if is_url(source):
        opened = open_video(cfg, public_url(source))
    elif is_session(source):
        opened = SessionSource(cfg)
    elif is_image_sequence(source):
        opened = ImageSource(cfg)
    elif not Path(source).exists():
        or_camera = f", or give --camera {source} for a camera" if source.isdigit() else ""
        raise SourceError(f"there is no file {source}: check the path{or_camera}")
    elif is_picture(Path(source).name):
        raise SourceError(
            f"{source} is one picture, and a movement takes many: name their folder, {Path(source).parent}"
        )
    else:
        opened = open_video(cfg, source)
    return preload(opened) if cfg.preload else opened


def is_kept(cfg: CameraConfig) -> bool:
    """Whether the source lies on a disk of this machine, and nothing of it is lost while it waits."""
    source = cfg.source
    if isinstance(source, int) or _DEVICE.match(source) or is_url(source):
        return False
    return Path(source).exists() or not _PLUGIN.match(source)


def _plugged(found: EntryPoint, cfg: CameraConfig) -> FrameSource:
    """A source that another package brings; whatever it raises is told in one sentence."""
    try:
        opened = found.load()(cfg)
    except SourceError:
        raise
    except Exception as error:
        raise SourceError(
            f"{cfg.source} cannot be opened by {found.value} ({error}): see its own documentation"
        ) from error
    if not isinstance(opened, FrameSource):
        raise SourceError(
            f"{found.value} made a {type(opened).__name__}, not a FrameSource: tell its authors"
        )
    return opened


def preload(source: FrameSource) -> MemorySource:
    """Read all of a recording (or its first ``duration_s``) into memory; SourceError when it is too long."""
    cfg = source.cfg
    if not source.recorded:
        source.stop()
        raise SourceError(f"{source.description} has no end: leave preload out")
    width, height = source.size
    frames: list[NDArray[np.uint8]] = []
    times: list[int] = []
    numbers: list[int | None] = []
    stretches: list[int] = []
    try:
        while True:
            frame = np.empty((height, width, 3), np.uint8)
            t_ns = source.fill(frame)
            if t_ns is None:
                break
            if source._other is not None:  # memory holds one size
                place(source._other, frame)
                source._other = None
            t_ns = source._stamps.add(t_ns, source.stretch)
            if source._past_duration(t_ns):
                break
            if (len(frames) + 1) * frame.nbytes > cfg.preload_limit_bytes:
                raise SourceError(
                    f"more than {cfg.preload_limit_bytes / 2**30:.1f} GiB of frames do not fit into memory: "
                    "leave preload out, or give a shorter duration"
                )
            frames.append(frame)
            times.append(t_ns)
            numbers.append(source.number)
            stretches.append(source.stretch)
    finally:
        source.release()
    if not frames:
        raise SourceError(f"{source.description} holds no frame that can be read: copy or record it again")
    return MemorySource(
        frames,
        t_ns=times,
        numbers=None if None in numbers else [number for number in numbers if number is not None],
        stretches=stretches,
        pace=cfg.pace,
        description=f"{source.description}, {len(frames)} frames in memory",
    )
