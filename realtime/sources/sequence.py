"""The order and the numbers of picture sequences, told by looking at all names of a folder.

Live and training read sequences through this file, so a frame has the same number in both.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePath
from statistics import median

PICTURES = (".png", ".tif", ".tiff", ".bmp", ".pgm", ".ppm", ".webp", ".jp2", ".jpg", ".jpeg")
"""What counts as a picture; of two copies of one frame the format that stands first is read."""
_DIGITS = re.compile(r"(\d+)")
_LARGEST = 1 << 53
"""Greater numbers are hashes or times in nanoseconds."""
_RADIX = (24, 60, 60)
_TOLD = 3


class SequenceError(ValueError):
    """The order of a folder's pictures is not clear; the sentence asks what to do."""


@dataclass(frozen=True, slots=True)
class PictureNames:
    """A sequence as its names tell it."""

    names: tuple[str, ...]
    """(T,) in the order in which they were taken."""
    numbers: tuple[int, ...]
    """(T,) strictly rising: the files' own frame numbers; positions from 0 where the names carry none."""
    left_out: tuple[str, ...] = ()
    """Pictures of the folder that do not belong to the sequence."""

    @property
    def words(self) -> str:
        """What was left out, for people; '' when nothing was."""
        if not self.left_out:
            return ""
        more = f" and {len(self.left_out) - _TOLD} more" if len(self.left_out) > _TOLD else ""
        return f"left out {', '.join(self.left_out[:_TOLD])}{more}: copies, or no part of the numbering"


def is_picture(name: str) -> bool:
    """Whether a file name is a picture's; macOS puts a ``._`` file, which is none, beside each on foreign disks."""
    return not name.startswith(".") and PurePath(name).suffix.lower() in PICTURES


def order_pictures(names: Iterable[str]) -> PictureNames:
    """Put the pictures of one folder in order and number them.

    Names that are alike but for their digits form a sequence. The digits that differ from file to file are the
    frame number; where several do, the first that counts, or a clock that they form together. What fits no
    sequence (a cover, a copy "img7 (1).png", the same frame in another format) is left out.

    Args:
        names: File names, or paths below one folder.

    Raises:
        SequenceError: Two sequences lie in the folder, or none of the numbers is clearly the frame's.
    """
    groups: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name in sorted(names):
        if is_picture(PurePath(name).name):
            groups[tuple(_DIGITS.split(_stem(name).lower())[::2])].append(name)
    if not groups:
        return PictureNames((), ())
    sizes = sorted(groups.values(), key=len, reverse=True)
    if (len(sizes) > 1 and len(sizes[1]) > max(1, len(sizes[0]) // 4)) or (
        len(sizes) > 1 and len(sizes[0]) == 1
    ):
        first, second = (f"{group[0]} ({len(group)})" for group in sizes[:2])
        raise SequenceError(
            f"it is not clear which pictures belong together, those like {first} or those like {second}: "
            "give each sequence a folder of its own, or name one by a pattern such as img%d.png"
        )
    chosen, copies = _one_format(sizes[0])
    stray = [name for group in sizes[1:] for name in group]
    ordered, numbers = _number(chosen)
    return PictureNames(ordered, numbers, tuple(sorted(copies + stray)))


def frame_steps(numbers: Sequence[int]) -> list[int]:
    """Return how many frame times each picture comes after the first: a missing number is a dropped frame.

    Where the numbers are no count of frames (SMIC's are a clock), pictures follow one another without a gap.

    Args:
        numbers: (T,) strictly rising.
    """
    if len(numbers) < 3:
        return list(range(len(numbers)))
    steps = [b - a for a, b in pairwise(numbers)]
    step = int(median(steps))
    if math.gcd(*steps) != step:
        return list(range(len(numbers)))
    return [(number - numbers[0]) // step for number in numbers]


def _stem(name: str) -> str:
    path = PurePath(name)
    return path.name[: len(path.name) - len(path.suffix)]


def _fields(name: str) -> tuple[int, ...]:
    return tuple(int(digits) for digits in _DIGITS.findall(_stem(name)))


def _one_format(names: list[str]) -> tuple[list[str], list[str]]:
    """Keep one file of each stem, in the best format; the second list is the rest."""
    best: dict[str, str] = {}
    rest = []
    for name in sorted(names, key=lambda name: PICTURES.index(PurePath(name).suffix.lower())):
        stem = str(PurePath(name).with_suffix(""))
        if stem in best:
            rest.append(name)
        else:
            best[stem] = name
    return sorted(best.values()), rest


def _number(names: list[str]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Order names that are alike but for their digits."""
    fields = {name: _fields(name) for name in names}
    columns = list(zip(*fields.values(), strict=True))
    varying = [i for i, column in enumerate(columns) if len(set(column)) > 1]
    if len(names) == 1:
        number = columns[-1][0] if columns else 0
        return tuple(names), (number if number < _LARGEST else 0,)
    if len({tuple(row) for row in fields.values()}) < len(names):
        twice = next(n for n in names if sum(fields[m] == fields[n] for m in names) > 1)
        raise SequenceError(
            f"the number of {twice} is given to another picture as well: take the copies out of the folder"
        )
    ordered = sorted(names, key=lambda name: [fields[name][i] for i in varying])
    columns = [tuple(fields[name][i] for name in ordered) for i in varying]
    rising = [column for column in columns if all(a < b for a, b in pairwise(column))]
    counting = [column for column in rising if median(b - a for a, b in pairwise(column)) == 1]
    clock_ms = None if counting or len(varying) < 2 else _clock(columns)
    if not rising and clock_ms is None:
        raise SequenceError(
            f"{len(varying)} numbers change from picture to picture, as between {ordered[0]} and {ordered[1]}, "
            "and none of them counts the frames: name the sequence by a pattern such as img%d.png"
        )
    if clock_ms is not None:
        # The names carry a time and no number: count frames, gaps included where the clock is even.
        return tuple(ordered), tuple(frame_steps(clock_ms))
    numbers = (counting or rising)[0]
    if numbers[-1] >= _LARGEST:
        numbers = tuple(range(len(ordered)))
    return tuple(ordered), numbers


def _clock(columns: list[tuple[int, ...]]) -> list[int] | None:
    """Read the numbers as hours, minutes, seconds and a fraction, in ms (us); None where they are no clock."""
    *upper, fraction = columns
    unit = 1000 if max(fraction) < 1000 else 1_000_000
    if len(upper) > len(_RADIX) or max(fraction) >= unit:
        return None
    radices = _RADIX[len(_RADIX) - len(upper) :]
    if any(max(column) >= radix for radix, column in zip(radices, upper, strict=True)):
        return None
    total = [0] * len(fraction)
    for radix, column in zip((*radices, unit), columns, strict=True):
        total = [so_far * radix + digits for so_far, digits in zip(total, column, strict=True)]
    steps = [b - a for a, b in pairwise(total)]
    usual = median(steps)
    # Steps of one are a count beside another number, such as the camera's.
    even = 1 < usual < unit and min(steps) > 0 and sum(step > 3 * usual for step in steps) <= 0.1 * len(steps)
    return total if even else None
