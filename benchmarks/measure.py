"""What every command of ``mer-bench`` shares: options, errors, and a result that is shown and written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mer_live.realtime.commands import errors_end, fail

if TYPE_CHECKING:
    from mer_live.benchmarks.result import Result

Quick = Annotated[bool, typer.Option("--quick", help="Fewer repeats; for a first look.")]
Json = Annotated[Path | None, typer.Option("--json", help="Write the result here.")]


def end_with(code: int, *kinds: type[Exception]) -> AbstractContextManager[None]:
    """Errors of these ``kinds`` end the command with one line and ``code``."""
    return errors_end("mer-bench", {code: kinds})


def measure(name: str, json: Path | None, **settings: Any) -> Result:
    """Run ``mer_live.benchmarks.NAME``, which is loaded only now, show its result and write it to ``json``."""
    if json is not None and not json.absolute().parent.is_dir():
        fail("mer-bench", 2, f"The folder of {str(json)!r} does not exist; create it first.")
    run: Callable[..., Result] = import_module(f"mer_live.benchmarks.{name}").run
    result = run(**settings)
    _show(result)
    if json is not None:
        result.write(json)
    return result


def _show(result: Result) -> None:
    from rich.console import Console

    # A file or a pipe has no width of its own, and rich would take 80.
    console = Console() if sys.stdout.isatty() else Console(width=140)
    for table in result.tables():
        console.print(table)
