"""``mer-train zero-shot``: trained on rendered clips alone, tested on a whole prepared set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mer_live.training.cli import options
from mer_live.training.cli.errors import errors_end


def zero_shot_command(
    data: Annotated[
        Path, typer.Option(help="Prepared set of real clips: all are tested on, none trained on.")
    ],
    synthetic: Annotated[Path, typer.Option(help="Prepared set of mer-train synth-set: trained on.")],
    method: options.MethodName,
    protocol: Annotated[
        str, typer.Option(help="Clips and labels of cde, hde or loso; all: every clip of the set.")
    ] = "all",
    inputs: options.Arrays = None,
    seeds: options.Seeds = "0",
    settings: options.Settings = None,
    database: options.Database = None,
    partial: options.Partial = False,
    device: options.Device = "cpu",
    checkpoint: options.Checkpoint = 10,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the finished model's report; out/... if not given.")
    ] = None,
) -> None:
    """Train on rendered clips alone and score every real one: the number by which the renderer is judged."""
    from mer_live.engines.files import write_json
    from mer_live.training.cli.evaluate import summary
    from mer_live.training.evaluation.evaluate import EvaluationRequest, evaluate
    from mer_live.training.evaluation.material import FoldError
    from mer_live.training.learning.compute import compute_on
    from mer_live.training.learning.settings import parse_settings
    from mer_live.training.prepared.prepared_set import parse_inputs

    target = out or Path("out") / "zero-shot" / f"{method}-{protocol}"
    with errors_end(FoldError, stopped="repeat the command"):
        request = EvaluationRequest(
            data, protocol, method, parse_inputs(inputs or []), parse_settings(settings or []),
            options.parse_seeds(seeds), partial, database, compute=compute_on(device, every=checkpoint),
            synthetic=synthetic,
        )  # fmt: skip
        report = evaluate(request, out=target)
    write_json(target / "report.json", report)
    for line in summary(report):
        typer.echo(line)
    typer.echo(target / "report.json", err=True)
