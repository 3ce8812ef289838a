"""``mer-train zero-shot``: trained on rendered clips alone, tested on a whole prepared set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mer_live.training.cli.errors import errors_end
from mer_live.training.cli.options import Checkpoint, Device


def zero_shot_command(
    data: Annotated[
        Path, typer.Option(help="Prepared set of real clips: all are tested on, none trained on.")
    ],
    synthetic: Annotated[Path, typer.Option(help="Prepared set of mer-train synth-set: trained on.")],
    method: Annotated[str, typer.Option(help="madtn, atnet, ststnet, svm, ...")],
    protocol: Annotated[
        str, typer.Option(help="Clips and labels of cde, hde or loso; all: every clip of the set.")
    ] = "all",
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", help="NAME=ARRAY: what the method calls NAME is read from ARRAY.npy."),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Comma-separated; every seed is a whole run.")] = "0",
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE of the method's configuration.")
    ] = None,
    database: Annotated[str | None, typer.Option(help="loso: this database's clips only.")] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Go on although the clips are not the published list.")
    ] = False,
    device: Device = "cpu",
    checkpoint: Checkpoint = 10,
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
        numbers = tuple(int(part) for part in seeds.split(",") if part.strip())
        request = EvaluationRequest(
            data, protocol, method, parse_inputs(inputs or []), parse_settings(settings or []), numbers, partial,
            database, compute=compute_on(device, every=checkpoint), synthetic=synthetic,
        )  # fmt: skip
        report = evaluate(request, out=target)
    write_json(target / "report.json", report)
    for line in summary(report):
        typer.echo(line)
    typer.echo(target / "report.json", err=True)
