"""``mer-train fit-spotter``: the spotter's coefficients, from talkers and animated faces, or from a database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mer_live.realtime import commands
from mer_live.training.cli import options
from mer_live.training.cli.errors import errors_end, refuse


def fit_spotter(
    out: Annotated[Path, typer.Option(help="Folder for spotter.json and held_out.json.")],
    faces: Annotated[
        Path | None, typer.Option(help="Folder of NAME_neutral.jpg; only training people are used.")
    ] = None,
    talking: Annotated[
        Path | None, typer.Option(help="Folder with a folder of clips for each talker.")
    ] = None,
    clips: Annotated[
        Path | None, typer.Option(help="Folder of clips of one more person, at a webcam.")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="casme-sq, samm-lv or casme3: learn the judges of candidates from its long videos instead, with "
            "everybody, and once without each person."
        ),
    ] = None,
    root: Annotated[Path | None, typer.Option(help="Where that database was unpacked.")] = None,
    seed: int = 0,
    cache: Annotated[
        Path, typer.Option(help="Folder for what has been looked at, so that a stopped fit goes on.")
    ] = Path("out/fit-spotter"),
    jobs: options.Jobs = None,
) -> None:
    """Fit the spotter: with everybody, and once without each talker (half an hour on two cores).

    Exit status: 0 done, 2 usage, 3 the data cannot be read.
    """
    from mer_live.engines.executors import usable_cores
    from mer_live.realtime.face.landmarks import LandmarkerError
    from mer_live.training.datasets import read_dataset
    from mer_live.training.datasets.frames import FrameError
    from mer_live.training.datasets.identity import canonical_dataset
    from mer_live.training.datasets.sample import DatasetError

    count = jobs or usable_cores()
    stopped = f"what is done is in {cache}: repeat to go on"
    if dataset is not None:
        if root is None or faces or talking or clips:
            refuse("--dataset goes with --root, and without --faces, --talking and --clips")
        name = canonical_dataset(dataset)
        if name not in options.LONG:
            refuse(f"--dataset {dataset!r} has no long videos: choose {', '.join(options.LONG)}")
        from mer_live.training.spotter.owned import fit_owned

        codes: dict[int, commands.Errors] = {
            commands.EXIT_SOURCE: (DatasetError, FrameError, LandmarkerError, OSError)
        }
        with errors_end(stopped=stopped), commands.errors_end("mer-train", codes, ""):
            reading = read_dataset(name, root)
            for path in fit_owned(
                reading, out, cache, count, lambda key: typer.echo(f"watched {key}", err=True)
            ):
                typer.echo(path)
        return
    if faces is None or talking is None or clips is None:
        refuse("name --faces, --talking and --clips, or a database with --dataset and --root")
    from mer_live.training.spotter.fit import fit_all
    from mer_live.training.spotter.material import Folders

    with errors_end(stopped=stopped):
        folders = Folders(faces, talking, clips, cache)
        for path in fit_all(folders, out, seed, count):
            typer.echo(path)
