"""``mer-train pretrain``: first weights from macro-expressions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mer_live.training.cli import options
from mer_live.training.cli.errors import errors_end


def pretrain_command(
    data: Annotated[
        Path,
        typer.Option(
            help="Prepared set of macro-expressions: mer-train prepare of CK+, MMI, JAFFE or any other set, or "
            "mer-train synth-set --kind macro."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for weights.pt and weights.json.")],
    network: Annotated[
        str, typer.Option(help="sa-at (SA-AT's teacher), atnet (with --set variant=spatial), minet, ...")
    ] = "sa-at",
    inputs: options.Arrays = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE of the network, such as depth=110.")
    ] = None,
    training: Annotated[
        list[str] | None, typer.Option("--train", help="KEY=VALUE of the training, such as epochs=12.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides everything.")] = 0,
    device: options.Device = "cpu",
) -> None:
    """Train a network on macro-expressions; scores are those of people held back.

    The weights serve as `--set teacher_weights=OUT` of sa-at, or `--set spatial_weights=OUT` of atnet.
    """
    import json
    import logging
    from dataclasses import replace

    from mer_live.training.learning.compute import compute_on, computing
    from mer_live.training.learning.pretrain import PretrainConfig, pretrain, save
    from mer_live.training.learning.settings import apply_settings, parse_settings
    from mer_live.training.prepared.prepared_set import PreparedSet, parse_inputs

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    with errors_end(ArithmeticError):
        how = replace(apply_settings(PretrainConfig(), parse_settings(training or [])), seed=seed)
        prepared = PreparedSet.open(data, parse_inputs(inputs or []))
        with computing(compute_on(device)):
            made = pretrain(network, parse_settings(settings or []), prepared, how)
        save(made, out)
    typer.echo(json.dumps({k: v for k, v in made.provenance["scores"].items() if k != "subjects"}))
