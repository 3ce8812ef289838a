"""The commands that are driven on each set, and what is read out of what they leave."""

from __future__ import annotations

import csv
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mer_live.benchmarks.published.bank import FPS

_SMALL = ("size=56", "width=8", "kernel=3")
_WHOSE = "--licence rendered-people --attribution rendered-people"


@dataclass(frozen=True, slots=True)
class Set:
    """One prepared set: its databases, its classes, and how it is scored."""

    name: str
    databases: tuple[str, ...]
    classes: str = "all"
    protocols: tuple[str, ...] = ("loso",)
    """Of ``evaluate``, then of ``table``, which takes all but ``split``."""
    database: str = ""
    """Of loso and holdout, where there are several."""
    listed: bool = False
    """By MEGC 2019's list."""
    still: bool = False
    """Photographs: no movement, so that a network sees the apex alone."""
    both: bool = False
    """Also as the spotter finds it."""
    spot: str | None = None
    """Options of ``spot-evaluate``, where there are long videos; they are named by the set's own bundle."""
    fps: int = 0
    """What the reader must be told."""
    prepared: bool = True
    """False where nothing has a class, so that there is nothing to train on."""

    @property
    def method(self) -> str:
        """A small network for as few epochs as show that it runs."""
        if not self.still:
            return "--method ststnet --epochs 2"
        return "--method capsulenet --epochs 1 " + " ".join(f"--set {setting}" for setting in _SMALL)


_HOLDOUT = ("holdout",)
SETS = (
    Set(
        "composite",
        ("smic-hs", "smic-vis", "smic-nir", "casme2", "samm"),
        protocols=("cde", "hde", "cdmer1", "cdmer2", "loso", "holdout", "split"),
        database="smic-hs",
    ),
    Set("list", ("smic-hs", "casme2", "samm"), protocols=("cde", "hde"), listed=True),
    Set("casme2-5", ("casme2",), "5"),
    Set("samm-5", ("samm",), "5"),
    Set("casme", ("casme",), "disgust,repression,tense,surprise"),
    Set("mmew-6", ("mmew",), "6"),
    Set("4dme-5", ("4dme",), "5"),
    Set("casme3-7", ("casme3",), "7", spot=""),
    Set("dfme-7", ("dfme",), "7", _HOLDOUT),
    Set("casme-sq-4", ("casme-sq",), "4", both=True, spot="--macro"),
    Set("samm-lv", ("samm-lv",), spot="--macro", prepared=False),
    Set("ck+", ("ck+",), protocols=_HOLDOUT),
    Set("mmi", ("mmi",), protocols=_HOLDOUT),
    Set("oulu-casia", ("oulu-casia",), protocols=_HOLDOUT),
    Set("mug", ("mug",), protocols=_HOLDOUT),
    Set("jaffe", ("jaffe",), protocols=_HOLDOUT, still=True),
    Set("bu-3dfe", ("bu-3dfe",), protocols=_HOLDOUT, still=True),
    Set("own", ("own",), "anger,happiness,surprise", fps=FPS),
)


@dataclass(frozen=True, slots=True)
class Command:
    """One command."""

    kind: str
    """prepare, evaluate, table, export, live, spot: a column of the report."""
    name: str
    command: tuple[str, ...]
    report: Path
    """The JSON that it leaves."""


