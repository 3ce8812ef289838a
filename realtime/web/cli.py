"""``mer-web``: the pipeline behind a web page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mer_live.engines.entry import end_at_once
from mer_live.realtime.commands import (
    EXIT_USAGE,
    Backend,
    Bundles,
    Device,
    Faces,
    Precision,
    Sensitivity,
    codes_of_a_run,
    errors_end,
)
from mer_live.realtime.config import BUNDLES

app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def web(
    host: Annotated[
        str, typer.Option(help="Address to listen on; beyond this machine use --cert, --key and --token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0 takes a free one.")] = 8080,
    camera: Annotated[
        str | None, typer.Option(help="Show this camera of the server instead of the visitor's own.")
    ] = None,
    video: Annotated[
        str | None, typer.Option(help="Show this file or URL of the server, over and over.")
    ] = None,
    fps: Annotated[float | None, typer.Option(help="As in mer-live, for --camera and --video.")] = None,
    sessions: Annotated[int, typer.Option(help="Connections at once.")] = 4,
    token: Annotated[
        str | None,
        typer.Option(help="Visitors must know it: http://host:port/#token=...", envvar="MER_WEB_TOKEN"),
    ] = None,
    origin: Annotated[
        list[str] | None, typer.Option(help="Further origin that may connect; repeatable.")
    ] = None,
    cert: Annotated[Path | None, typer.Option(help="TLS certificate chain, PEM.")] = None,
    key: Annotated[Path | None, typer.Option(help="TLS key, PEM.")] = None,
    record: Annotated[
        Path | None,
        typer.Option(
            help="Record the sessions of visitors who agree to it, each in a folder of its own here."
        ),
    ] = None,
    bundle: Bundles = None,
    backend: Backend = "auto",
    device: Device = "auto",
    precision: Precision = "fp32",
    sensitivity: Sensitivity = 0.5,
    faces: Faces = 1,
    idle: Annotated[float, typer.Option(help="End a session after this many seconds without use.")] = 180.0,
    total: Annotated[float, typer.Option(help="End a session after this many seconds.")] = 3600.0,
) -> None:
    """Serve a page that shows micro-expressions, of the visitor's camera or of the server's.

    Nothing is stored and no picture reaches the disk, unless --record is given and the visitor agrees.

    Not a lie detector. Tell people that they are analysed.
    """
    from mer_live.realtime.web import start

    with errors_end("mer-web", {EXIT_USAGE: ValueError}):
        options = start.WebOptions.checked(
            host=host,
            port=port,
            camera=camera,
            video=video,
            fps=fps,
            sessions=sessions,
            token=token,
            origins=tuple(origin or ()),
            cert=cert,
            key=key,
            bundles=tuple(bundle or BUNDLES),
            backend=backend,
            device=device,
            precision=precision,
            sensitivity=sensitivity,
            faces=faces,
            idle_s=idle,
            total_s=total,
            record=record,
        )
    with errors_end("mer-web", codes_of_a_run()):
        start.run(options, lambda line: typer.echo(line, err=True))


def main() -> None:
    """Entry point of the ``mer-web`` command."""
    end_at_once()
    app()


if __name__ == "__main__":
    main()
