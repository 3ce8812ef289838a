"""What the command lines share: options and their defaults, exit codes, and how an error ends a program."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, NoReturn, TypeAlias

import typer

EXIT_OTHER, EXIT_USAGE, EXIT_SOURCE, EXIT_BACKEND, EXIT_INTERRUPTED = 1, 2, 3, 4, 130
Errors: TypeAlias = type[Exception] | tuple[type[Exception], ...]

Bundles = Annotated[
    list[str] | None,
    typer.Option("--bundle", help="Shipped bundle name or folder; repeatable. [default: madtn, atnet, mtm]"),
]
Backend = Annotated[str, typer.Option(help="auto, tensorrt, openvino, onnxruntime or torch.")]
Device = Annotated[
    str,
    typer.Option(
        help="auto, cpu, cuda or cuda:N; auto takes CUDA where it is there and worth it. "
        "cpu-torch: CUDA's code on the CPU."
    ),
]
Precision = Annotated[str, typer.Option(help="fp32, or fp16 of TensorRT.")]
Faces = Annotated[
    int, typer.Option(help="Follow this many people at once, 1 to 4; each event says whose it is.")
]
Sensitivity = Annotated[float, typer.Option(help="0..1; higher finds more, with more false alarms.")]

Macro = Annotated[bool, typer.Option("--macro", help="Also tell of macro-expressions, of up to 4 s.")]


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


def fail(program: str, code: int, message: object) -> NoReturn:
    """One sentence on stderr, then the exit code."""
    typer.echo(f"{program}: {message}", err=True)
    raise typer.Exit(code) from None


@contextmanager
def errors_end(program: str, codes: Mapping[int, Errors], stopped: str = "") -> Iterator[None]:
    """An error in the block ends the program with one sentence and an exit code; errors without a code go through.

    Args:
        program: as the sentence names it.
        codes: exit code -> kinds of errors; the first that fits counts.
        stopped: what is said after Ctrl-C: what is kept, and how to go on. Empty: Ctrl-C goes through.
    """
    try:
        yield
    except KeyboardInterrupt:
        if not stopped:
            raise
        typer.echo(err=True)  # below the ^C
        fail(program, EXIT_INTERRUPTED, stopped)
    except Exception as error:
        for code, kinds in codes.items():
            if isinstance(error, kinds):
                fail(program, code, error)
        raise


def codes_of_a_run() -> dict[int, Errors]:
    """Exit codes of what can go wrong while frames come and events go."""
    from mer_live.engines.errors import BackendError, BundleError
    from mer_live.realtime.sources.config import SourceError

    return {EXIT_SOURCE: SourceError, EXIT_BACKEND: (BundleError, BackendError), EXIT_OTHER: OSError}
