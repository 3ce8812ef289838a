"""The shipped SA-AT student: a teacher of rendered macro-expressions, styles, then micro-expressions."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mer_live.engines.networks.base import Network
from mer_live.engines.representation.specs import ApexSpec
from mer_live.training.learning.data import Labelled
from mer_live.training.learning.pretrain import PROVENANCE, PretrainConfig, card_of, load, pretrain, save
from mer_live.training.methods.sa_at.method import SaAt, SaAtConfig
from mer_live.training.prepared.arrays import resize_rows
from mer_live.training.prepared.prepared_set import PreparedSet
from mer_live.training.synthesis.prepared_set import DATASET, SynthSet, render_set
from mer_live.training.zoo.clips import ZooClips

log = logging.getLogger(__name__)

FACE = ApexSpec(size=112)
"""What the student sees: a quarter of the pixels, at which teacher and student train in minutes."""


@dataclass(frozen=True, slots=True)
class SaAtRecipe:
    """Everything that decides the student, besides photographs and clips."""

    stills: int = 2000
    """Macro-expressions rendered of the training people."""
    teacher_epochs: int = 10
    """ResNet-110."""
    student_epochs: int = 10
    """Of the student on the same macro-expressions, before it sees micro-expressions."""
    epochs: int = 4
    """Of the transfer."""
    lr: float = 5e-4
    style_steps: int = 100
    stem_stride: int = 4
    width: int = 24
    """Of the student, a ResNet-18: 1.6 M parameters."""


def render_stills(faces: Path, work: Path, seed: int, jobs: int, how: SaAtRecipe) -> Path:
    """Folder of the training people's macro-expressions, rendered where they are missing.

    Raises ValueError for unusable photographs, or where ``work`` holds those of another recipe.
    """
    request = SynthSet(faces, "train", "macro", how.stills, (("apex", FACE),), seed=seed)
    return render_set(request, work / "macro", jobs)


def train_sa_at(
    clips: ZooClips, faces: Path, work: Path, seed: int, how: SaAtRecipe
) -> tuple[Network, Mapping[str, Any]]:
    """Train teacher, style generator and student; gives the student and what the card tells of its making.

    First weights are kept in ``work`` and reused. Raises ValueError as `render_stills` does.
    """
    folders = first_weights(render_stills(faces, work, seed, 1, how), work, seed, how)
    told = {name: load(folder).provenance for name, folder in folders.items()}
    config = SaAtConfig(
        teacher_weights=str(folders["teacher"]),
        student_weights=str(folders["student"]),
        student="resnet18",
        stages=(2, 3, 4),
        size=FACE.size,
        stem_stride=how.stem_stride,
        width=how.width,
        style_steps=how.style_steps,
        epochs=how.epochs,
        batch=32,
        lr=how.lr,
        schedule="one-cycle",
        weight_decay=0.02,
        smoothing=0.05,
        rotation_deg=5.0,
        shift_px=5.0,
        mirror=True,
    )
    people = np.array([f"{DATASET}/{name}" for name in clips.subject])
    method = SaAt(config)
    method.fit(Labelled({"apex": resize_rows(clips.apex, FACE.shape)}, clips.label, people), seed=seed)
    assert method.network is not None
    assert method.report is not None
    return method.network, {
        "recipe": asdict(how),
        "method": {k: v for k, v in asdict(config).items() if not k.endswith("_weights")},
        "first and last losses": [method.report.losses[0], method.report.losses[-1]],
        **{name: card_of(provenance) for name, provenance in told.items()},
    }


def first_weights(stills: Path, work: Path, seed: int, how: SaAtRecipe) -> dict[str, Path]:
    """Folders of the weights of "teacher" and "student", trained on macro-expressions where they are missing."""
    macro = PreparedSet.open(stills)
    cifar = {"trunk": "cifar", "depth": 110, "stem_stride": how.stem_stride}
    small = {"trunk": "resnet18", "width": how.width}
    folders = {}
    for name, settings, epochs in (
        ("teacher", cifar, how.teacher_epochs),
        ("student", small, how.student_epochs),
    ):
        folder = folders[name] = work / f"sa-at-{name}"
        config = PretrainConfig(epochs=epochs, seed=seed)
        if (folder / PROVENANCE).is_file():
            kept = load(folder).provenance
            if kept["config"] == asdict(config) and kept["data"]["samples"] == macro.hash:
                continue
        log.info("%s on %d macro-expressions", name, len(macro))
        save(pretrain("sa-at", settings, macro, config), folder)
    return folders
