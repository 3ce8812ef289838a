"""A whole video file looked through without decoding it: what its stamps, sizes and end would tell a run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import chain, pairwise
from pathlib import Path

import av

from mer_live.realtime.sources.base import size_words
from mer_live.realtime.sources.container import VideoStream
from mer_live.realtime.sources.stamps import Mended, Mender

LIMIT_S = 5.0
"""Of the clock on the wall; an hour of H.264 at 25 fps takes 1.3 s of processor time."""
_REORDERED = 16
"""Pictures that a decoder may hold back, by H.264."""
_BREAK_S = 1.0
_LOOK = 64
"""Packets between two looks at the clock."""
_ASIDE = 0.5
"""Share of the time that may go into pictures."""


@dataclass(frozen=True, slots=True)
class Scan:
    """What was found in a file."""

    frames: int
    share: float
    """Of the file that was looked through, 0..1."""
    mended: Mended
    """What a run that reads as far would mend."""
    sizes: tuple[tuple[int, int], ...]
    """(width, height) px at key frames, those that repeat left out: more than one where the size changes."""
    read_s: float
    """From the first picture to the last that was looked at."""
    cut: str | None = None
    """For people, where the file ends before its header's promise."""

    @property
    def words(self) -> list[str]:
        """Sentences for people; none where the file is as it should be."""
        sizes = size_words(len(self.sizes) - 1) if len(self.sizes) > 1 else None
        return [words for words in (self.mended.words(), sizes, self.cut) if words]


class _Sizes:
    """Looks at key frames, as long as the time allows: as much of it is spent as of the file is read."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, int]] = []
        self._spent_s = 0.0

    def look(self, packet: av.Packet, share: float) -> None:
        if self.seen and self._spent_s > LIMIT_S * _ASIDE * share:
            return
        begin = time.monotonic()
        codec = packet.stream.codec_context
        with suppress(av.FFmpegError, OSError, ValueError):  # a run tells of damaged pictures
            # None drains the decoder, which may hold a picture back.
            for picture in chain(codec.decode(packet), codec.decode(None)):
                if not self.seen or self.seen[-1] != (picture.width, picture.height):
                    self.seen.append((picture.width, picture.height))
            codec.flush_buffers()
        self._spent_s += time.monotonic() - begin


def scan(path: Path, chosen: VideoStream, nominal_fps: float, told: bool = False) -> Scan:
    """Read the packets of a file's stream, to the end or for `LIMIT_S`.

    Args:
        path: the file.
        chosen: which of its streams.
        nominal_fps: what its header tells, 0.0 if nothing.
        told: a person told the rate, so that no stamp counts.

    Raises:
        OSError: the file cannot be opened any more.
    """
    period_ns = round(1e9 / nominal_fps) if nominal_fps > 0 else None
    mender, sizes = Mender(period_ns), _Sizes()
    frames, share, first_ns, last_ns = 0, 1.0, None, 0
    begin, whole = time.monotonic(), max(1, path.stat().st_size)
    with av.open(str(path)) as container:
        stream = container.streams.video[chosen.position]
        base_ns = (stream.time_base or 0) * 1_000_000_000

        def stamps() -> Iterator[tuple[int | None, bool]]:
            nonlocal frames, share
            at, before = 0, None
            with suppress(av.FFmpegError, OSError, ValueError):  # a damaged file ends here, for a run as well
                for packet in container.demux(stream):
                    if packet.size == 0:  # the last one, which is empty
                        continue
                    at = packet.pos or at
                    if packet.is_keyframe:
                        sizes.look(packet, at / whole)
                    back = packet.dts is not None and before is not None and packet.dts < before
                    before = before if packet.dts is None else packet.dts
                    yield None if packet.pts is None else round(packet.pts * base_ns), back
                    frames += 1
                    if frames % _LOOK == 0 and time.monotonic() - begin > LIMIT_S:
                        share = min(1.0, at / whole)
                        return

        places = _REORDERED if stream.codec_context.has_b_frames else 0
        for raw_ns, next_ns in pairwise(chain(_as_shown(stamps(), places, period_ns), [None])):
            last_ns = mender.add(raw_ns, next_ns).t_ns
            first_ns = last_ns if first_ns is None else first_ns
    mended = Mended() if told else mender.mended
    return Scan(frames, share, mended, tuple(sizes.seen), (last_ns - (first_ns or 0)) / 1e9)


def _as_shown(
    coded: Iterator[tuple[int | None, bool]], places: int, period_ns: int | None
) -> Iterator[int | None]:
    """Put stamps in the order in which a decoder gives the pictures; nothing is sorted across a leap of the clock.

    Args:
        coded: each packet's stamp, and whether the packets' own clock went back before it.
        places: pictures that the decoder may hold back.
        period_ns: one frame's time, if known.
    """
    far_ns = max(round(_BREAK_S * 1e9), 8 * (period_ns or 0))
    held: list[int] = []
    before_ns: int | None = None
    for stamp_ns, back in coded:
        if back or stamp_ns is None or (before_ns is not None and abs(stamp_ns - before_ns) > far_ns):
            while held:
                yield heappop(held)
        if stamp_ns is None:
            yield None
            continue
        before_ns = stamp_ns
        heappush(held, stamp_ns)
        if len(held) > places:
            yield heappop(held)
    while held:
        yield heappop(held)
