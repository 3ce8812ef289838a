"""The written tables: Markdown and CSV with ours beside the published figures, and a plot."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mer_live.engines.files import write_atomically
from mer_live.realtime.types import CLASSES
from mer_live.training.pictures import figure, save
from mer_live.training.prepare.papers import PAPER
from mer_live.training.table.published import Published, published
from mer_live.training.table.rows import UNAVAILABLE

TITLES = {
    "cde": "CDE: composite database, leave one subject out (MEGC 2019)",
    "hde": "HDE: train on two databases, test on the third",
    "cdmer1": "CDMER TYPE-I: between the cameras of SMIC",
    "cdmer2": "CDMER TYPE-II: between CASME II and SMIC",
    "loso": "Leave one subject out",
    "holdout": "Subject-disjoint holdout",
}
_NAMES = {"uf1": "UF1", "uar": "UAR", "accuracy": "accuracy"}
_EXACT = 1e-9


def write_table(result: Mapping[str, Any], out: Path) -> list[Path]:
    """Write ``table.md``, ``table.csv`` and, for each table, a plot; return the files."""
    files = [out / "table.md", out / "table.csv"]
    write_atomically(files[0], ("\n".join(markdown(result)) + "\n").encode())
    write_atomically(files[1], csv_text(result).encode())
    for number, table in enumerate(result["tables"]):
        if any("scores" in row for row in table["rows"]):
            files.append(_plot(table, out / f"table-{number + 1}-{table['protocol']}.png"))
    return files


def markdown(result: Mapping[str, Any]) -> list[str]:
    """Return the lines of ``table.md``."""
    lines: list[str] = []
    for table in result["tables"]:
        lines += [f"### {_title(table)}", "", *_about(table), ""]
        lines += [*_grid(table), "", *_papers(table), *verdicts(table), "", *_tests(table)]
    reasons = [(m["protocol"], m["reason"]) for m in result["missing"]]
    beside = {line.row for table in result["tables"] for line in _beside(table)}
    reasons += sorted((name, why) for name, why in result["unavailable"].items() if name in beside)
    for table in result["tables"]:
        reasons += [
            (f"{r['row']} ({table['protocol']})", r["reason"]) for r in table["rows"] if "reason" in r
        ]
    if reasons:
        lines += ["### Not run", "", *[f"- `{name}`: {reason}" for name, reason in reasons], ""]
    return lines[:-1]


def _title(table: Mapping[str, Any]) -> str:
    classes = table["classes"]
    return TITLES[table["protocol"]] + (
        "" if tuple(classes) == CLASSES else f", {len(classes)} classes ({', '.join(classes)})"
    )


def _about(table: Mapping[str, Any]) -> Iterator[str]:
    seeds = sorted({seed for row in table["rows"] for seed in row.get("seeds", ())})
    counts = ", ".join(f"{n} {c['clips']} / {c['subjects']}" for n, c in table["counts"].items())
    shown = " / ".join(_NAMES[score] for score in _scores(table))
    yield (
        f"Clips / people: {counts}; folds: {table['folds']}; sample list `{table['sample_list'][:12]}`. "
        f"Cells: {shown}, mean over seeds {', '.join(map(str, seeds))} (+- deviation; a method without randomness runs "
        "once)."
    )
    if _published(table) and (table["count_differences"] or table["synthetic"]):
        yield ""
        yield (
            f"**These are {'rendered people' if table['synthetic'] else 'other clips'}, not the published list: the "
            "published lines are of the real databases and cannot be compared with ours.**"
        )


def _scores(table: Mapping[str, Any]) -> tuple[str, ...]:
    """What is shown of a cell: what the papers print for the protocol."""
    if table["protocol"] == "loso":
        return ("uf1", "uar", "accuracy")
    return ("uf1", "accuracy" if table["protocol"].startswith("cdmer") else "uar")


def _published(table: Mapping[str, Any]) -> tuple[Published, ...]:
    return published(table["protocol"], list(table["counts"]), len(table["classes"]))


def _parts(table: Mapping[str, Any]) -> list[str]:
    """Return the columns: all that one of ours or of the published lines has, ``full`` first."""
    names = dict.fromkeys(["full"])
    for row in table["rows"]:
        names |= dict.fromkeys(row.get("scores", {}))
    for line in _beside(table):
        names |= dict.fromkeys(line.cells)
    alone = list(table["counts"]) if len(table["counts"]) == 1 else []  # one database is the full set
    return [name for name in names if name not in alone]


def _beside(table: Mapping[str, Any]) -> list[Published]:
    """Return the published lines of rows that are in the table or cannot be run at all."""
    rows = {row["row"].removesuffix(PAPER) for row in table["rows"]}
    return [line for line in _published(table) if line.row in rows or line.row in UNAVAILABLE]


def _papers(table: Mapping[str, Any]) -> list[str]:
    """Say of each row by a paper's recipe what is not as in the paper."""
    lines = [
        f"- `{row['row']}`: "
        + ("**inputs differ** (" + ", ".join(row["inputs_differ"]) + "); " if row["inputs_differ"] else "")
        + "; ".join(row["deviations"])
        + "."
        for row in table["rows"]
        if "deviations" in row
    ]
    return ["By the papers' recipes, and what is not as published:", "", *lines, ""] if lines else []


