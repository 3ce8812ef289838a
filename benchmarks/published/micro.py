"""Databases of micro-expressions, a folder a clip; each function writes one and gives a clip to watch live."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

from mer_live.benchmarks.published import layouts
from mer_live.benchmarks.published.clips import TreeClip, casme2_name, few_of, film, samm_name, smic_name


def _smic(folder: str) -> Callable[[Path, list[TreeClip]], Path]:
    def write(root: Path, clips: list[TreeClip]) -> Path:
        homes = []
        for c in clips:
            homes.append(root / folder / f"s{c.subject}" / smic_name(c))
            c.lay(homes[-1], "image{}.jpg", first=10)
        return homes[0]

    return write


def _casme2(root: Path, clips: list[TreeClip]) -> Path:
    homes, rows = [], []
    for c in clips:
        homes.append(root / "CASME2-RAW" / f"sub{c.subject:02}" / casme2_name(c))
        spots = c.lay(homes[-1], "img{}.jpg", first=40)
        rows.append([f"{c.subject:02}", casme2_name(c), None, *spots, None, "4", c.word, 1])
    layouts.CASME2.write(root, rows)
    return homes[0]


def _samm(root: Path, clips: list[TreeClip]) -> Path:
    homes, rows = [], []
    for c in clips:
        person, name = f"{c.subject:03}", samm_name(c)
        homes.append(root / person / name)
        spots = c.lay(homes[-1], person + "_{:05d}.jpg", first=5562)
        rows.append([person, name, 1, *spots, "=F15-D15+1", "Micro - 1/2", "4", c.word.title(), "I", None])
    layouts.SAMM.write(root, rows)
    return homes[0]


def _casme(root: Path, clips: list[TreeClip]) -> Path:
    homes, rows = [], []
    for c in clips:
        name = f"EP{c.number:02}_5"
        homes.append(root / "Cropped" / f"sub{c.subject:02}" / name)
        onset, apex, offset = c.lay(homes[-1], name + "-{:05d}.jpg", first=57)
        rows.append([c.word, c.subject, None, name, onset, apex, 0, None, offset, "4"])
    layouts.CASME.write(root, rows)
    return homes[0]


def _mmew(root: Path, clips: list[TreeClip]) -> Path:
    homes, rows = [], []
    for c in clips:
        name = f"S{c.subject:02}-{c.number:02}-001"
        homes.append(root / "Micro_Expression" / c.word / name)
        rows.append([c.subject, name, *c.lay(homes[-1], "{}.jpg"), "4", c.word, None])
    layouts.MMEW.write(root, rows)
    return homes[0]


def _fourd(root: Path, clips: list[TreeClip]) -> Path:
    homes, rows = [], []
    for c in clips:
        name = f"{c.subject:02}_{c.number:02}"
        homes.append(root / "gray_micro" / f"sub{c.subject:02}" / name)
        rows.append([c.subject, name, *c.lay(homes[-1], "{:03d}.png"), "AU4", c.word.title()])
    layouts.FOURD.write(root, rows)
    return homes[0]


def _dfme(root: Path, clips: list[TreeClip]) -> Path:
    homes, rows = [], []
    for k, c in enumerate(clips):
        name, rate = f"sub{c.subject:04}_{c.number:02}", (500, 300, 200)[k % 3]
        homes.append(root / "frames" / name)
        spots = c.lay(homes[-1], "{}.png", first=109)
        rows.append([f"sub{c.subject:04}", name, *spots, c.word.title(), 0, rate, "L12"])
    # 1,856 to train on, then 474 and 299, as the owners have it.
    first, second = round(len(rows) * 1856 / 2629), round(len(rows) * 2330 / 2629)
    for sheet, part in zip(layouts.DFME, (rows[:first], rows[first:second], rows[second:]), strict=True):
        sheet.write(root, part)
    return homes[0]


def _casme3(root: Path, clips: list[TreeClip]) -> Path:
    people: dict[int, list[TreeClip]] = defaultdict(list)
    for clip in clips:
        people[clip.subject].append(clip)
    homes, rows = [], []
    for subject, mine in people.items():
        for letter, few in zip("abcdefghijklm", few_of(mine), strict=False):
            homes.append(root / f"spNO.{subject}" / letter / "color")
            for c, spots in zip(few, film((c.takes[0] for c in few), homes[-1], "{}.jpg"), strict=True):
                rows.append([f"spNO.{subject}", letter, *spots, "4", "II", c.word])
    layouts.CASME3.write(root / "annotation", rows)
    return homes[0]


def _own(root: Path, clips: list[TreeClip]) -> Path:
    homes = []
    for c in clips:
        homes.append(root / c.word / f"p{c.subject}" / f"{c.number}")
        c.lay(homes[-1], "{:03d}.jpg")
    return homes[0]


MICRO: Mapping[str, Callable[[Path, list[TreeClip]], Path]] = {
    "smic-hs": _smic("SMIC_HS_E"),
    "smic-vis": _smic("SMIC_VIS_E"),
    "smic-nir": _smic("SMIC_NIR_E"),
    "casme2": _casme2,
    "samm": _samm,
    "casme": _casme,
    "mmew": _mmew,
    "4dme": _fourd,
    "casme3": _casme3,
    "dfme": _dfme,
    "own": _own,
}
