"""The shipped MiNet: pretrained, then guided by a MaNet that saw the training people's macro-expressions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mer_live.engines.networks.base import Network
from mer_live.engines.representation.specs import ApexSpec
from mer_live.training.learning.data import Labelled
from mer_live.training.methods.mtm.method import Mtm, MtmConfig
from mer_live.training.prepared.arrays import resize_rows
from mer_live.training.synthesis.prepared_set import DATASET, SynthSet, render_set
from mer_live.training.zoo.clips import FRAMES, ZooClips

APEX = ApexSpec(size=FRAMES.size)


@dataclass(frozen=True, slots=True)
class MtmRecipe:
    """Everything that decides MiNet, besides photographs and clips."""

    macro_clips: int = 600
    """Macro-expressions rendered of the training people."""
    pretrain_epochs: int = 6
    epochs: int = 5
    """Of the guidance."""
    batch: int = 32
    lr: float = 1e-3
    width: int = 16
    """A quarter of ResNet-18's: 1.4 M parameters with both streams."""
    bfloat16: bool = True
    """See `MtmConfig`."""


def render_macro(faces: Path, work: Path, seed: int, jobs: int, how: MtmRecipe) -> Path:
    """Folder of the training people's macro-expressions, rendered where they are missing.

    Raises ValueError for unusable photographs, or where ``work`` holds those of another recipe.
    """
    specs = (("apex", APEX), ("frames", FRAMES))
    request = SynthSet(faces, "train", "macro", how.macro_clips, specs, seed=seed)
    return render_set(request, work / "macro-frames", jobs)


def train_mtm(
    clips: ZooClips, faces: Path, work: Path, seed: int, how: MtmRecipe
) -> tuple[Network, Mapping[str, Any]]:
    """Train MaNet and MiNet; gives MiNet and what the card tells of its making.

    Raises ValueError as `render_macro` does.
    """
    config = MtmConfig(
        macro=str(render_macro(faces, work, seed, 1, how)),
        pretrain_epochs=how.pretrain_epochs,
        epochs=how.epochs,
        batch=how.batch,
        lr=how.lr,
        cosine=True,
        positives="mean",
        width=how.width,
        steps=FRAMES.steps,
        size=FRAMES.size,
        frames="difference",
        augment=True,
        bfloat16=how.bfloat16,
    )
    inputs = {"apex": resize_rows(clips.apex, APEX.shape), "frames": clips.frames}
    people = np.array([f"{DATASET}/{name}" for name in clips.subject])
    method = Mtm(config)
    method.fit(Labelled(inputs, clips.label, people), seed=seed)
    assert method.network is not None
    assert method.report is not None
    return method.network, {
        "recipe": asdict(how),
        "method": {k: v for k, v in asdict(config).items() if k != "macro"},
        "macro": f"{how.macro_clips} rendered macro-expressions (4-12 px at a 224 px crop, 30 fps) of the "
        "training people",
        "first and last losses": [method.report.losses[0], method.report.losses[-1]],
    }
