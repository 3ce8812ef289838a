"""``mer-train table --quick``: a few rows on one small rendered set, to see that the whole comparison runs.

``--methods all --protocols holdout,cdmer1`` takes every method, on three more sets. The sets are small and so are
the networks where they are large: the scores say that everything learns, not which method is the best on real
databases.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from mer_live.engines.files import write_json
from mer_live.engines.representation.specs import (
    AdmSpec,
    ApexSpec,
    Flow3Spec,
    FlowConfig,
    FramesSpec,
    MotionSpec,
    RepresentationSpec,
)
from mer_live.training.evaluation.cdmer_synth import CameraPlan, render
from mer_live.training.methods import make_method
from mer_live.training.prepare.papers import PAPER
from mer_live.training.prepared.index import save_array, write_index
from mer_live.training.prepared.prepared_set import PreparedSet
from mer_live.training.synthesis.prepared_set import SynthSet, render_set
from mer_live.training.table.rows import ZERO_SHOT, choose_rows, row_settings
from mer_live.training.table.run import TableRequest

Progress = Callable[[str, int, int], None]
"""(what is rendered, clips done, clips in all)."""
ROWS = ("hoof/linear", "bi-woof/rbf", "ststnet", f"ststnet{PAPER}", f"ststnet{ZERO_SHOT}", "madtn")
"""Unless others are asked for."""
_ADAPTED = (
    "lbp-top/linear",
    "iw-svm",
    "tca",
    "gfk",
    "subspace-alignment",
    "stm",
    "tkl",
    "tsrg",
    "drfs-t",
    "drls",
    "madtn/no-mmd",
    "madtn",
)
"""Rows of the small CDMER: MADTN's own, and LBP-TOP with the methods that adapt it."""
_FIVE = ("hoof/linear", "bi-woof/rbf", "ststnet", "off-apexnet", "madtn")
"""Rows of the table of five classes."""
SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "ststnet": {"epochs": 100, "lr": 2e-3, "batch": 64},
    "off-apexnet": {"epochs": 20, "lr": 5e-4},
    "dual-inception": {"epochs": 5, "batch": 8, "lr": 3e-4},
    "dssn": {"epochs": 20, "lr": 5e-4, "size": 64},
    "capsulenet": {"epochs": 8, "lr": 2e-3, "size": 96, "kernel": 5, "width": 16},
    "micro-attention": {"iterations": 40, "lr": 0.05, "size": 96},
    "atnet": {"epochs": 5, "lr": 0.05, "size": 64},
    "madtn": {"epochs": 60, "size": 40, "lr": 1e-3},
    "sa-at": {
        "epochs": 8,
        "lr": 1e-3,
        "size": 64,
        "student": "resnet18",
        "width": 16,
        "teacher": "resnet18",
        "teacher_epochs": 6,
        "style_steps": 40,
    },
    "mtm": {
        "epochs": 4,
        "pretrain_epochs": 5,
        "lr": 2e-3,
        "size": 32,
        "width": 8,
        "frames": "difference",
    },
}
"""Smaller than published wherever a published size takes minutes a fold; the same for a method and its
ablations."""

_MADE: Mapping[str, tuple[str, RepresentationSpec]] = {
    "flow": ("flow3", Flow3Spec()),
    "motion": ("motion", MotionSpec(size=56)),
    "apex": ("apex", ApexSpec(size=96)),
    "adm": ("adm", AdmSpec(flow=FlowConfig(preset="ultrafast"), flow_px=112)),
    "frames": ("frames", FramesSpec(steps=8, size=112)),
}
"""What a method calls an input -> the array and how it is made."""
CLIPS = (216, 144)
"""Micro-expressions, three of each person; macro-expressions."""
PLAN = CameraPlan(people=24, clips=4, frames=8)
"""96 clips of each camera, so that a batch of 32 is a sample of them."""


