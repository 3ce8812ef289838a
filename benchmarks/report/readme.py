"""The performance table of benchmarks/README.md, made from committed results, between two markers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mer_live.benchmarks import kernel
from mer_live.benchmarks.result import Figure, Result
from mer_live.engines.files import write_atomically

STEPS = ("decided", "emitted", "shown")
BEGIN, END = "<!-- performance -->", "<!-- /performance -->"
LAB = ("record", "minute", "readers", "archive", "rest")
ORDER = (
    "live",
    "latency",
    "throughput",
    "steady",
    "frame",
    "lock",
    "delay",
    "spotting",
    "web",
    "soak",
    *LAB,
    "published",
    "peers",
)


def committed() -> list[Path]:
    """The result files beside this one, which that table is made from, in the order of ``ORDER``."""
    order = {name: at for at, name in enumerate(ORDER)}
    folder = Path(__file__).parents[1] / "results"
    return sorted(folder.glob("*.json"), key=lambda path: (order.get(path.stem, len(order)), path.name))


def table(results: Sequence[Result]) -> str:
    """Markdown of all results, and the machines and dates under it."""
    parts = []
    for result in results:
        if result.benchmark == "delay":
            parts.append(_delays(result))
        elif result.benchmark != "peers":
            parts.append(_figures(result))
        if result.benchmark in ("peers", "published"):
            parts += [_markdown(made["columns"], made["rows"]) for made in result.details["tables"][:2]]
    machines = [f"{', '.join(names)}: {about}" for about, names in _by_machine(results).items()]
    return "\n\n".join((*parts, f"Machine and date: {'; '.join(machines)}."))


def _figures(result: Result) -> str:
    rows = [
        [
            f"{f.name} ({f.note})" if f.note else f.name,
            "not measured" if f.value is None else f"{_short(f.value)} {f.unit}{_in_r(f, result)}".strip(),
            _target(f),
            str(f.n or ""),
        ]
        for f in result.figures
    ]
    rows += [
        ["one frame in the worker, median and p99", f"{t.p50:.2f} and {t.p99:.2f} ms", "", str(t.n)]
        for t in result.times
        if (t.group, t.name) == ("whole path", "frame")
    ]
    return _markdown([result.benchmark, "measured", "target", "n"], rows)


def _delays(result: Result) -> str:
    """One line a camera rate: medians of every step of both phases, ms."""
    columns = [(phase, step) for phase in ("provisional", "final") for step in STEPS]
    rows = []
    for rate in result.settings["rates"]:
        figures = [result.figure(f"{rate} fps {phase}: {step}") for phase, step in columns]
        cells = ["not found" if f.value is None else f"{f.value:.0f}" for f in figures]
        rows.append([f"{rate} fps", *cells, str(figures[-1].n)])
    names = [f"{phase}, {step}" for phase, step in columns]
    return _markdown(["delay, ms (median)", *names, "n"], rows)


def _by_machine(results: Sequence[Result]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for result in results:
        machine = result.machine
        about = f"{machine['processor']}, {machine['cores']} cores, {result.date[:10]}"
        unit = kernel.words(machine)
        found.setdefault(about, []).append(f"{result.benchmark}{unit and f' ({unit})'}")
    return found


def rewrite(readme: Path, results: Sequence[Result]) -> bool:
    """Put the table of ``results`` between the markers; whether the file changed.

    Raises ValueError where the markers are missing or there is no result.
    """
    old = readme.read_text(encoding="utf-8")
    if not results:
        raise ValueError("There is no result to make the table from; give files or fill benchmarks/results.")
    new = between(old, table(results))
    if new != old:
        write_atomically(readme, new.encode())
    return new != old


def between(text: str, content: str) -> str:
    """``text`` with ``content`` between the markers; ValueError unless both are there once, in order."""
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"The file needs one line {BEGIN} and, after it, one line {END}.")
    head, _, rest = text.partition(BEGIN)
    return f"{head}{BEGIN}\n{content}\n{END}{rest.partition(END)[2]}"


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _in_r(figure: Figure, result: Result) -> str:
    ratio = result.in_r(figure)
    return "" if ratio is None else f" ({ratio:.1f} r)"


def _target(figure: Figure) -> str:
    if figure.target is None:
        return ""
    verdict = {True: "met", False: "**short**", None: "not measured"}[figure.met]
    return f"{'≤' if figure.better == 'lower' else '≥'} {figure.target:g}, {verdict}"


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
