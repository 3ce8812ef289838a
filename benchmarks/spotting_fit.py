"""Fits the spotter's score: candidates of training people and of one real clip -> realtime/models/spotter.json.

What is trained on, the benchmark does not report on: the people are those whom ``split_of`` calls train, and a
real clip is judged by coefficients fitted without it. ``mer-bench fit-spotter`` runs it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.benchmarks.spotting_match import decide, overlap
from mer_live.benchmarks.spotting_sets import Footage, Recording, Truth, animated, truth_at
from mer_live.realtime.score import APEX_FEATURES, COEFFICIENTS, OFFSET_FEATURES
from mer_live.realtime.spotter import Judged
from mer_live.realtime.types import Motion
from mer_live.training.synthesis.face_model import list_subjects, load_photo, split_of
from mer_live.training.synthesis.timeline import draw_pulse

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Examples:
    """Candidates of one phase."""

    features: Array
    """(N, F)."""
    label: NDArray[np.bool_]
    """(N,) True where it is a micro-expression."""
    weight: Array
    group: NDArray[np.int64]
    """(N,) number of the recording."""


def resampled(
    recording: Recording, fps: float, rng: np.random.Generator, noise_px: float = 0.05
) -> Recording:
    """A real clip's region signals at a higher rate: cubic in time, with the noise that more frames bring.

    No real clip with a high rate is at hand, and talk and head motion at 200 fps must not be unknown.
    """
    from scipy.interpolate import CubicSpline

    seen = [m for m in recording.motions if m is not None]
    pieces: list[list[Motion]] = [[]]
    for m in seen:  # a gap in the face or a new anchor's head coordinates must not be bridged
        if pieces[-1] and (m.t_ns - pieces[-1][-1].t_ns > 1.5e9 / recording.fps):
            pieces.append([])
        pieces[-1].append(m)
    out: list[Motion] = []
    for piece in pieces:
        if len(piece) < 8:
            continue
        t = np.array([m.t_ns for m in piece], np.float64)
        times = np.arange(t[0], t[-1], 1e9 / fps)
        regions = CubicSpline(t, np.stack([m.regions for m in piece]))(times)
        regions = regions + rng.normal(0, noise_px, regions.shape)
        texture = np.stack([m.texture for m in piece])
        head = np.stack([m.head for m in piece])
        nearest = np.clip(np.searchsorted(t, times), 0, len(t) - 1)
        anchors = np.array([m.anchor for m in piece])
        for k, time in enumerate(times):
            j = int(nearest[k])
            i = max(0, j - 1)
            share = 0.0 if anchors[i] != anchors[j] or i == j else (t[j] - time) / (t[j] - t[i])
            out.append(
                replace(
                    piece[j],
                    index=len(out),
                    t_ns=int(time),
                    regions=regions[k].astype(np.float32),
                    speed=np.zeros_like(piece[j].speed),
                    texture=texture[j],
                    head=(share * head[i] + (1 - share) * head[j]).astype(np.float32),
                )
            )
    times_ns = np.array([m.t_ns for m in out], np.int64)
    name = f"{recording.name}@{fps:.0f}"
    return replace(recording, name=name, fps=fps, motions=tuple(out), times_ns=times_ns)


def patterns(recordings: Sequence[Recording]) -> list[tuple[Truth, NDArray[np.float32]]]:
    """What the regions do in each event of at least 0.7 px: (R, 2) displacement at the apex, px."""
    found = []
    for r in recordings:
        times = r.times_ns
        for truth in r.truths:
            if truth.intensity_px < 0.7:
                continue
            before = [m for m in r.motions if m and truth.onset_ns - 6e7 <= m.t_ns <= truth.onset_ns]
            k = int(np.argmin(np.abs(times - truth.apex_ns)))
            near = [m for m in r.motions[max(0, k - 1) : k + 2] if m]
            if before and near:
                rest = np.mean([m.regions for m in before], axis=0)
                found.append((truth, np.mean([m.regions for m in near], axis=0) - rest))
    return found


def mixed(
    recording: Recording,
    events: Sequence[tuple[Truth, NDArray[np.float32]]],
    rng: np.random.Generator,
    every_s: float = 1.2,
) -> Recording:
    """A recording without events, with region patterns of real size added to its signals at random times."""
    times = recording.times_ns.astype(np.float64) * 1e-9
    added = np.zeros((len(times), *events[0][1].shape))
    truths = []
    t = times[0] + 1.0 + float(rng.exponential(every_s))
    while t < times[-1] - 1.0:
        truth, pattern = events[int(rng.integers(len(events)))]
        px = float(np.exp(rng.uniform(np.log(0.5), np.log(4.0))))
        pulse = draw_pulse(rng, t)
        inside = np.flatnonzero((times >= pulse.onset_s) & (times <= pulse.offset_s))
        if len(inside):
            level = np.array([pulse.at(s) for s in times[inside]])
            added[inside] += level[:, None, None] * pattern * (px / truth.intensity_px)
            truths.append(truth_at(pulse, truth.label, px))
        t = pulse.offset_s + 0.6 + float(rng.exponential(every_s))
    motions = tuple(
        None if m is None else replace(m, regions=(m.regions + a).astype(np.float32))
        for m, a in zip(recording.motions, added, strict=True)
    )
    return replace(recording, name=f"{recording.name}+", motions=motions, truths=tuple(truths))


def examples(recordings: Sequence[Recording], weights: Sequence[float]) -> dict[str, Examples]:
    """Every candidate of the recordings with its label; an apex counts inside an event, an end at IoU 0.5."""
    rows: dict[str, list[tuple[Array, bool, float, int]]] = {"apex": [], "offset": []}
    for group, (recording, weight) in enumerate(zip(recordings, weights, strict=True)):
        heard: list[Judged] = []
        decide(recording, listen=heard.append)
        for j in heard:
            s = j.shape
            if j.phase == "apex":
                right = any(t.onset_ns <= s.apex_ns <= t.offset_ns for t in recording.truths)
            else:
                assert s.offset_ns is not None
                span = (s.onset_ns, s.offset_ns)
                iou = max((overlap((t.onset_ns, t.offset_ns), span) for t in recording.truths), default=0.0)
                right = iou >= 0.5
                if 0.3 <= iou < 0.5:
                    continue  # neither: a movement that was really there, seen imprecisely
            rows[j.phase].append((j.features, right, weight, group))
    made = {}
    for phase, items in rows.items():
        features, label, weight_, group_ = zip(*items, strict=True)
        made[phase] = Examples(
            np.stack(features), np.array(label, np.bool_), np.array(weight_), np.array(group_, np.int64)
        )
    return made


def fit(
    data: Examples,
    names: Sequence[str],
    *,
    hidden: int = 12,
    members: int = 4,
    alpha: float = 30.0,
    seed: int = 0,
) -> dict[str, Any]:
    """Networks of one hidden layer, averaged, then calibrated on candidates that they have not seen."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import GroupKFold

    folds = list(GroupKFold(3).split(data.features, data.label, data.group))
    unseen = np.zeros(len(data.label))
    for train, test in folds:
        net = _train(data, train, hidden, 1, alpha, seed)
        unseen[test] = _logit(net, data.features[test])
    platt = LogisticRegression(C=1e3).fit(unseen[:, None], data.label, sample_weight=data.weight)
    net = _train(data, np.arange(len(data.label)), hidden, members, alpha, seed)
    a, b = float(platt.coef_[0, 0]), float(platt.intercept_[0])
    net["w2"], net["b2"] = net["w2"] * a, net["b2"] * a + b
    return {
        "features": list(names),
        **{key: np.round(net[key], 5).tolist() for key in ("mean", "scale", "w1", "b1", "w2")},
        "b2": round(float(net["b2"]), 5),
        "candidates": len(data.label),
        "events": int(data.label.sum()),
    }


