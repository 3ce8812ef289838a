"""``mer-train``: every command of the training package, each loaded only when it runs."""

from __future__ import annotations

import typer

from mer_live.training import (
    cdmer_synth_cli,
    evaluate_cli,
    export_cli,
    prepare_cli,
    pretrain_cli,
    synth_cli,
    table_cli,
    zoo_cli,
)

app = typer.Typer(
    name="mer-train",
    help="Make, prepare, train, evaluate and export.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command("synth")(synth_cli.synth)
app.command("synth-set")(synth_cli.synth_set)
app.command("demo-clip")(synth_cli.demo_clip)
app.command("zoo")(zoo_cli.zoo)
app.command("prepare")(prepare_cli.prepare_command)
app.command("pretrain")(pretrain_cli.pretrain_command)
app.command("evaluate")(evaluate_cli.evaluate_command)
app.command("export")(export_cli.export_command)
app.command("table")(table_cli.table)
app.command("cdmer-synth")(cdmer_synth_cli.cdmer_synth)


def main() -> None:
    """Entry point of ``mer-train``."""
    app()


if __name__ == "__main__":
    main()
