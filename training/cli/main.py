"""``mer-train``: every command of the training package, each loaded only when it runs."""

from __future__ import annotations

import typer

from mer_live.engines.command_help import Commands
from mer_live.training.cli import (
    cdmer_synth,
    evaluate,
    export,
    figures,
    fit_spotter,
    prepare,
    pretrain,
    spot_evaluate,
    synth,
    table,
    zero_shot,
    zoo,
)

app = typer.Typer(
    cls=Commands,
    name="mer-train",
    help="Make, prepare, train, evaluate and export.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

app.command("synth")(synth.synth)
app.command("synth-set")(synth.synth_set)
app.command("synth-fields")(synth.synth_fields)
app.command("demo-clip")(synth.demo_clip)
app.command("zoo")(zoo.zoo)
app.command("prepare")(prepare.prepare_command)
app.command("pretrain")(pretrain.pretrain_command)
app.command("evaluate")(evaluate.evaluate_command)
app.command("zero-shot")(zero_shot.zero_shot_command)
app.command("export")(export.export_command)
app.command("table")(table.table)
app.command("figures")(figures.figures)
app.command("fit-spotter")(fit_spotter.fit_spotter)
app.command("spot-evaluate")(spot_evaluate.spot_evaluate_command)
app.command("cdmer-synth")(cdmer_synth.cdmer_synth)


def main() -> None:
    """Entry point of ``mer-train``."""
    app()


if __name__ == "__main__":
    main()
