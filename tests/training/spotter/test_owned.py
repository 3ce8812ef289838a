"""Judges learnt from people's candidates, and read by what others taught."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.spotted import span

from mer_live.realtime.spotter.config import Judged
from mer_live.realtime.spotter.evidence import EVIDENCE
from mer_live.realtime.spotter.matched import FEATURES
from mer_live.realtime.spotter.score import COEFFICIENTS, Scorer
from mer_live.training.datasets.frames import FrameFiles
from mer_live.training.datasets.sample import DatasetError, Interval, LongVideo, Reading
from mer_live.training.spotter import owned
from mer_live.training.spotter.owned import Candidate, candidates, fit_owned, fitted

TELLS = EVIDENCE.index("log_odds")
"""What right candidates have and wrong ones have not, in these people."""


def told(phase: str, value: float, at_s: float, score: float = 0.5) -> Judged:
    features = np.zeros(len(FEATURES if phase == "apex" else EVIDENCE))
    features[0 if phase == "apex" else TELLS] = value
    when = span(at_s, at_s + 0.2, None if phase == "apex" else at_s + 0.4)
    return Judged(phase, when, features, score, when.apex)  # type: ignore[arg-type]


def people(count: int, sign: float = 1.0) -> list[Candidate]:
    rng = np.random.default_rng(0)
    made = []
    for person in range(count):
        for k in range(24):
            right = k % 3 == 0
            value = sign * (1.0 if right else -1.0) + rng.normal(0, 0.3)
            for phase in ("apex", "final", "settled"):
                score = 0.8 if right else 0.2
                made.append(Candidate(f"d/{person:03d}", told(phase, value, k, score), float(right)))
    return made


@pytest.fixture
def base() -> dict[str, Any]:
    return owned._uncalibrated(json.loads(COEFFICIENTS.read_text(encoding="utf-8")))


def test_judges_learn_what_tells_right_from_wrong_in_other_people(base: dict[str, Any]) -> None:
    networks = fitted(people(4), base)
    scorer = Scorer({**base, "networks": networks})
    for phase in ("final", "settled"):
        right, wrong = (scorer.judge(phase, told(phase, v, 0).features) for v in (1.0, -1.0))
        assert right > 0.7 > 0.3 > wrong
        assert networks[phase]["candidates"] == 4 * 24
    # Taught the other way round they say the other thing: it comes from these people alone.
    turned = Scorer({**base, "networks": fitted(people(4, -1.0), base)})
    assert turned.judge("final", told("final", -1.0, 0).features) > 0.7
    assert networks["offset"] == base["networks"]["offset"]


def test_with_few_candidates_the_shipped_judge_stays_and_is_read_anew(base: dict[str, Any]) -> None:
    few = [c for c in people(2) if c.told.span.onset.t_ns < 5e9]
    networks = fitted(few, base)
    for phase in ("final", "settled"):
        assert networks[phase]["layers"] == base["networks"][phase]["layers"]
        assert "candidates" in networks[phase]


def video(person: str, intervals: tuple[Interval, ...]) -> LongVideo:
    """Pictures 10 to 1009 at 100 Hz."""
    numbers = tuple(range(10, 1010))
    frames = FrameFiles(Path("nowhere"), tuple(f"{n}.jpg" for n in numbers), numbers)
    return LongVideo(f"casme-sq/{person}/a", "casme-sq", f"casme-sq/{person}", 100.0, frames, intervals)


def test_a_candidate_is_held_against_the_micro_expressions_of_its_video() -> None:
    micro = Interval("m", "micro", 110, 130, 150)  # 1.0 to 1.4 s
    macro = Interval("M", "macro", 310, 330, 350)
    one = video("001", (micro, macro))
    found = list(candidates(one, [told("final", 0, 1.0), told("final", 0, 3.0), told("apex", 0, 1.0)]))
    assert [c.right for c in found] == [True, False, True]
    assert {c.subject for c in found} == {"casme-sq/001"}


def test_each_person_gets_what_the_others_taught(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    intervals = tuple(Interval(f"{k}", "micro", 10 + 100 * k, None, 50 + 100 * k) for k in range(0, 10, 3))
    videos = tuple(video(f"{n:03d}", intervals) for n in range(3))

    class Here:
        def __init__(self, *_: object) -> None: ...
        def __enter__(self) -> Here:
            return self

        def __exit__(self, *_: object) -> None: ...
        def map(self, function: Any, items: Any) -> Any:
            return map(function, items)

    def watched(cache: Path, one: LongVideo) -> list[Judged]:
        sign = -1.0 if one.subject.endswith("002") else 1.0  # one person is not like the others
        return [told("final", sign * (1.0 if k % 3 == 0 else -1.0), float(k)) for k in range(10)]

    monkeypatch.setattr(owned, "watch", watched)
    monkeypatch.setattr(owned, "ProcessPoolExecutor", Here)
    monkeypatch.setattr(owned, "_LEAST", 4)
    seen: list[str] = []
    paths = fit_owned(Reading((), videos=videos), tmp_path / "out", tmp_path / "cache", 1, seen.append)
    assert [path.name for path in paths] == ["spotter.json", "held_out.json"]
    assert seen == [one.key for one in videos]
    held = json.loads(paths[1].read_text())
    assert sorted(held) == ["casme-sq/000", "casme-sq/001", "casme-sq/002"]
    assert held["casme-sq/002"]["made_by"] == "mer-train fit-spotter --dataset casme-sq"
    weight = {person: made["networks"]["final"]["layers"][0][0][0][TELLS][0] for person, made in held.items()}
    # Without the odd one there is no doubt; with one of the usual and the odd one there is nothing to learn.
    assert weight["casme-sq/002"] > 3 * abs(weight["casme-sq/000"])
    Scorer.load(paths[0])


def test_one_person_is_not_enough(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="two or more with long videos, there is 1"):
        fit_owned(Reading((), videos=(video("001", ()),)), tmp_path, tmp_path)
