"""Frames of a clip on disk: image files with the numbers in their names, or a video file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.sources.sequence import SequenceError, frame_steps, is_picture, order_pictures
from mer_live.training.datasets.identity import canonical_subject


class FrameError(ValueError):
    """A frame or video that cannot be decoded."""


@dataclass(frozen=True, slots=True)
class FrameFiles:
    """Image files of one folder, in the order of their own numbers."""

    folder: Path
    names: tuple[str, ...]
    numbers: tuple[int, ...]
    """(T,) strictly rising: the files' own; 0, 1, ... where names carry none."""
    note: str = ""
    """What was left out of the folder; '' when nothing was."""
    unclear: str = ""
    """Why the order cannot be told; such frames must not be used."""

    @property
    def steps(self) -> list[int]:
        """(T,) frame times after the first picture; a missing number is a dropped frame."""
        return frame_steps(self.numbers)

    def read(self, positions: range) -> Iterator[NDArray[np.uint8]]:
        """Yield (H, W, 3) BGR images of these positions (not numbers).

        Raises:
            FrameError: A file cannot be decoded.
        """
        for position in positions:
            path = self.folder / self.names[position]
            # imdecode reads names that imread cannot open on some platforms.
            data: NDArray[np.uint8] = np.fromfile(path, np.uint8)
            image: Any = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
            if image is None:
                raise FrameError(f"{path} cannot be decoded as an image")
            yield image


@dataclass(frozen=True, slots=True)
class VideoFile:
    """A video; its frames are numbered from 0."""

    path: Path
    numbers: range

    @property
    def steps(self) -> range:
        """(T,) frame times after the first."""
        return self.numbers

    def read(self, positions: range) -> Iterator[NDArray[np.uint8]]:
        """Yield (H, W, 3) BGR images of these positions, decoded from the start so that none is missed.

        Raises:
            FrameError: The video cannot be opened, or ends early.
        """
        capture = cv2.VideoCapture(str(self.path))
        try:
            for position in range(positions.stop):
                if not capture.grab():
                    raise FrameError(f"{self.path} ends at frame {position} of {positions.stop}")
                if position >= positions.start:
                    done, image = capture.retrieve()
                    if not done:
                        raise FrameError(f"{self.path}: frame {position} cannot be decoded")
                    yield image
        finally:
            capture.release()


def frame_files(folder: Path) -> FrameFiles | None:
    """List the images of a folder by their own numbers, or return None where there are none."""
    names = [name for name in os.listdir(folder) if is_picture(name)]
    return numbered(folder, names) if names else None


def numbered(folder: Path, names: list[str]) -> FrameFiles:
    """Order and number pictures as the live path does (``realtime.sources.sequence``)."""
    try:
        found = order_pictures(names)
    except SequenceError as error:
        listed = tuple(sorted(names))
        return FrameFiles(folder, listed, tuple(range(len(listed))), unclear=str(error))
    return FrameFiles(folder, found.names, found.numbers, found.words)


def video_file(path: Path) -> tuple[VideoFile, float]:
    """Open a video once to count its frames; returns it and the rate it states (0 if none).

    Raises:
        FrameError: It cannot be opened or holds no frame.
    """
    capture = cv2.VideoCapture(str(path))
    try:
        # A container's own frame count is often wrong, so the frames are counted.
        count = 0
        while capture.grab():
            count += 1
        rate = float(capture.get(cv2.CAP_PROP_FPS))
    finally:
        capture.release()
    if count == 0:
        raise FrameError(f"{path} cannot be opened as a video, or holds no frame")
    return VideoFile(path, range(count)), rate


def image_folders(root: Path) -> Iterator[tuple[Path, list[str]]]:
    """Yield every folder below ``root`` that holds images, with their names, in sorted order."""
    for folder, children, files in os.walk(root):
        children.sort()
        names = [name for name in files if is_picture(name)]
        if names:
            yield Path(folder), names


class ClipFolders:
    """Finds a clip's frame folder by subject and clip name, however deep the owner's archive nests it."""

    def __init__(self, root: Path, dataset: str) -> None:
        """Walk ``root`` once."""
        self._dataset = dataset
        self._found: dict[tuple[str, str], list[FrameFiles]] = {}
        for folder, names in image_folders(root):
            key = (self._subject(folder.parent.name), _clip(folder.name))
            self._found.setdefault(key, []).append(numbered(folder, names))

    def __len__(self) -> int:
        return len(self._found)

    def find(self, subject: str, clip: str) -> list[FrameFiles]:
        """Return every copy of a clip's frames, cropped and raw ones alike, sorted by path."""
        return self._found.get((self._subject(subject), _clip(clip)), [])

    def _subject(self, name: str) -> str:
        try:
            return canonical_subject(self._dataset, name)
        except ValueError:
            return name


def _clip(name: str) -> str:
    """One spelling of a clip's name; spreadsheets take the zeros from one that is digits only."""
    plain = name.strip().lower()
    return str(int(plain)) if plain.isdecimal() else plain