def steps_of(
    one: Set, out: Path, roots: dict[str, Path], listing: Path, clip: Path, partial: bool
) -> Iterator[Command]:
    """The commands of a set in their order: the next is asked for when the one before has ended.

    Args:
        one: The set.
        out: Where its own folder is made.
        roots: Database -> its tree.
        listing: MEGC 2019's list of these trees.
        clip: What is watched live.
        partial: Let counts pass that are not the published ones.
    """
    home = out / one.name
    data, bundle = home / "set", home / "bundle"
    common = ("--seeds 0 --jobs 1", *(("--partial",) if partial else ()))
    named = f"--database {one.database}" if one.database else ""
    if one.prepared:
        given = [x for name in one.databases for x in (f"--dataset {name} --root", roots[name])]
        more = ("--list", listing) if one.listed else (f"--classes {one.classes}",)
        how = f"--representations {'apex' if one.still else 'flow3'} --variant {'both' if one.both else 'annotated'}"
        rate = f"--fps {one.fps}" if one.fps else ""
        command = _train("prepare", *given, *more, how, "--jobs 1", rate, "--out", data)
        yield Command("prepare", "prepare", command, data / "prepare.json")
        for protocol in one.protocols:
            folder = home / f"evaluate-{protocol}"
            where = halved(data, home / "halves") if protocol == "split" else data
            which = named if protocol in ("loso", "holdout") else ""
            said = ("--data", where, f"--protocol {protocol}", one.method, which, *common, "--out", folder)
            yield Command("evaluate", folder.name, _train("evaluate", *said), folder / "report.json")
        rows = "capsulenet" if one.still else "bi-woof/linear"
        protocols = ",".join(protocol for protocol in one.protocols if protocol != "split")
        small = (
            " ".join(f"--set capsulenet.{setting}" for setting in (*_SMALL, "epochs=1")) if one.still else ""
        )
        said = ("--data", data, f"--methods {rows} --protocols {protocols}", named, small, *common)
        command = _train("table", *said, "--out", home / "table")
        yield Command("table", "table", command, home / "table" / "table.json")
        command = _train("export", "--data", data, one.method, _WHOSE, "--out", bundle)
        yield Command("export", "export", command, bundle / "card.json")
        seen = ("--video", clip, f"--fps {FPS} --bundle", bundle, "--no-ui --report", home / "live.json")
        yield Command("live", "live", _line("mer_live.realtime.cli", *seen), home / "live.json")
    if one.spot is not None:
        (name,) = one.databases
        named_by = ("--bundle", bundle) if one.prepared else ("--spotting-only",)
        said = (
            f"--dataset {name} --root",
            roots[name],
            "--out",
            home / "spot",
            "--jobs 1",
            *named_by,
            one.spot,
        )
        yield Command("spot", "spot", _train("spot-evaluate", *said), home / "spot" / "scores.json")


def _line(module: str, *parts: str | Path) -> tuple[str, ...]:
    """A command: a path is one word, text is words."""
    words = [word for part in parts for word in ([str(part)] if isinstance(part, Path) else part.split())]
    return sys.executable, "-m", module, *words


def _train(*parts: str | Path) -> tuple[str, ...]:
    return _line("mer_live.training.cli", *parts)


def halved(data: Path, folder: Path) -> Path:
    """A set of the same clips whose index says which people are tested on: every second."""
    folder.mkdir(exist_ok=True)
    if not (folder / "flow3.npy").exists():
        os.link(data / "flow3.npy", folder / "flow3.npy")
    with (data / "index.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    people = sorted({row["subject"] for row in rows})
    with (folder / "index.csv").open("w", encoding="utf-8", newline="") as handle:
        writer = csv.DictWriter(handle, [*rows[0], "split"])
        writer.writeheader()
        writer.writerows(
            {**row, "split": ("train", "test")[people.index(row["subject"]) % 2]} for row in rows
        )
    return folder


def told(step: Command) -> dict[str, Any]:
    """What matters of the JSON that a command left: counts, scores of one list, events."""
    made = json.loads(step.report.read_text(encoding="utf-8"))
    match step.kind:
        case "prepare":
            counts = made["counts"].values()
            people = sum(c["subjects"] for c in counts)
            found = {
                "clips": sum(c["clips"] for c in counts),
                "people": people,
                "skipped": len(made["skipped"]),
            }
            return {
                **found,
                "without_class": made["without_class"],
                "classes": made.get("classes", ["", "", ""]),
            }
        case "evaluate":
            scored = {
                "uf1": made["scores"]["full"]["uf1"],
                "folds": made["folds"],
                "list": made["sample_list"][:8],
            }
            clips = sum(c["clips"] for c in made["counts"].values())
            return {
                **scored,
                "protocol": made["protocol"],
                "clips": clips,
                "differences": made["count_differences"],
            }
        case "table":
            uf1 = {t["protocol"]: t["rows"][0]["scores"]["full"]["uf1"] for t in made["tables"]}
            lists = {t["protocol"]: t["sample_list"][:8] for t in made["tables"]}
            row = made["tables"][0]["rows"][0]["row"]
            return {"row": row, "uf1": uf1, "lists": lists, "missing": made["missing"]}
        case "export":
            return {"classes": made["classes"]}
        case "live":
            return {"frames": made["frames"]["processed"], "events": len(made["events"])}
    micro = made["spotting"]["micro"]
    return {
        "videos": made["videos"],
        "people": made["subjects"],
        "minutes": made["minutes"],
        "on_macro": made["false_alarms_on_macro"],
        **{k: micro[k] for k in ("n", "tp", "fp", "f1")},
    }
