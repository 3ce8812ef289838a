"""What mer-live and mer-web share on their command lines: options, defaults and exit codes, each written once."""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated, NoReturn

import typer

EXIT_DONE, EXIT_OTHER, EXIT_USAGE, EXIT_SOURCE, EXIT_BACKEND, EXIT_INTERRUPTED = 0, 1, 2, 3, 4, 130
BUNDLES = ("madtn", "atnet", "mtm")

ENDINGS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name) and (name != "SIGHUP" or signal.getsignal(signal.SIGHUP) != signal.SIG_IGN)
)
"""What asks a program to end; Windows has no SIGHUP, and nohup takes it away."""

Bundles = Annotated[
    list[str] | None,
    typer.Option("--bundle", help="Shipped bundle name or folder; repeatable. [default: madtn, atnet, mtm]"),
]
Backend = Annotated[str, typer.Option(help="auto, tensorrt, openvino, onnxruntime or torch.")]
Sensitivity = Annotated[float, typer.Option(help="0..1; higher finds more, with more false alarms.")]


def open_missing_streams() -> None:
    """Give a process that was started without stdin, stdout or stderr the null device in their places.

    Otherwise the next file that is opened takes the number, and what libraries print ends up in it.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
            setattr(sys, name, open(os.devnull, "r" if number == 0 else "w"))  # noqa: SIM115


def end_at_once() -> None:
    """Let SIGINT, SIGTERM and SIGHUP end the process on the spot, as they end any program.

    Until something has been opened that must be closed in order this is all that is wanted, and it works while
    an engine is compiled, where Python would not look at a signal for seconds.
    """
    for number in ENDINGS:
        signal.signal(number, signal.SIG_DFL)


def fail(program: str, code: int, error: Exception) -> NoReturn:
    """One sentence on stderr, then the exit code."""
    typer.echo(f"{program}: {error}", err=True)
    raise typer.Exit(code)
