"""The commands that README and site print: taken out of their text, and given to the programs' own parsers."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import typer

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [
        *(ROOT / "docs").rglob("*.md"),
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "training/README.md")),
        *(ROOT / name for name in ("training/synthesis/README.md", "benchmarks/README.md")),
    ]
)
PROGRAMS = {
    "mer-live": "realtime.cli.main",
    "mer-web": "realtime.web.cli",
    "mer-train": "training.cli.main",
    "mer-engine": "engines.cli",
    "mer-bench": "benchmarks.cli",
}
UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""Of the click that typer brings or carries within itself."""
_FENCE = re.compile(r"^```bash\n(.*?)^```", re.DOTALL | re.MULTILINE)
_BLOCK = re.compile(r"^(```|~~~)(\w*)[^\n]*\n(.*?)^\1", re.DOTALL | re.MULTILINE)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


@dataclass(frozen=True)
class Printed:
    """One command line of a page."""

    page: str
    line: str
    """Without comment, continuation lines joined, up to the first pipe."""
    whole: bool
    """Whether it is meant to be typed as it stands (a block), or may leave out what is needed (in a sentence)."""

    @property
    def words(self) -> list[str]:
        """As a shell splits it; of `elan|csv|bids`, which a sentence may say, the first."""
        return [word.split("|")[0] if "|" in word else word for word in shlex.split(self.line)]


def printed() -> list[Printed]:
    """Every command of ours on every page, in order, and the lines of shell blocks whatever they call."""
    found = []
    for path in PAGES:
        text, page = path.read_text(encoding="utf-8"), str(path.relative_to(ROOT))
        for block in _FENCE.findall(text):
            found += [Printed(page, line, True) for line in _lines(block)]
        for words in _INLINE.findall(_BLOCK.sub("", text)):
            if words.split()[0] in (*PROGRAMS, "make") and len(words.split()) > 1:
                found.append(Printed(page, words.rstrip(" ."), False))
    return found


def python_blocks(page: str) -> list[str]:
    """The Python that a page shows."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return [code for _, language, code in _BLOCK.findall(text) if language == "python"]


def _lines(block: str) -> Iterator[str]:
    for line in re.sub(r"\\\n\s*", "", block).splitlines():
        words = re.split(r"\s+#\s|\s\|\s", line)[0].strip()
        if words:
            yield words


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command that a line calls and its arguments, as the program's entry point finds them.

    Raises UsageError for a command that does not exist.
    """
    module, arguments = import_module(f"mer_live.{PROGRAMS[words[0]]}"), words[1:]
    app: typer.Typer = module.app
    if words[0] == "mer-live" and arguments and arguments[0] in module._COMMANDS:
        app = typer.Typer(add_completion=False)
        app.command()(import_module(f"mer_live.realtime.cli.{arguments[0]}").command)
        return typer.main.get_command(app), arguments[1:]
    command: Any = typer.main.get_command(app)
    if hasattr(command, "commands"):
        _, command, arguments = command.resolve_command(typer.Context(command), arguments)
    return command, arguments


def parsed(words: list[str], *, whole: bool) -> dict[str, Any]:
    """What the program's parser makes of a line; with ``whole`` nothing may be missing or of a wrong kind.

    Raises UsageError: an option that does not exist, or one that is wrong or missing.
    """
    command, arguments = command_of(words)
    if whole:
        return command.make_context(words[0], list(arguments)).params
    context = typer.Context(command)
    values, _, _ = command.make_parser(context).parse_args(list(arguments))
    return values
