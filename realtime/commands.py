"""What mer-live and mer-web share on their command lines: options, defaults and exit codes, each written once."""

from __future__ import annotations

from typing import Annotated, NoReturn

import typer

EXIT_DONE, EXIT_OTHER, EXIT_USAGE, EXIT_SOURCE, EXIT_BACKEND = 0, 1, 2, 3, 4
BUNDLES = ("madtn", "atnet")

Bundles = Annotated[
    list[str] | None,
    typer.Option("--bundle", help="Shipped bundle name or folder; repeatable. [default: madtn, atnet]"),
]
Backend = Annotated[str, typer.Option(help="auto, tensorrt, openvino, onnxruntime or torch.")]
Sensitivity = Annotated[float, typer.Option(help="0..1; higher finds more, with more false alarms.")]


def fail(program: str, code: int, error: Exception) -> NoReturn:
    """One sentence on stderr, then the exit code."""
    typer.echo(f"{program}: {error}", err=True)
    raise typer.Exit(code)