def _train(
    data: Examples, rows: NDArray[np.intp], hidden: int, members: int, alpha: float, seed: int
) -> dict[str, Any]:
    from sklearn.neural_network import MLPClassifier

    x, w = data.features[rows], data.weight[rows]
    mean = np.average(x, axis=0, weights=w)
    scale = np.sqrt(np.average(np.square(x - mean), axis=0, weights=w)) + 1e-3
    z = np.clip((x - mean) / scale, -6, 6)
    nets = []
    for k in range(members):
        net = MLPClassifier(
            (hidden,), activation="tanh", solver="lbfgs", alpha=alpha, max_iter=80, random_state=seed + k
        )
        nets.append(net.fit(z, data.label[rows], sample_weight=w / w.mean()))
    return {
        "mean": mean,
        "scale": scale,
        "w1": np.concatenate([n.coefs_[0] for n in nets], 1),
        "b1": np.concatenate([n.intercepts_[0] for n in nets]),
        "w2": np.concatenate([n.coefs_[1][:, 0] for n in nets]) / members,
        "b2": float(np.mean([n.intercepts_[1][0] for n in nets])),
    }


def _logit(net: dict[str, Any], x: Array) -> Array:
    z = np.clip((x - net["mean"]) / net["scale"], -6, 6)
    return np.asarray(np.tanh(z @ net["w1"] + net["b1"]) @ net["w2"] + net["b2"])


