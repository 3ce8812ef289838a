"""The one-page report of ``mer-bench gpu``: Markdown, so that it needs nothing and can be pasted anywhere."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from mer_live.benchmarks.result import Figure, Result
from mer_live.engines.files import write_atomically


def write_page(result: Result, path: Path) -> None:
    """Write what was found, the verdict first."""
    write_atomically(path, ("\n".join(_lines(result)) + "\n").encode())


def _lines(result: Result) -> list[str]:
    judged = [f for f in result.figures if f.met is not None]
    short = [f for f in judged if not f.met]
    missing = [f for f in result.figures if f.value is None]
    lines = [
        f"# mer-bench gpu on {result.settings['device']}, {result.date}",
        "",
        f"{len(judged) - len(short)} of {len(judged)} figures with a target meet it; "
        f"{len(missing)} could not be measured.",
        *(f"- short: {f.name}: {f.value:.3g} {f.unit} (target {f.target:g})" for f in short),
        *(f"- not measured: {f.name}: {f.note}" for f in missing),
        "",
        "| figure | value | target |",
        "| --- | --- | --- |",
        *(_figure(f) for f in result.figures if f.value is not None),
    ]
    for group, times in groupby(result.times, key=lambda t: t.group):
        lines += ["", f"## {group}", "", "| ms | p50 | p95 | p99 | n |", "| --- | --- | --- | --- | --- |"]
        lines += [f"| {t.name} | {t.p50:.3f} | {t.p95:.3f} | {t.p99:.3f} | {t.n} |" for t in times]
    lines += ["", "## Machine", ""]
    lines += [f"- {name}: {value}" for name, value in {**result.machine, **result.versions}.items()]
    return lines


def _figure(figure: Figure) -> str:
    target = (
        "" if figure.target is None else f"{'<=' if figure.better == 'lower' else '>='} {figure.target:g}"
    )
    return f"| {figure.name} | {figure.value:.3g} {figure.unit} | {target} |"
