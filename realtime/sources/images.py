"""Numbered image files as a source."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.sources.base import FrameSource, size_words
from mer_live.realtime.sources.config import CameraConfig, SourceError
from mer_live.realtime.sources.sequence import (
    PICTURES,
    PictureNames,
    SequenceError,
    frame_steps,
    is_picture,
    order_pictures,
)

_PRINTF = re.compile(r"%(0\d+)?d")


class ImageSource(FrameSource):
    """A sequence of image files at the rate ``cfg.fps``; a number that is missing is a frame that was lost.

    Frames carry the numbers of their files, and times count from the first file.
    """

    def __init__(self, cfg: CameraConfig) -> None:
        source = str(cfg.source)
        self._folder, self._pictures = find_images(source)
        count = len(self._pictures.names)
        if cfg.fps is None:
            raise SourceError(
                f"images carry no times, and {source} is a sequence of {count}: "
                "give the rate they were taken at, as --fps 200"
            )
        height, width = self._load(0).shape[:2]
        self._steps = frame_steps(self._pictures.numbers)
        gaps = self._steps[-1] + 1 - count
        told = f", {gaps} missing by their numbers" if gaps else ""
        told += f"; {self._pictures.words}" if self._pictures.left_out else ""
        super().__init__(
            cfg,
            size=(width, height),
            recorded=True,
            nominal_fps=cfg.fps,
            description=f"{source}: {count} images, {width}x{height}, "
            f"taken as {cfg.fps:g} fps, pace {cfg.pace}{told}",
        )
        self._position = 0
        self._period_ns = 1e9 / cfg.fps

    @property
    def hint(self) -> str | None:
        """Whether the pictures have several sizes."""
        return size_words(self.resized) if self.resized else None

    @property
    def facts(self) -> dict[str, Any]:
        """Which pictures were left out, and how many frames their numbers miss so far."""
        return {"left_out": list(self._pictures.left_out), "missing": self.missing}

    def fill(self, slot: NDArray[np.uint8]) -> int | None:
        """Decode the next image into ``slot``; its frame steps after the first / fps, ns."""
        at = self._position
        if at == len(self._pictures.names):
            return None
        self.show(self._load(at), slot)
        self.number = self._pictures.numbers[at]
        self.missing += self._steps[at] - self._steps[at - 1] - 1 if at else 0
        self._position += 1
        return round(self._steps[at] * self._period_ns)

    def _load(self, position: int) -> NDArray[np.uint8]:
        path = self._folder / self._pictures.names[position]
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
    """Whether ``source`` names a folder, or a glob or printf pattern of images, rather than one file."""
    path = Path(source)
    if path.exists():
        return path.is_dir()
    suffix = path.suffix.lower()
    pattern = bool(_PRINTF.search(path.name)) or any(c in path.name for c in "*?[")
    return pattern and (suffix in ("", *PICTURES) or "*" in suffix)


def find_images(source: str) -> tuple[Path, PictureNames]:
    """Find the images of a folder, a glob (shot*.png) or a printf pattern (img%03d.jpg), in order.

    Raises SourceError when there are none, or when their order is not clear.
    """
    path = Path(source)
    folder = path if path.is_dir() else path.parent
    number = None if path.is_dir() else _PRINTF.search(path.name)
    try:
        if number is not None:
            found = _by_pattern(folder, path.name[: number.start()], path.name[number.end() :])
        else:
            files = folder.iterdir() if path.is_dir() else folder.glob(path.name)
            found = order_pictures(file.name for file in files if is_picture(file.name))
    except SequenceError as error:
        raise SourceError(f"{source}: {error}") from error
    if not found.names:
        what = f"{source} holds no picture" if path.is_dir() else f"no picture fits {source}"
        raise SourceError(
            f"{what}: name the folder of the png, jpg or tif files, a glob (shot*.png) or a pattern (img%03d.jpg)"
        )
    return folder, found


def _by_pattern(folder: Path, before: str, after: str) -> PictureNames:
    """List the files that the pattern names; the number is where the pattern says."""
    pattern = re.compile(re.escape(before) + r"(\d+)" + re.escape(after))
    names = [file.name for file in folder.iterdir()] if folder.is_dir() else []
    found = sorted((int(match[1]), match.string) for name in names if (match := pattern.fullmatch(name)))
    numbers = [number for number, _ in found]
    if len(set(numbers)) < len(numbers):
        twice = next(name for (number, name) in found if numbers.count(number) > 1)
        raise SequenceError(f"the number of {twice} is given to another picture as well: take the copies out")
    return PictureNames(tuple(name for _, name in found), tuple(numbers))
