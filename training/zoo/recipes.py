"""How each shipped bundle is trained: a method that ``mer-train evaluate`` scores, and its settings."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from mer_live.engines.representation.specs import Flow3Spec, FramesSpec, MotionSpec, RepresentationSpec
from mer_live.training.learning.pretrain import PROVENANCE, PretrainConfig, load, pretrain, save
from mer_live.training.methods import make_method
from mer_live.training.methods.network import NetworkMethod
from mer_live.training.prepared.prepared_set import PreparedSet
from mer_live.training.synthesis.prepared_set import SynthSet, render_set
from mer_live.training.zoo.clips import FLOW3, FRAMES, MOTION

log = logging.getLogger(__name__)

_FAST = {"solver": "one-cycle", "weight_decay": 0.02, "smoothing": 0.05, "batch": 32}
RECIPES: Mapping[str, Mapping[str, Any]] = {
    "madtn": {
        **_FAST,
        "epochs": 10,
        "lr": 1e-3,
        "rotation_deg": 8.0,  # a rotated flow image tells a wrong direction
        "shift_px": 2.5,
        "brightness": 0.2,
        "dropout": 0.4,
        "normalised": True,
        "size": 56,
        "bfloat16": True,
    },
    "atnet": {
        **_FAST,
        # The paper's sizes, 512 and 64 to 512, take four times as long live; by the val people they are not better.
        "hidden": 256,
        "widths": (32, 64, 128, 256),
        "cells": "vector",
        "picture": "flow3",
        "size": FLOW3.size,
        "shift_px": 2.5,
        "temporal_epochs": 4,
        "spatial_epochs": 6,
        "epochs": 2,
        "lr": 1e-3,
        "mirror": True,
        "bfloat16": True,
    },
    "sa-at": {
        **_FAST,
        "student": "resnet18",
        "stages": (2, 3, 4),
        "size": 112,  # a quarter of the pixels of 224, at which teacher and student train in minutes
        "stem_stride": 4,
        "width": 24,  # 1.6 M parameters
        "style_steps": 100,
        "epochs": 4,
        "lr": 5e-4,
        "rotation_deg": 5.0,
        "shift_px": 5.0,
        "mirror": True,
    },
    "mtm": {
        **_FAST,
        "pretrain_epochs": 4,
        "epochs": 2,
        "lr": 2e-3,
        "positives": "mean",
        "width": 16,  # a quarter of ResNet-18's: 1.4 M parameters with both streams
        "steps": FRAMES.steps,
        "size": FRAMES.size,
        "frames": "difference",
        "augment": True,
        "bfloat16": True,
    },
}
"""Bundle, which has its method's name -> settings of the method; the bundles that there are."""


@dataclass(frozen=True, slots=True)
class ZooConfig:
    """Everything that decides the weights, besides the photographs."""

    clips: int = 2000
    held_clips: int = 300
    """Clips of the test people, who had no part in any choice, that give the scores."""
    macro_clips: int = 600
    """Macro-expressions rendered of the training people, for MTM's MaNet."""
    stills: int = 2000
    """Apex frames of macro-expressions rendered of the training people, for SA-AT's teacher and first weights."""
    teacher_epochs: int = 10
    """Of SA-AT's teacher, ResNet-110."""
    student_epochs: int = 10
    """Of SA-AT's student on the same macro-expressions, before it sees micro-expressions."""
    spatial_weights: str = ""
    """Folder of ``mer-train pretrain`` with ATNet's spatial stream, which then begins with macro-expressions."""
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Bundle -> settings that replace those of its recipe."""
    seed: int = 1
    jobs: int = 2
    """Processes. They do not change the weights."""


def render_macro(name: str, faces: Path, work: Path, how: ZooConfig, jobs: int) -> Path | None:
    """Folder of the training people's macro-expressions that a bundle's method learns from, rendered if missing.

    Raises ValueError for unusable photographs, or where ``work`` holds those of another recipe.
    """
    if name not in ("sa-at", "mtm"):
        return None
    specs = representations(untrained(name, how))
    count, folder = (how.stills, "macro") if name == "sa-at" else (how.macro_clips, "macro-frames")
    request = SynthSet(faces, "train", "macro", count, tuple(specs.items()), seed=how.seed)
    return render_set(request, work / folder, jobs)


def untrained(name: str, how: ZooConfig, material: Mapping[str, str] | None = None) -> NetworkMethod:
    """A bundle's method; ``material`` names the folders that it needs besides clips."""
    method = make_method(name, {**RECIPES[name], **how.settings.get(name, {}), **(material or {})})
    assert isinstance(method, NetworkMethod)
    return method


def representations(method: NetworkMethod) -> dict[str, RepresentationSpec]:
    """Input of a bundle's method -> what the live path makes of a clip for it."""
    return {key: _live(spec) for key, spec in method.specs().items()}


def _live(spec: RepresentationSpec) -> RepresentationSpec:
    """What the clips were made for, at the method's size."""
    match spec:
        case MotionSpec():
            return replace(MOTION, size=spec.size)
        case Flow3Spec():
            return replace(FLOW3, size=spec.size)
        case FramesSpec():
            return replace(FRAMES, size=spec.size)
        case _:
            return spec


def ready(name: str, faces: Path, work: Path, how: ZooConfig) -> NetworkMethod:
    """A bundle's method with all that it needs besides clips: macro-expressions, first weights.

    First weights are kept in ``work`` and reused. Raises ValueError as `render_macro` does.
    """
    macro = render_macro(name, faces, work, how, 1)
    if macro is None:
        return untrained(name, how, {"spatial_weights": how.spatial_weights} if name == "atnet" else {})
    if name == "mtm":
        return untrained(name, how, {"macro": str(macro)})
    settings = untrained(name, how).config
    cifar = {"trunk": "cifar", "depth": 110, "stem_stride": settings.stem_stride}
    small = {"trunk": "resnet18", "width": settings.width}
    teacher = _first_weights(
        "teacher", cifar, macro, work, PretrainConfig(epochs=how.teacher_epochs, seed=how.seed)
    )
    student = _first_weights(
        "student", small, macro, work, PretrainConfig(epochs=how.student_epochs, seed=how.seed)
    )
    return untrained(name, how, {"teacher_weights": str(teacher), "student_weights": str(student)})


def _first_weights(
    part: str, network: Mapping[str, Any], stills: Path, work: Path, config: PretrainConfig
) -> Path:
    """Folder of SA-AT's teacher or student, trained on macro-expressions where it is missing."""
    macro, folder = PreparedSet.open(stills), work / f"sa-at-{part}"
    if (folder / PROVENANCE).is_file():
        kept = load(folder).provenance
        if kept["config"] == asdict(config) and kept["data"]["samples"] == macro.hash:
            return folder
    log.info("%s on %d macro-expressions", part, len(macro))
    return save(pretrain("sa-at", network, macro, config), folder)
