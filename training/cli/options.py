"""What several commands of mer-train share on their command lines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

LONG = ("casme-sq", "samm-lv", "casme3")
"""Databases with long videos."""
Faces = Annotated[Path, typer.Option(help="Folder of NAME_neutral.jpg photographs.")]
Split = Annotated[str, typer.Option(help="train, val, test or all: which people.")]
Prepared = Annotated[Path, typer.Option(help="Prepared set: a folder with index.csv and .npy arrays.")]
MethodName = Annotated[str, typer.Option("--method", help="madtn, atnet, ststnet, svm, ...")]
Arrays = Annotated[
    list[str] | None,
    typer.Option("--input", help="NAME=ARRAY: what the method calls NAME is read from ARRAY.npy."),
]
Settings = Annotated[list[str] | None, typer.Option("--set", help="KEY=VALUE of the method's configuration.")]
Epochs = Annotated[int | None, typer.Option(min=1, help="Short for --set epochs=N.")]
Seeds = Annotated[str, typer.Option(help="Comma-separated; every seed is a whole run.")]
Database = Annotated[str | None, typer.Option(help="loso, holdout: this database's clips only.")]
Partial = Annotated[
    bool, typer.Option("--partial", help="Go on although the clips are not the published list.")
]
TestFraction = Annotated[float, typer.Option(help="holdout: share of the clips to test on.")]
Jobs = Annotated[int | None, typer.Option(min=1, help="Processes; all processors if not given.")]
JobsOrCpus = Annotated[
    int | None,
    typer.Option(min=1, help="Processes, or CPUs of a Ray cluster started here; all if not given."),
]
ExecutorName = Annotated[str, typer.Option("--executor", help="local or ray.")]
Address = Annotated[str | None, typer.Option(help="Of a Ray cluster, such as 10.0.0.1:6379.")]
Device = Annotated[
    str, typer.Option(help="cpu, cuda or cuda:N. On a GPU products are in bfloat16, weights in float32.")
]
Checkpoint = Annotated[
    int,
    typer.Option(
        min=1, help="Epochs between two states of an unfinished fold on disk: --resume goes on there."
    ),
]


def parse_seeds(text: str) -> tuple[int, ...]:
    """``"0,1,2"`` as numbers; ValueError where one is none."""
    return tuple(int(part) for part in text.split(",") if part.strip())
