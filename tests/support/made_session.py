"""A session as `--record` leaves it, written without analysing anything."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from support.moving_clips import texture

from mer_live.realtime.motion.regions import CANONICAL, POINTS
from mer_live.realtime.session.info import finish_info
from mer_live.realtime.session.layout import ANCHORS, EVENTS, FRAME_COLUMNS, FRAMES, VIDEO
from mer_live.realtime.session.video_file import SessionVideo


def make_session(folder: Path) -> Path:
    """120 crops at 200 fps with three movements of 24 frames, at 10, 50 and 90; the machine has an event for each."""
    folder.mkdir()
    y, x = np.mgrid[:224, :224].astype(np.float32)
    lower = 1 / (1 + np.exp((140 - y) / 6))  # the lower face moves, the head does not
    rise = np.concatenate([np.zeros(3), 0.5 - 0.5 * np.cos(np.pi * np.arange(19) / 9), np.zeros(2)])
    clip = [
        cv2.remap(texture(), x - np.float32(1.5 * a) * lower, y + np.float32(2 * a) * lower, cv2.INTER_CUBIC)
        for a in rise
    ]
    landmarks = np.full((478, 2), 112.0)
    landmarks[POINTS] = CANONICAL
    anchor = {"anchor": 1, "warp": [[1, 0, 0], [0, 1, 0]], "landmarks": landmarks.tolist()}
    (folder / ANCHORS).write_text(json.dumps(anchor) + "\n")
    video = SessionVideo(folder / VIDEO, "crops", (224, 224), 200.0)
    rows, events = [",".join(FRAME_COLUMNS)], []
    for k in range(120):
        at = next((k - begin for begin in (10, 50, 90) if begin <= k < begin + 24), 0)
        t_ns = 7_000_000_000 + k * 5_000_000
        rows.append(f"{k},{t_ns},0,{video.add(video.copy(clip[at]), t_ns)},1,{2.0 if at else 0.1}")
    video.close()
    (folder / FRAMES).write_text("\n".join(rows) + "\n")
    for number, begin in enumerate((10, 50, 90), 1):
        moments = {"onset": begin + 3, "apex": begin + 12, "offset": begin + 21}
        events.append(
            {
                "type": "event",
                **{"id": number, "revision": 2, "state": "final", "label": "surprise", "score": 0.9},
                "probs": {"negative": 0.1, "positive": 0.2, "surprise": 0.7},
                **{f"{part}_frame": frame for part, frame in moments.items()},
                **{f"{part}_s": frame / 200 for part, frame in moments.items()},
            }
        )
    (folder / EVENTS).write_text("".join(json.dumps(event) + "\n" for event in events))
    source = {"description": "made", "size": [640, 480], "nominal_fps": 200.0, "live": True}
    start = {
        "utc": "2026-11-25T10:00:00.000000+00:00",
        "unix_ns": 1,
        "uncertainty_ns": 90,
        "clock": "CLOCK_MONOTONIC",
    }
    record = {"codec": "crops", "blurred": False}
    finish_info(folder, {"record": record, "start": start, "source": source, "versions": {"mer-live": "1"}})
    return folder
