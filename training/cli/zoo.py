"""``mer-train zoo``: makes the bundles that ship."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mer_live.training.cli.errors import errors_end
from mer_live.training.cli.options import Device


def zoo(
    faces: Annotated[
        Path,
        typer.Option(
            envvar="MER_FACES", help="Folder of NAME_neutral.jpg: the Face Research Lab London Set."
        ),
    ],
    work: Annotated[Path, typer.Option(help="Folder for the rendered clips; reused if they fit.")] = Path(
        "out/zoo"
    ),
    out: Annotated[Path, typer.Option(help="Where the bundles go.")] = Path("engines/zoo"),
    clips: Annotated[int | None, typer.Option(min=100, help="Training clips.")] = None,
    held: Annotated[int | None, typer.Option(min=30, help="Clips of held-out people for the scores.")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides everything.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(help="madtn, atnet, sa-at or mtm; repeatable. [default: all]")
    ] = None,
    spatial_weights: Annotated[
        str | None, typer.Option(help="Folder of mer-train pretrain: ATNet's spatial stream begins with it.")
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=1, help="Processes: clips rendered, networks trained at once; one on a GPU.")
    ] = 2,
    device: Device = "cpu",
    score: Annotated[
        bool, typer.Option("--score", help="Train nothing; score the bundles that --out holds.")
    ] = False,
) -> None:
    """Render clips of the training people, train the networks, score them on others, write bundles."""
    import json
    import logging
    from dataclasses import replace

    from mer_live.engines.errors import BundleError
    from mer_live.engines.executors import ExecutorError
    from mer_live.training.export.bundle import ExportError
    from mer_live.training.learning.compute import compute_on, computing
    from mer_live.training.zoo.make import LOG_FORMAT, make_zoo
    from mer_live.training.zoo.recipes import RECIPES, ZooConfig
    from mer_live.training.zoo.score import score_zoo

    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, datefmt="%H:%M:%S")
    given: dict[str, Any] = {
        "clips": clips,
        "held_clips": held,
        "seed": seed,
        "spatial_weights": spatial_weights,
    }
    config = replace(ZooConfig(jobs=jobs), **{k: v for k, v in given.items() if v is not None})
    with errors_end(
        BundleError,
        ExportError,
        ExecutorError,
        stopped=f"the clips rendered so far are in {work}: repeat to go on",
    ):
        compute = compute_on(device)
        if compute.cuda:  # the networks of one GPU are trained here, one after the other
            config = replace(config, jobs=1)
        with computing(compute):
            results = (score_zoo if score else make_zoo)(faces, work, out, config, only or tuple(RECIPES))
    typer.echo(json.dumps(results, indent=1))
