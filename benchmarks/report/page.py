"""``mer-bench report``: one self-contained HTML page from any results, and two runs held side by side."""

from __future__ import annotations

import base64
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from mer_live.benchmarks.report.plots import draw
from mer_live.benchmarks.result import Result, Times
from mer_live.engines.files import write_atomically


def write_page(results: list[Result], folder: Path) -> Path:
    """Write ``report.html`` (everything inside it) and the PNG plots into ``folder``; return the page."""
    plots = draw(results, folder)
    parts = ["<h1>mer-live benchmarks</h1>", *(_section(result) for result in results)]
    parts.insert(1, "<h2>Pictures</h2>" + "".join(_picture(title, path) for title, path in plots))
    page = folder / "report.html"
    write_atomically(page, _html("mer-live benchmarks", "".join(parts)).encode())
    return page


def write_comparison(before: list[Result], after: list[Result], folder: Path) -> Path:
    """Write ``comparison.html``: after over before, for every figure and time that both runs have."""
    rows = []
    known = {result.benchmark: result for result in before}
    for new in after:
        old = known.get(new.benchmark)
        if old is None:
            continue
        old_figures = {figure.name: figure for figure in old.figures}
        for figure in new.figures:
            was = old_figures.get(figure.name)
            if was is not None and was.value and figure.value is not None:
                ratio = figure.value / was.value
                rows.append((new.benchmark, figure.name, was.value, figure.value, f"{ratio:.3f}"))
        old_times = {(t.group, t.name): t for t in old.times}
        for times in new.times:
            earlier = old_times.get((times.group, times.name))
            if earlier is not None and earlier.p50:
                low, high = ratio_interval(earlier, times)
                ratio_text = f"{times.p50 / earlier.p50:.3f} ({low:.3f}..{high:.3f})"
                rows.append((new.benchmark, f"{times.name}, p50 ms", earlier.p50, times.p50, ratio_text))
    body = (
        "<h1>Two runs compared</h1><p class=dim>Ratio = after / before; in brackets the 95 % interval of the "
    )
    body += "ratio of medians, resampled from both distributions. Runs on a shared machine differ by its load, too.</p>"
    body += "<table><tr><th>benchmark<th>what<th>before<th>after<th>ratio</tr>"
    for benchmark, name, was_value, value, ratio_text in rows:
        body += f"<tr><td>{escape(benchmark)}<td>{escape(name)}<td class=n>{was_value:.4g}"
        body += f"<td class=n>{value:.4g}<td class=n>{ratio_text}</tr>"
    page = folder / "comparison.html"
    write_atomically(page, _html("mer-live: two runs", body + "</table>").encode())
    return page


def ratio_interval(before: Times, after: Times, draws: int = 2000) -> tuple[float, float]:
    """95 % interval of median(after) / median(before), resampling each distribution's own n."""
    rng = np.random.default_rng(0)

    def medians(times: Times) -> np.ndarray:  # type: ignore[type-arg]
        curve = np.asarray(times.curve if len(times.curve) == 101 else [times.p50] * 101)
        n = min(times.n, 1000)
        return np.asarray(np.median(np.interp(rng.random((draws, n)) * 100, np.arange(101), curve), axis=1))

    low, high = np.percentile(medians(after) / medians(before), (2.5, 97.5))
    return float(low), float(high)


def _section(result: Result) -> str:
    machine = result.machine
    about = f"{result.date} · {machine['processor']}, {machine['cores']} cores, load {machine['load']} · "
    about += " ".join(f"{name} {version}" for name, version in result.versions.items())
    text = f"<h2>{escape(result.benchmark)}</h2><p class=dim>{escape(about)}</p>"
    if result.figures:
        text += "<table><tr><th>figure<th class=n>value<th class=n>spread<th class=n>n<th class=n>target<th>note</tr>"
    for f in result.figures:
        value = "-" if f.value is None else f"{f.value:.4g} {escape(f.unit)}"
        spread = "" if f.low is None or f.high is None else f"{f.low:.3g}..{f.high:.3g}"
        sign, state = "≤" if f.better == "lower" else "≥", {True: "met", False: "short", None: ""}[f.met]
        target = "" if f.target is None else f"{sign} {f.target:g}"
        text += f"<tr><td>{escape(f.name)}<td class='n {state}'>{value}<td class=n>{spread}"
        text += f"<td class=n>{f.n or ''}<td class='n {state}'>{target}<td class=dim>{escape(f.note)}</tr>"
    text += "</table>" if result.figures else ""
    if result.times:
        text += "<table><tr><th>stage<th class=n>p50<th class=n>p95<th class=n>p99<th class=n>max, ms<th class=n>n</tr>"
        for t in result.times:
            cells = "".join(f"<td class=n>{ms:.3f}" for ms in (t.p50, t.p95, t.p99, t.max))
            text += f"<tr><td>{escape(t.group)}: {escape(t.name)}{cells}<td class=n>{t.n}</tr>"
        text += "</table>"
    return text + "".join(_text_table(table) for table in result.details.get("tables", ()))


def _text_table(content: dict[str, Any]) -> str:
    head = "".join(f"<th>{escape(name)}" for name in content["columns"])
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) for row in content["rows"])
    return f"<h3>{escape(content['title'].capitalize())}</h3><table><tr>{head}</tr>{body}</table>"


def _picture(title: str, path: Path) -> str:
    data, title = base64.b64encode(path.read_bytes()).decode("ascii"), escape(title)
    return f"<h3>{title}</h3><img alt='{title}' src='data:image/png;base64,{data}'>"


def _html(title: str, body: str) -> str:
    css = (files("mer_live.benchmarks.report") / "report.css").read_text(encoding="utf-8")
    head = f"<meta charset=utf-8><meta name=viewport content='width=device-width'><title>{escape(title)}"
    return f"<!doctype html><html lang=en>{head}</title><style>{css}</style>{body}</html>\n"
