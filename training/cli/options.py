"""What several commands of mer-train share on their command lines."""

from __future__ import annotations

from typing import Annotated

import typer

Device = Annotated[
    str, typer.Option(help="cpu, cuda or cuda:N. On a GPU products are in bfloat16, weights in float32.")
]
Checkpoint = Annotated[
    int,
    typer.Option(
        min=1, help="Epochs between two states of an unfinished fold on disk: --resume goes on there."
    ),
]