def _grid(table: Mapping[str, Any]) -> Iterator[str]:
    parts, scores = _parts(table), _scores(table)
    yield "| row | whose | " + " | ".join(parts) + " |"
    yield "| --- | --- |" + " --- |" * len(parts)
    lines = _beside(table)
    for row in table["rows"]:
        if "scores" in row:
            cells = [
                _cell(row["scores"].get(part), scores, len(row["seeds"]) > 1 and part == "full")
                for part in parts
            ]
            yield f"| {row['row']} | ours | " + " | ".join(cells) + " |"
        else:
            yield f"| {row['row']} | not run |" + " |" * len(parts)
        for line in lines:
            if line.row == row["row"].removesuffix(PAPER):
                yield _published_line(line, parts, scores, bool(row.get("inputs_differ")))
    for line in lines:
        if line.row not in {row["row"].removesuffix(PAPER) for row in table["rows"]}:
            yield f"| {line.row} | not run |" + " |" * len(parts)
            yield _published_line(line, parts, scores)


def _published_line(
    line: Published, parts: Sequence[str], scores: Sequence[str], differ: bool = False
) -> str:
    found = [line.cells.get(part) for part in parts]
    cells = [
        "" if cell is None else "*" + " / ".join(f"{cell[s]:.3f}" if s in cell else "-" for s in scores) + "*"
        for cell in found
    ]
    other = ", **our inputs differ**" if differ else ""
    return f"| | *published: {line.source}*{other} | " + " | ".join(cells) + " |"


def _cell(found: Mapping[str, Any] | None, scores: Sequence[str], deviation: bool) -> str:
    if found is None:
        return ""
    spread = f" +- {found['std']['uf1']:.3f}" if deviation else ""
    first, *others = (f"{found[score]:.3f}" for score in scores)
    return " / ".join([first + spread, *others])


def verdicts(table: Mapping[str, Any]) -> list[str]:
    """Say of each full method whether it is at or above its own ablations on UF1."""
    scored = {row["row"]: row for row in table["rows"] if "scores" in row}
    lines = []
    for name, row in scored.items():
        mine = row["scores"]["full"]["uf1"]
        parts = {n: r["scores"]["full"]["uf1"] for n, r in scored.items() if r["ablation_of"] == name}
        if not parts:
            continue
        above = {n: v for n, v in parts.items() if v > mine + _EXACT}
        count = len(row["seeds"])
        verdict = f"is at or above all {len(parts)} of its ablations"
        if above:
            which = ", ".join(f"{n} ({v:.3f})" for n, v in above.items())
            verdict = f"is **below** {which}, at or above its other {len(parts) - len(above)}"
        lines.append(f"- **{name}** ({mine:.3f}, {count} seed{'s' if count > 1 else ''}) {verdict}.")
    return ["Full methods against their own ablations, by UF1:", "", *lines] if lines else []


