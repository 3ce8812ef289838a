"""A prepared set of moving textures as ``mer-train prepare`` writes it, and ``mer-train export`` on it."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from support.moving_clips import moving_clip
from typer.testing import CliRunner, Result

from mer_live.engines.representation.clip import Clip
from mer_live.engines.representation.represent import represent
from mer_live.engines.representation.specs import spec_to_json
from mer_live.training.cli import main as cli
from mer_live.training.evaluation.evaluate import EvaluationRequest, evaluate
from mer_live.training.export.plan import ExportRequest
from mer_live.training.prepare.config import parse_representations

ARRAYS = (
    "motion:size=28,paper=motion:size=28:middle=centre:scaling=fixed:flow.method=farneback,apex,small=apex:size=64,"
    "adm:direction=as_published,flow3,px=flow3:dtype=float32:max_px=2,frames"
)
CLIPS = 6
HEADER = ["key", "dataset", "subject", "label", "fps", "onset", "apex", "offset", "split"]


def clip_of(row: int) -> Clip:
    return moving_clip(1.0 + row, -0.5 * row, apex=10 + row % 3, seed=row)


def write_live_set(folder: Path) -> Path:
    """Class c belongs to every third clip; two clips of each subject."""
    specs = parse_representations(ARRAYS)
    clips = [clip_of(row) for row in range(CLIPS)]
    for name, spec in specs:
        np.save(folder / f"{name}.npy", np.stack([represent(clip, spec) for clip in clips]))
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle)
        writer.writerow(HEADER)
        for row in range(CLIPS):
            split = "test" if row > 3 else "train"
            writer.writerow([f"c/{row}", "casme2", f"sub{row // 2:02d}", row % 3, 200, 3, 12, 21, split])
    note = {"representations": {name: spec_to_json(spec) for name, spec in specs}}
    (folder / "prepare.json").write_text(json.dumps(note))
    return folder


def request(data: Path, method: str, **more: Any) -> ExportRequest:
    return ExportRequest(data, method, data / "never", "own", "somebody", **more)


def run(data: Path, out: Path, method: str, *more: object) -> Result:
    arguments = [
        "export",
        "--data",
        data,
        "--method",
        method,
        "--licence",
        "own",
        "--attribution",
        "x",
        "--out",
        out,
    ]
    return CliRunner().invoke(cli.app, [str(part) for part in (*arguments, *more)])


def copy_of(data: Path, to: Path, *arrays: str) -> Path:
    """Index and arrays, without ``prepare.json``."""
    to.mkdir()
    for name in ("index.csv", *(f"{a}.npy" for a in arrays)):
        shutil.copy(data / name, to)
    return to


MADTN = ("--input", "motion=paper", "--set", "hidden=8")


def evaluated(data: Path) -> dict[str, Any]:
    """Report of two seeds of `MADTN`, one epoch."""
    made = evaluate(
        EvaluationRequest(data, "loso", "madtn", {"motion": "paper"}, {"epochs": 1, "hidden": 8}, (0, 1))
    )
    found: dict[str, Any] = json.loads(json.dumps(made))
    return found
