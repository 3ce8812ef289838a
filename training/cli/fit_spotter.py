"""``mer-train fit-spotter``: the spotter's coefficients from people who talk and from animated faces."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mer_live.training.cli import options
from mer_live.training.cli.errors import errors_end


def fit_spotter(
    faces: Annotated[Path, typer.Option(help="Folder of NAME_neutral.jpg; only training people are used.")],
    talking: Annotated[Path, typer.Option(help="Folder with a folder of clips for each talker.")],
    clips: Annotated[Path, typer.Option(help="Folder of clips of one more person, at a webcam.")],
    out: Annotated[Path, typer.Option(help="Folder for spotter.json and held_out.json.")],
    seed: int = 0,
    cache: Annotated[
        Path, typer.Option(help="Folder for what has been looked at, so that a stopped fit goes on.")
    ] = Path("out/fit-spotter"),
    jobs: options.Jobs = None,
) -> None:
    """Fit the spotter: with everybody, and once without each talker (half an hour on two cores)."""
    from mer_live.training.spotter.fit import fit_all
    from mer_live.training.spotter.material import Folders

    with errors_end(stopped=f"what is done is in {cache}: repeat to go on"):
        folders = Folders(faces, talking, clips, cache)
        for path in fit_all(folders, out, seed, jobs or len(os.sched_getaffinity(0))):
            typer.echo(path)