def _tests(table: Mapping[str, Any]) -> list[str]:
    """Say of each row whether it is another than the best one, on the same clips."""
    tests = table["paired"]
    if not tests:
        return []
    best = tests[0]["against"]
    lines = [
        f"Against **{best}** on the same clips (seeds averaged): difference of UF1 with its 95 % interval over "
        f"subjects, clips that the row alone or {best} alone names rightly, McNemar's exact p over clips, which takes "
        "the clips of a person for independent.",
        "",
        f"| row | UF1 difference | row alone / {best} alone | p |",
        "| --- | --- | --- | --- |",
    ]
    lines += [
        f"| {t['row']} | {t['difference']:+.3f} ({t['low']:+.3f} .. {t['high']:+.3f}) | {t['better']} / {t['worse']} | "
        f"{t['p']:.3g} |"
        for t in tests
    ]
    return [*lines, ""]


def csv_text(result: Mapping[str, Any]) -> str:
    """Return ``table.csv``: one line per row, part and source (ours or published)."""
    handle = io.StringIO()
    writer = csv.writer(handle, lineterminator="\n")
    columns = ("uf1", "uar", "accuracy", "uf1_std", "uf1_low", "uf1_high", "seeds")
    writer.writerow(["protocol", "data", "row", "whose", "variant", "part", *columns, "reason"])
    for table in result["tables"]:
        where = [table["protocol"], table["data"]]
        for row in table["rows"]:
            for variant, scores in row.get("variants", {}).items():
                for part, s in scores.items():
                    low, high = s["interval"]["uf1"]
                    numbers = [s["uf1"], s["uar"], s["accuracy"], s["std"]["uf1"], low, high]
                    cells = [f"{v:.4f}" for v in numbers]
                    writer.writerow(
                        [*where, row["row"], "ours", variant, part, *cells, len(row["seeds"]), ""]
                    )
            if "reason" in row:
                writer.writerow([*where, row["row"], "ours", "", "", *[""] * len(columns), row["reason"]])
        for line in _beside(table):
            for part, found in line.cells.items():
                cells = [str(found.get(score, "")) for score in ("uf1", "uar", "accuracy")]
                writer.writerow([*where, line.row, f"published: {line.source}", "", part, *cells, *[""] * 5])
    return handle.getvalue()


def _plot(table: Mapping[str, Any], file: Path) -> Path:
    """Bars of our UF1 with the 95 % interval over subjects, published values as diamonds."""
    rows = [row for row in table["rows"] if "scores" in row][::-1]
    picture, axes = figure(7.0, 0.24 * len(rows) + 1.6)
    for y, row in enumerate(rows):
        full = row["scores"]["full"]
        low, high = full["interval"]["uf1"]
        axes.barh(y, full["uf1"], color="C0" if not row["ablation_of"] else "C9", height=0.7)
        axes.plot([low, high], [y, y], color="black", linewidth=1)
    place = {row["row"]: y for y, row in enumerate(rows)}
    marks = [
        (line.cells["full"]["uf1"], place[line.row])
        for line in _beside(table)
        if line.row in place and "uf1" in line.cells.get("full", {})
    ]
    if marks:
        axes.scatter(*zip(*marks, strict=True), marker="D", s=18, facecolor="white", edgecolor="C3", zorder=3)
    axes.set_yticks(range(len(rows)), [row["row"] for row in rows], fontsize=7)
    axes.set(xlim=(0, 1), ylim=(-0.6, len(rows) - 0.4), xlabel="UF1, 95 % interval over subjects")
    note = "; diamonds: published, on the real databases" if marks else ""
    axes.set_title(f"{_title(table)}\nlight: ablations{note}", fontsize=8)
    axes.grid(axis="x", alpha=0.3)
    return save(picture, file)
