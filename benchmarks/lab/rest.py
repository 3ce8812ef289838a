"""``mer-bench rest``: what ``--baseline`` does to people who talk, learned from some clips, judged on others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from mer_live.benchmarks.result import Figure, Result
from mer_live.benchmarks.spotting.run import material, scorer_for
from mer_live.benchmarks.spotting.sets import Scale, recorded, tasks
from mer_live.benchmarks.spotting.summary import counts, false_alarms, minutes, prf
from mer_live.realtime.baseline import Baseline, BaselineError, BaselineMeter
from mer_live.realtime.path import Step
from mer_live.realtime.spotter.config import SpotterConfig
from mer_live.realtime.types import Motion
from mer_live.training.spotter.injected import SILENT_PX
from mer_live.training.spotter.match import REACHED, Judgement, decide
from mer_live.training.spotter.recordings import Recording

_SCALE = Scale(takes=8, injected=8, passes=2, silent_passes=1, jobs=1)
"""Every clip of ``mer-bench spotting`` untouched, and a third of its movements."""
_LEAST_PX = 1.5
_LEAST_S = 2.0
"""Of silence: these clips are of three seconds, and nobody in them rests for the five that the command asks for."""


def run(talking: Path, clips: Path, cache: Path | None = None, seed: int = 1) -> Result:
    """Both halves of each person's clips take turns; people with one clip are left out.

    Args:
        talking, clips, cache, seed: as for ``mer-bench spotting``.

    Raises:
        ValueError: a folder holds no clips, or nobody in them rests long enough.
    """
    people = material(None, talking, clips, _SCALE)
    todo = [task for task in tasks(people, _SCALE, seed) if task.key.startswith("talker-")]
    sets = recorded(todo, cache, _SCALE.jobs)
    without: dict[str, list[Judgement]] = {}
    after: dict[str, list[Judgement]] = {}
    floors_px: dict[str, list[float]] = {}
    for person in people.talkers:
        untouched = sets.get(f"talker {person}", [])
        stems = sorted({_clip(r) for r in untouched})
        if len(stems) < 2:
            continue
        for half in (stems[::2], stems[1::2]):
            baseline = learned([r for r in untouched if _clip(r) in half])
            if baseline is None:
                continue
            config = SpotterConfig()
            floors_px.setdefault(person, []).append(baseline.smallest_px)
            raised = replace(config, smallest_px=max(config.smallest_px, baseline.smallest_px))
            for kind in ("talker", "speaking", "silent"):
                rest = [r for r in sets.get(f"{kind} {person}", []) if _clip(r) not in half]
                name = f"talker {person}" if kind == "talker" else kind
                for found, how in ((without, config), (after, raised)):
                    found.setdefault(name, []).extend(decide(r, how, scorer=scorer_for(r)) for r in rest)
    if not floors_px:
        raise ValueError(
            "No half of anybody's clips holds the rest that a baseline asks for: give people who sit still and silent "
            f"for {_LEAST_S:g} s and more in some of their clips."
        )
    result = Result("rest", {"seed": seed}, details={"smallest_px": floors_px})
    told = ", ".join(f"{who} {'/'.join(f'{px:.2f}' for px in both)}" for who, both in floors_px.items())
    floors = [px for both in floors_px.values() for px in both]
    median = float(np.median(floors))
    result.figures.append(Figure("movement at rest that is nothing", median, "px", len(floors), note=told))
    for words, found in (("without", without), ("with", after)):
        result.figures += _alarms(found, words)
        for kind in ("speaking", "silent"):
            score = prf(*counts(found.get(kind, []), _LEAST_PX))
            name = f"put in, {kind}, {_LEAST_PX} px+, {words} a baseline"
            for what in ("recall", "precision"):
                result.figures.append(
                    Figure(f"{name}: {what}", score[what], "", int(score["n"] or 0), better="higher")
                )
    return result


def learned(recordings: Sequence[Recording]) -> Baseline | None:
    """What the command would learn if the frames in which nobody speaks were one rest; None where it cannot."""
    rest: list[Motion] = []
    stretch = 0
    for r in recordings:
        before: Motion | None = None
        for k, motion in enumerate(r.motions):
            if motion is None or r.mouth_px is None or r.mouth_px[k] >= SILENT_PX:
                before = None
                continue
            stretch += before is None or motion.anchor != before.anchor
            before = motion
            # Where frames were left out displacements must not be compared: that is what another anchor says.
            rest.append(replace(motion, anchor=stretch))
    fps = recordings[0].fps
    if (seconds := (len(rest) - 1) / fps) < _LEAST_S:
        return None
    meter = BaselineMeter(seconds)
    try:
        for number, motion in enumerate(rest):
            meter.add(round(number * 1e9 / fps), Step(None, motion))
    except BaselineError:
        return None
    return meter.learned


def _clip(recording: Recording) -> str:
    return re.split("@|-forth-back|-back-forth|-speaking|-silent", recording.name)[0]


def _alarms(found: dict[str, list[Judgement]], words: str) -> list[Figure]:
    talkers = {name.split()[1]: group for name, group in found.items() if name.startswith("talker ")}
    long = sum(minutes(group) for group in talkers.values())
    figures = []
    for state in REACHED[::-1]:
        rates = {who: false_alarms(group, state) for who, group in talkers.items()}
        known = [rate for rate in rates.values() if rate is not None]
        note = f"{long:.1f} minutes; " + ", ".join(f"{who} {rate or 0:.2f}" for who, rate in rates.items())
        mean = float(np.mean(known)) if known else None
        name = f"{state} false alarms a minute, {words} a baseline"
        figures.append(Figure(name, mean, "1/min", len(known), note=note))
    return figures
