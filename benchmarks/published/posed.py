"""Databases of posed macro-expressions: sequences, videos and photographs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import cv2

from mer_live.benchmarks.published import layouts
from mer_live.benchmarks.published.clips import TreeClip
from mer_live.training.datasets.databases.ckplus import EMOTIONS as CK_EMOTIONS
from mer_live.training.datasets.databases.jaffe import EMOTIONS as SHORT_EMOTIONS
from mer_live.training.datasets.databases.mmi import EMOTIONS as MMI_EMOTIONS

_SHORT = {word: short.upper() for short, word in SHORT_EMOTIONS.items()}


def _ckplus(root: Path, clips: list[TreeClip]) -> None:
    for c in clips:
        sequence = f"S{c.subject:03}/{c.number:03}"
        pattern = sequence.replace("/", "_") + "_{:08d}.png"
        _, apex, _ = c.lay(root / "cohn-kanade-images" / sequence, pattern, "apex")
        layouts.write_ck_emotion(root, sequence, apex, CK_EMOTIONS.index(c.word))


def _mmi(root: Path, clips: list[TreeClip]) -> None:
    numbers = {word: number for number, word in MMI_EMOTIONS.items()}
    for session, c in enumerate(clips, 1767):
        home = root / "Sessions" / str(session)
        onset, _, offset, _ = c.takes[0].spots
        pictures = [cv2.imread(str(c.takes[0].folder / f"{k}.jpg")) for k in range(onset, offset + 1)]
        layouts.write_video(home / f"S{c.subject:03}-{c.number:03}.avi", pictures, 25.0)  # type: ignore[arg-type]
        layouts.write_mmi_session(home, numbers[c.word])


def _oulu_casia(root: Path, clips: list[TreeClip]) -> None:
    for c in clips:
        home = root / "B_OriginalImg" / "VL" / "Strong" / f"P{c.subject:03}" / c.word.title()
        c.lay(home, "{:03d}.jpeg", "apex", 0)


def _mug(root: Path, clips: list[TreeClip]) -> None:
    for c in clips:
        home = root / "subjects3" / f"{c.subject:03}" / c.word / f"take{c.number:03}"
        c.lay(home, "img_{:04d}.jpg", "offset", 0)


def _jaffe(root: Path, clips: list[TreeClip]) -> None:
    for k, c in enumerate(clips, 1):
        c.still(root / f"K{chr(64 + c.subject)}.{_SHORT[c.word]}{c.number}.{k}.tiff")


def _bu_3dfe(root: Path, clips: list[TreeClip]) -> None:
    for c in clips:
        person = f"{'FM'[c.subject > 56]}{c.subject:04}"
        c.still(root / person / f"{person}_{_SHORT[c.word]}{c.number:02}WH_F2D.bmp")


POSED: Mapping[str, Callable[[Path, list[TreeClip]], None]] = {
    "ck+": _ckplus,
    "mmi": _mmi,
    "jaffe": _jaffe,
    "oulu-casia": _oulu_casia,
    "mug": _mug,
    "bu-3dfe": _bu_3dfe,
}
