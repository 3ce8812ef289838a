"""Numbered image files as a source."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.sources.base import CameraConfig, FrameSource, SourceError, place

_IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm", ".jp2"}
)
_PRINTF = re.compile(r"%(0\d+)?d")


class ImageSource(FrameSource):
    """A sequence of image files in natural order (img2 before img10), at the rate ``cfg.fps``."""

    def __init__(self, cfg: CameraConfig) -> None:
        self._files = find_images(str(cfg.source))
        if cfg.fps is None:
            raise SourceError(
                f"images carry no times, and {cfg.source} is a sequence of {len(self._files)}: "
                "give the rate they were taken at, as --fps 200"
            )
        height, width = self._load(0).shape[:2]
        super().__init__(
            cfg,
            size=(width, height),
            recorded=True,
            nominal_fps=cfg.fps,
            description=f"{cfg.source}: {len(self._files)} images, {width}x{height}, "
            f"taken as {cfg.fps:g} fps, pace {cfg.pace}",
        )
        self._number = 0
        self._period_ns = 1e9 / cfg.fps

    def fill(self, slot: NDArray[np.uint8]) -> int | None:
        """Decode the next image into ``slot``; number / fps, ns."""
        if self._number == len(self._files):
            return None
        place(self._load(self._number), slot)
        self._number += 1
        return round((self._number - 1) * self._period_ns)

    def _load(self, number: int) -> NDArray[np.uint8]:
        path = self._files[number]
        try:
            # Not imread: on Windows it cannot open a path outside the system's code page.
            data = np.fromfile(path, np.uint8)
            image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
        except (OSError, cv2.error):
            image = None
        if image is None:
            raise SourceError(f"{path} cannot be read as an image: repair it or take it out of the sequence")
        return np.asarray(image, np.uint8)


def is_image_sequence(source: str) -> bool:
    """Whether ``source`` names a folder, a glob, or a printf pattern rather than one file."""
    if Path(source).is_file():
        return False
    return Path(source).is_dir() or bool(_PRINTF.search(Path(source).name)) or any(c in source for c in "*?[")


def find_images(source: str) -> list[Path]:
    """List the files of a folder, a glob (shot*.png) or a printf pattern (img%03d.jpg), in natural order.

    Raises SourceError when there are none.
    """
    path = Path(source)
    folder = path if path.is_dir() else path.parent
    if path.is_dir():
        files = [f for f in path.iterdir() if f.suffix.lower() in _IMAGE_SUFFIXES]
    elif (number := _PRINTF.search(path.name)) is not None:
        before, after = path.name[: number.start()], path.name[number.end() :]
        pattern = re.compile(re.escape(before) + r"\d+" + re.escape(after))
        files = [f for f in folder.iterdir() if pattern.fullmatch(f.name)] if folder.is_dir() else []
    else:
        files = [f for f in folder.glob(path.name) if f.suffix.lower() in _IMAGE_SUFFIXES]
    if not files:
        raise SourceError(
            f"no images at {source}: name a folder, a glob (shot*.png) or a pattern (img%03d.jpg)"
        )
    return sorted(files, key=_natural)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key in which img2 comes before img10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", path.name)]
