"""Databases of long videos: micro- and macro-expressions of one person, one behind the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mer_live.benchmarks.published import layouts
from mer_live.benchmarks.published.bank import Kind, ShotBank
from mer_live.benchmarks.published.clips import few_of, film
from mer_live.benchmarks.published.counts import COUNTS, MACRO, label_of


def _movements(name: str, share: float) -> dict[int, list[tuple[Kind, str]]]:
    """Person -> the (kind, word) of all that they show in long videos, macro-expressions among the others."""
    found: dict[int, list[tuple[Kind, str]]] = defaultdict(list)
    for subject, word in COUNTS[name].rows(share):
        found[subject].append(("micro", word))
    people = len(found)
    for k in range(round(MACRO[name] * share)):
        mine = found[k % people + 1]
        mine.insert(
            (k // people * 2) % (len(mine) + 1), ("macro", ("negative", "positive", "surprise")[k % 3])
        )
    return found


def _casme_sq(root: Path, bank: ShotBank, share: float) -> Path:
    videos = [f"{word}{part}" for part in (1, 2, 3) for word in ("anger", "disgust", "happy")]
    codes = {video: f"{k % 3 + 1:02}{k // 3 + 1:02}" for k, video in enumerate(videos)}
    rows: list[list[Any]] = []
    homes: list[Path] = []
    people: list[list[Any]] = []
    for subject, mine in _movements("casme-sq", share).items():
        number = subject + 14
        people.append([f"s{number}", f"s{number}", subject])
        for video, few in zip(videos, few_of(mine), strict=False):
            homes.append(root / "rawpic" / f"s{number}" / f"{number}_{codes[video]}{video}")
            takes = [bank.take(subject, kind, label_of(word, k)) for k, (kind, word) in enumerate(few)]
            spotted = film(takes, homes[-1], "img{:04d}.jpg")
            for k, ((kind, word), spots) in enumerate(zip(few, spotted, strict=True), 1):
                rows.append([subject, f"{video}_{k}", *spots, "4", word, f"{kind}-expression", video[:-1]])
    rules: dict[str, list[list[Any]]] = {"naming rule1": people}
    rules["naming rule2"] = [[code, video] for video, code in codes.items()]
    layouts.CASME_SQ.write(root, rows, rules)
    return homes[0]


def _samm_lv(root: Path, bank: ShotBank, share: float) -> Path:
    rows: list[list[Any]] = []
    homes = []
    for subject, mine in _movements("samm-lv", share).items():
        for number, few in enumerate(few_of(mine), 1):
            video = f"{subject:03}_{number}"
            homes.append(root / "SAMM_longvideos" / video)
            spotted = film((bank.fast(subject, kind) for kind, _ in few), homes[-1], video + "_{:04d}.jpg")
            for k, ((kind, _), spots) in enumerate(zip(few, spotted, strict=True), 1):
                rows.append([f"{subject:03}", f"{video}_{k}", 1, *spots, "=F11-D11", kind.title(), "4", None])
    layouts.SAMM_LV.write(root, rows)
    return homes[0]


LONG: Mapping[str, Callable[[Path, ShotBank, float], Path]] = {"casme-sq": _casme_sq, "samm-lv": _samm_lv}
