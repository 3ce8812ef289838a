"""``mer-live review``: opens a recorded session for a coder, on this machine alone."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import Annotated

import typer

from mer_live.realtime.commands import EXIT_OTHER, EXIT_SOURCE, EXIT_USAGE, errors_end
from mer_live.realtime.session.read import SessionError, read_session
from mer_live.realtime.session.review.coder import CodingError
from mer_live.realtime.session.review.server import serve


def command(
    folder: Annotated[Path, typer.Argument(help="A session that --record made.")],
    coder: Annotated[str, typer.Option(help="Your name, where several people code: coder-NAME.jsonl.")] = "",
    port: Annotated[int, typer.Option(help="Of the page; 0 takes a free one.", min=0, max=65535)] = 0,
) -> None:
    """Look at a recorded session's events in the browser, and decide; Ctrl-C ends."""
    with (
        errors_end("mer-live", {EXIT_SOURCE: SessionError, EXIT_USAGE: CodingError, EXIT_OTHER: OSError}),
        contextlib.suppress(KeyboardInterrupt),
    ):
        asyncio.run(serve(read_session(folder), coder, port, _tell))


def _tell(address: str) -> None:
    typer.echo(f"Open {address}", err=True)
