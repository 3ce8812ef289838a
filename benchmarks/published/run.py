"""``mer-bench published``: the real commands on every set, one after the other, each timed and watched."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import psutil
import typer

from mer_live.benchmarks.published.bank import ShotBank
from mer_live.benchmarks.published.commands import SETS, Command, Set, steps_of, told
from mer_live.benchmarks.published.counts import COUNTS
from mer_live.benchmarks.published.trees import megc_list, write_tree
from mer_live.benchmarks.result import Figure, Result
from mer_live.engines.files import write_json
from mer_live.training.datasets.published import CDMER_PUBLIC

QUICK_SHARE, QUICK_PEOPLE = 0.05, 4
_LOOK_S = 0.05
_COLUMNS = ("prepare", "evaluate", "table", "export", "live", "spot")


@dataclass(frozen=True, slots=True)
class Done:
    """What one command took and said."""

    kind: str
    name: str
    command: Sequence[str]
    code: int
    processor_s: float
    """Of the process, seen at most 50 ms before its end."""
    memory_mb: float
    """Largest resident memory, looked at 20 times a second."""
    told: Mapping[str, Any]
    said: str = ""
    """Its last line, where it failed."""


def run(faces: Path, out: Path, quick: bool = False, only: Sequence[str] = ()) -> Result:
    """Film the bank, lay the trees, drive every command that has not been driven yet; the same call goes on.

    Args:
        faces: Folder of NAME_neutral.jpg photographs.
        out: Folder for bank, trees, sets, bundles and what each command took.
        quick: A twentieth of the counts, four people.
        only: Names of sets; () is all.

    Raises:
        ValueError: No photographs, or an unknown set.
    """
    if unknown := sorted(set(only) - {one.name for one in SETS}):
        raise ValueError(f"no set {unknown[0]!r}: choose from {', '.join(one.name for one in SETS)}")
    share = QUICK_SHARE if quick else 1.0
    bank = ShotBank(
        out / "bank", faces, QUICK_PEOPLE if quick else None, lambda words: typer.echo(words, err=True)
    )
    chosen = [one for one in SETS if not only or one.name in only]
    rows, everything = [], []
    for one in chosen:
        done = _driven(one, out, bank, share)
        everything += done
        rows.append(_row(one, done, share))
    return _result(rows, everything, quick, len(bank.people))


def _driven(one: Set, out: Path, bank: ShotBank, share: float) -> list[Done]:
    roots = {name: _laid(name, out, bank, share) for name in {*one.databases, "casme2"}}
    listing = megc_list(out / "trees" / "combined_3class_gt.csv", bank, share)
    first = one.databases[0] if (roots[one.databases[0]] / "watch").exists() else "casme2"
    clip = Path((roots[first] / "watch").read_text(encoding="utf-8"))
    done: list[Done] = []
    for step in steps_of(
        one, out / "sets", {k: v / "tree" for k, v in roots.items()}, listing, clip, share < 1
    ):
        done.append(_kept(step, out / "done" / f"{one.name}-{step.name}.json"))
        if done[-1].code:
            break  # what follows needs it
    return done


def _laid(name: str, out: Path, bank: ShotBank, share: float) -> Path:
    """The folder of a database: its tree, and a file that says which clip can be watched; laid once."""
    home = out / "trees" / name
    if not home.is_dir():
        partial = home.with_name(f".{name}")
        shutil.rmtree(partial, ignore_errors=True)
        watched = write_tree(name, partial / "tree", bank, share)
        if watched is not None:
            (partial / "watch").write_text(str(home / watched.relative_to(partial)), encoding="utf-8")
        partial.rename(home)
    return home


def _kept(step: Command, file: Path) -> Done:
    """What the command took: as an earlier run wrote it, if it was the same command and ended well."""
    if file.is_file():
        earlier = Done(**json.loads(file.read_text(encoding="utf-8")))
        if list(earlier.command) == list(step.command) and earlier.code == 0:
            return replace(earlier, told=told(step))
    file.parent.mkdir(parents=True, exist_ok=True)
    done = _watched(step, file.with_suffix(".log"))
    write_json(file, asdict(done))
    said = done.said if done.code else "done"
    typer.echo(f"{file.stem}: {said}, {done.processor_s:.0f} s, {done.memory_mb:.0f} MB", err=True)
    return done


def _watched(step: Command, log: Path) -> Done:
    with log.open("w", encoding="utf-8") as handle:
        process = subprocess.Popen(step.command, stdout=handle, stderr=subprocess.STDOUT)
        seen, took, most = psutil.Process(process.pid), 0.0, 0
        try:
            while process.poll() is None:
                with suppress(psutil.Error):  # it has just ended
                    took, most = sum(seen.cpu_times()[:2]), max(most, seen.memory_info().rss)
                time.sleep(_LOOK_S)
        finally:
            process.terminate()
            code = process.wait()
    lines = log.read_text(encoding="utf-8").strip().splitlines() or [""]
    found = {} if code else told(step)
    said = lines[-1] if code else ""
    return Done(step.kind, step.name, step.command, code, round(took, 1), round(most / 1e6), found, said)


def _row(one: Set, done: Sequence[Done], share: float) -> list[str]:
    """A line of the table: what was there, what each command took, and what it said."""
    cells = []
    for kind in _COLUMNS:
        mine = [d for d in done if d.kind == kind]
        took = f"{sum(d.processor_s for d in mine):.0f} s, {max((d.memory_mb for d in mine), default=0)} MB"
        failed = next((f" **exit {d.code}: {d.said}**" for d in mine if d.code), "")
        cells.append(took + failed if mine else "-")
    laid = sum(sum(1 for _ in COUNTS[name].rows(share)) for name in one.databases)
    prepared = next((d.told for d in done if d.kind == "prepare"), {})
    clips = f"{prepared['clips']:,} of {laid:,} / {prepared['people']}" if prepared else f"{laid:,}"
    if skipped := prepared.get("skipped"):
        clips += f", **{skipped} skipped**"
    lists = {d.told["protocol"]: d.told["list"] for d in done if d.kind == "evaluate" and d.told}
    return [one.name, ", ".join(one.databases), clips, *cells, "; ".join(_words(d, lists) for d in done)]


def _words(done: Done, lists: Mapping[str, str]) -> str:
    what = done.told
    if not what:
        return f"{done.name} failed"
    match done.kind:
        case "evaluate":
            listed = f"{what['protocol']} {what['uf1']:.2f}, folds {what['folds']}, list {what['list']}"
            other = set(what["differences"]) - {CDMER_PUBLIC}
            return listed + (", **not the published list**" if other else "")
        case "table":
            odd = [name for name, which in what["lists"].items() if lists[name] != which] + what["missing"]
            scored = ", ".join(f"{name} {uf1:.2f}" for name, uf1 in what["uf1"].items())
            return f"{what['row']} on the same lists {scored}" + (f", **but not {odd}**" if odd else "")
        case "live":
            return f"{what['events']} events in {what['frames']} frames live"
        case "spot":
            watched = f"{what['videos']} videos, {what['people']} people, {what['minutes']:.0f} min"
            found = f"{what['tp']} of {what['n']} micro-expressions found, {what['fp']} false"
            return f"{watched}: {found}, {what['on_macro']} of these on macro-expressions"
        case "export":
            return f"bundle of {len(what['classes'])} classes"
    return f"{what['without_class']} without a class" if what["without_class"] else "all have a class"


def _result(rows: list[list[str]], done: Sequence[Done], quick: bool, people: int) -> Result:
    columns = ["set", "databases", "clips with a class of all / people", *_COLUMNS, "what they said"]
    title = "Every reader, scheme and protocol on trees of rendered people at the published counts"
    counts = [
        [name, f"{count.clips:,} / {count.people + count.others}", count.known]
        for name, count in COUNTS.items()
    ]
    tables = [
        {"title": title, "columns": columns, "rows": rows},
        {"title": "Counts", "columns": ["database", "clips / people", "known from"], "rows": counts},
    ]
    result = Result("published", {"quick": quick, "rendered people": people}, details={"tables": tables})
    ended = sum(not d.code for d in done)
    result.figures += [
        Figure("commands that ended well", ended, "", len(done), target=len(done), better="higher"),
        Figure("processor time, all commands", sum(d.processor_s for d in done) / 60, "min", len(done)),
        Figure("peak memory of a command", max(d.memory_mb for d in done), "MB", len(done)),
    ]
    return result
