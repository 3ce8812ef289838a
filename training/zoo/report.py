"""Scores of the shipped bundles on people not seen in training, by phase, strength and frame rate."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.realtime.config import BUNDLES
from mer_live.training.metrics import confusion, per_class, scores
from mer_live.training.pictures import figure, save
from mer_live.training.zoo.clips import DEVICE_ADM, ZooClips

BINS: tuple[tuple[str, float, float], ...] = (
    ("0.5-1 px", 0.5, 1.0),
    ("1-2 px", 1.0, 2.0),
    ("2-4 px", 2.0, 4.01),
)


TOGETHER: tuple[tuple[str, ...], ...] = (BUNDLES, ("madtn", "atnet"))
"""Bundles whose average is scored: the default's, and the pair before `mtm`."""
DEVICE_FLOW = f"{DEVICE_ADM.flow.method} flow"
"""What cards call the scores on rows of the flow that a CUDA device computes."""


def reports(probs: Mapping[str, NDArray[np.float32]], clips: ZooClips) -> dict[str, Any]:
    """`report` of each bundle, and of each average of `TOGETHER` that can be made, as ``madtn+atnet``.

    ``probs`` may hold what a bundle says on a device's flow too, as ``atnet, farneback flow``; so do averages then.
    """
    found = {name: report(own, clips) for name, own in probs.items()}
    for names in TOGETHER:
        for flow in ("", f", {DEVICE_FLOW}"):
            if set(names) <= set(probs) and any(f"{name}{flow}" in probs for name in names):
                taken = [probs.get(f"{name}{flow}", probs[name]) for name in names]
                found["+".join(names) + flow] = report(np.mean(taken, axis=0), clips)
    return found


def report(probs: NDArray[np.float32], clips: ZooClips) -> dict[str, Any]:
    """UF1, UAR and accuracy of provisional and final decisions, in all and by class, strength and frame rate."""
    guess = probs.argmax(1)

    def score(keep: NDArray[np.bool_]) -> dict[str, float | int]:
        if not keep.any():
            return {"clips": 0}
        found = scores(confusion(clips.label[keep], guess[keep])).as_dict()
        return {"clips": int(keep.sum())} | {k: round(v, 4) for k, v in found.items()}

    result: dict[str, Any] = {}
    for name, phase in (("final", clips.final), ("provisional", ~clips.final)):
        result[name] = score(phase)
        counts = per_class(confusion(clips.label[phase], guess[phase]))
        result[name]["f1_by_class"] = {label: round(c["f1"] or 0.0, 4) for label, c in counts.items()}
        result[name]["by_intensity"] = {
            label: score(phase & (clips.intensity_px >= low) & (clips.intensity_px < high))
            for label, low, high in BINS
        }
        result[name]["by_fps"] = {
            "25-60": score(phase & (clips.fps <= 60)),
            "100-200": score(phase & (clips.fps > 60)),
        }
    return result


def plot(results: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """UF1 against the strength of the movement, one line a model and phase, as a PNG."""
    picture, axes = figure(6, 4)
    for name, phases in results.items():
        for phase, style in (("final", "-o"), ("provisional", "--s")):
            found = phases[phase]["by_intensity"]
            heights = [found[label].get("uf1", np.nan) for label, _, _ in BINS]
            axes.plot([label for label, _, _ in BINS], heights, style, label=f"{name}, {phase}")
    axes.set(xlabel="largest displacement at a 224 px crop", ylabel="UF1", ylim=(0, 1))
    axes.axhline(1 / 3, color="0.7", lw=1)
    axes.legend(fontsize=8)
    axes.set_title("Synthetic clips of people not seen in training", fontsize=10)
    save(picture, path)
