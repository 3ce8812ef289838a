"""``python docs/scripts/demo_gif.py OUT.gif``: the moving picture of the README, from the demo clip.

The clip runs in slow motion around its first events, with the states as they come; beside it the same face with its
movement six times enlarged, since a displacement of a pixel is hardly visible.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mer_live.realtime import Event, watch
from mer_live.realtime.demo.clip import demo_clip

EVENTS, FACTOR, EVERY = 2, 6.0, 8
"""Events shown; how many times the movement is enlarged; every eighth frame of 200 a second is drawn."""
BEFORE_S, AFTER_S = 0.15, 1.6
FACE = (slice(70, 350), slice(190, 450))
GREEN, WHITE, GRAY = (120, 230, 120), (240, 240, 240), (150, 150, 150)


def enlarged(rest: NDArray[np.uint8], frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """``frame`` with its displacement from ``rest`` times FACTOR; both (H, W, 3) BGR."""
    gray = [cv2.cvtColor(image, cv2.COLOR_BGR2GRAY) for image in (rest, frame)]
    flow = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM).calc(gray[0], gray[1], None)
    flow = cv2.GaussianBlur(flow, (0, 0), 3)
    y, x = np.mgrid[0 : gray[0].shape[0], 0 : gray[0].shape[1]].astype(np.float32)
    back = (FACTOR - 1) * flow
    return np.asarray(
        cv2.remap(
            frame, x - back[..., 0], y - back[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        ),
        np.uint8,
    )


def pictures(events: list[Event]) -> Iterator[NDArray[np.uint8]]:
    """(H, W, 3) BGR frames of the loop."""
    finals = [event for event in events if event.state == "final"][:EVENTS]
    windows = [(e.span.onset.t_ns / 1e9 - BEFORE_S, e.span.onset.t_ns / 1e9 + AFTER_S, e.id) for e in finals]
    capture, index, rest = cv2.VideoCapture(str(demo_clip())), 0, None
    while windows:
        ok, image = capture.read()
        if not ok:
            return
        at_s, index = index / 200, index + 1
        start, end, number = windows[0]
        if at_s < start or index % EVERY:
            continue
        if at_s > end:
            windows.pop(0)
            rest = None
            continue
        face = np.ascontiguousarray(image[FACE])
        rest = face if rest is None else rest
        told = [e for e in events if e.id == number and e.decided.t_ns / 1e9 <= at_s]
        yield drawn(face, enlarged(rest, face), at_s, told[-1] if told else None)


def drawn(
    face: NDArray[np.uint8], large: NDArray[np.uint8], at_s: float, event: Event | None
) -> NDArray[np.uint8]:
    """One picture: the face, the enlarged face, and what has been decided so far."""
    both = cv2.hconcat(
        [cv2.bilateralFilter(each, 5, 12, 3) for each in (face, large)]
    )  # smooth: a smaller file
    canvas = cv2.copyMakeBorder(both, 24, 44, 0, 0, cv2.BORDER_CONSTANT, value=(24, 24, 24))

    def write(text: str, x: int, y: int, colour: tuple[int, int, int], size: float = 0.45) -> None:
        cv2.putText(canvas, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)

    write(f"camera   {at_s:.2f} s", 8, 16, GRAY)
    write(f"movement x {FACTOR:.0f}", face.shape[1] + 8, 16, GRAY)
    if event is not None:
        sure = event.state != "provisional"
        text = f"#{event.id} {event.label}  {event.probs.max():.2f}   {event.state}"
        write(text, 8, canvas.shape[0] - 16, GREEN if sure else WHITE, 0.6)
    return np.asarray(canvas, np.uint8)


def main(out: Path) -> None:
    """Write the loop; a frame lasts a tenth of a second, two and a half times as long as it took."""
    with watch(demo_clip()) as session:
        events = list(session)
    frames = [Image.fromarray(np.ascontiguousarray(p[..., ::-1])) for p in pictures(events)]
    frames = [
        frame.resize((frame.width * 4 // 5, frame.height * 4 // 5), Image.Resampling.LANCZOS)
        for frame in frames
    ]
    palette = frames[-1].quantize(64)
    small = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    small[0].save(out, save_all=True, append_images=small[1:], duration=100, loop=0, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