def write(networks: dict[str, Any], path: Path, command: str, seed: int) -> None:
    """The coefficients with how they were made."""
    text = json.dumps({"made_by": command, "seed": seed, "networks": networks}, separators=(",", ":"))
    path.write_text(text + "\n", encoding="utf-8")


def fit_all(faces: Path, clips: Path, seed: int = 0) -> None:
    """Render, fit, and write the shipped coefficients and those that have not seen each real clip.

    Training people at four rates, six passes of events put into each real clip, each clip untouched, and
    its signals resampled to 50, 100 and 200 fps with and without added events.
    """
    rng = np.random.default_rng(seed)
    stills = []
    names = [name for name in list_subjects(faces) if split_of(name) == "train"]
    for k, name in enumerate(names):
        rate = RATES[k % len(RATES)]
        stills.append(animated(load_photo(faces, name), rate, seed + 1000 + k, 16 if rate < 60 else 10))
    events = patterns([r for r in stills if r.fps <= 100])
    sources = {"stills": examples(stills, [0.4] * len(stills))}
    for path in sorted(clips.glob("*.mp4")):
        footage = Footage(path)
        plain = footage.untouched()
        real = [footage.injected(seed + 100 + k) for k in range(6)] + [plain]
        weights = [1.0] * 6 + [2.0]
        for fps in (50.0, 100.0, 200.0):
            faster = resampled(plain, fps, rng)
            real += [faster, mixed(faster, events, rng)]
        real += [mixed(plain, events, rng) for _ in range(4)]
        sources[path.stem] = examples(real, weights + [0.7] * (len(real) - len(weights)))

    def networks(left_out: str = "") -> dict[str, Any]:
        kept = [made for name, made in sources.items() if name != left_out]
        return {p: fit(joined([made[p] for made in kept]), names, seed=seed) for p, names in FEATURES.items()}

    write(networks(), COEFFICIENTS, f"mer-bench fit-spotter --seed {seed}", seed)
    held_out = {name: networks(name) for name in sources if name != "stills"}
    HELD_OUT.write_text(json.dumps(held_out, separators=(",", ":")) + "\n", encoding="utf-8")


def joined(parts: Sequence[Examples]) -> Examples:
    """All candidates together; recordings keep numbers of their own."""
    groups, first = [], 0
    for part in parts:
        groups.append(part.group + first)
        first += int(part.group.max()) + 1
    return Examples(
        np.concatenate([p.features for p in parts]),
        np.concatenate([p.label for p in parts]),
        np.concatenate([p.weight for p in parts]),
        np.concatenate(groups),
    )


HELD_OUT = Path(__file__).parent / "spotter_held_out.json"
"""Coefficients fitted without each real clip: the benchmark judges a clip by those that have not seen it."""
RATES = (25.0, 50.0, 100.0, 200.0)
FEATURES = {"apex": APEX_FEATURES, "offset": OFFSET_FEATURES}