def quick_requests(
    faces: Path,
    out: Path,
    rows: tuple[str, ...],
    protocols: tuple[str, ...],
    seeds: tuple[int, ...],
    jobs: int,
    progress: Progress | None = None,
) -> list[TableRequest]:
    """Render the sets that are missing and return what to run on them.

    Micro-expressions of everybody, split by people (holdout), also in five classes; macro-expressions for the methods
    that learn from them; further micro-expressions for a zero-shot row, in which those who are tested do not count;
    three cameras under the names of SMIC's (CDMER TYPE-I). Nothing is rendered that no row looks at.

    Raises:
        ValueError: There are no photographs, or ``out`` holds other sets.
    """

    def told(what: str) -> Callable[[int, int], None]:
        return lambda done, total: None if progress is None else progress(what, done, total)

    def rendered(name: str, what: str, inputs: Iterable[str], clips: int, **more: Any) -> Path:
        arrays = tuple(_MADE[one] for one in sorted(set(inputs)))
        request = SynthSet(faces, clips=clips, representations=arrays, **more)
        return render_set(request, out / "-".join([name, *(array for array, _ in arrays)]), jobs, told(what))

    chosen = choose_rows(rows)
    requests = []
    if "holdout" in protocols:
        here = [row for row in chosen if not row.needs_target]
        inputs = [tuple(make_method(row.method, row_settings(row, SETTINGS)).wants()) for row in here]
        data = rendered("micro", "micro-expressions", chain(*inputs), CLIPS[0])
        settings = {name: dict(given) for name, given in SETTINGS.items()}
        if learners := {row.method for row in here} & {"sa-at", "mtm"}:
            macros = rendered("macro", "macro-expressions", ("apex", "frames"), CLIPS[1], kind="macro")
            for name in learners:
                settings[name]["macro"] = str(macros)
        seen = [names for row, names in zip(here, inputs, strict=True) if row.zero_shot]
        others = (
            rendered("others", "clips for the zero-shot row", chain(*seen), CLIPS[1], seed=1)
            if seen
            else None
        )
        requests.append(
            TableRequest(
                (data,), chosen, ("holdout",), seeds, settings, test_fraction=1 / 3, synthetic=others
            )
        )
        if few := tuple(row for row in here if row.name in _FIVE):
            five = five_classes(data, out / "five")
            requests.append(TableRequest((five,), few, ("holdout",), seeds, settings, test_fraction=1 / 3))
    if "cdmer1" in protocols:
        cameras = render(faces, out / "cameras", PLAN, told("three cameras"))
        adapted = tuple(row for row in chosen if row.name in _ADAPTED)
        requests.append(TableRequest((cameras,), adapted, ("cdmer1",), seeds, SETTINGS, partial=True))
    return requests


def five_classes(micro: Path, out: Path) -> Path:
    """The same clips in the five classes that papers on SAMM and CASME II have, by the units that were rendered.

    12 without 4 is happiness, 1 or 2 without 4 surprise, 9 or 10 disgust, 4 anger, all else other: the first lines of
    the objective classes of Davison, Merghani, Yap (Journal of Imaging 2018), whose rest is rare here.
    """
    prepared = PreparedSet.open(micro)
    rows = []
    for k, written in enumerate(prepared.index["action_units"]):
        units = {int(unit.lstrip("LR")) for unit in str(written).split("+")}
        row = {name: str(column[k]) for name, column in prepared.index.items()}
        rows.append({**row, "label": _objective(units)})
    for name in filter(prepared.has, ("flow3", "motion")):
        save_array(out / f"{name}.npy", prepared.array(name))
    write_index(out, rows, ("split",))
    classes = sorted({row["label"] for row in rows})
    write_json(out / "prepare.json", {**prepared.parameters, "classes": classes})
    return out


def _objective(units: set[int]) -> str:
    if 4 not in units and 12 in units:
        return "happiness"
    if 4 not in units and units & {1, 2}:
        return "surprise"
    if units & {9, 10}:
        return "disgust"
    return "anger" if 4 in units else "other"
