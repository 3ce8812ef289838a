"""``mer-train spot-evaluate``: the live spotter on whole recordings of a database."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mer_live.realtime import commands
from mer_live.training.cli import options
from mer_live.training.cli.errors import errors_end, refuse


def spot_evaluate_command(
    dataset: Annotated[str, typer.Option(help="casme-sq, samm-lv or casme3.")],
    root: Annotated[Path, typer.Option(help="Where the database was unpacked.")],
    out: Annotated[
        Path,
        typer.Option(help="Folder for scores.json and finished videos; the same command goes on with them."),
    ],
    bundles: commands.Bundles = None,
    spotting_only: Annotated[
        bool, typer.Option("--spotting-only", help="Name nothing: no engine runs.")
    ] = False,
    coefficients: Annotated[
        Path | None,
        typer.Option(
            help="held_out.json of fit-spotter --dataset: each person is watched with what the others taught; or a "
            "spotter.json for all. [default: those that ship]"
        ),
    ] = None,
    macro: commands.Macro = False,
    sensitivity: commands.Sensitivity = 0.5,
    backend: commands.Backend = "auto",
    jobs: options.Jobs = None,
) -> None:
    """Score the spotter and the bundles that run live as the grand challenges do: F1 at IoU .5, and STRS.

    Exit status: 0 done, 2 usage, 3 the data cannot be read, 4 bundle or backend.
    """
    from mer_live.engines.errors import BundleError
    from mer_live.engines.executors import ExecutorError, LocalExecutor, usable_cores
    from mer_live.engines.files import write_json
    from mer_live.realtime.config import BUNDLES
    from mer_live.realtime.face.landmarks import LandmarkerError
    from mer_live.training.datasets import read_dataset
    from mer_live.training.datasets.frames import FrameError
    from mer_live.training.datasets.identity import canonical_dataset
    from mer_live.training.datasets.sample import DatasetError
    from mer_live.training.evaluation.spotting.videos import SpotSettings, spot_evaluate

    name = canonical_dataset(dataset)
    if name not in options.LONG:
        refuse(f"--dataset {dataset!r} has no long videos: choose {', '.join(options.LONG)}")
    if spotting_only and bundles:
        refuse("--spotting-only names nothing: leave --bundle away")
    chosen = () if spotting_only else tuple(bundles or BUNDLES)
    codes: dict[int, commands.Errors] = {
        commands.EXIT_SOURCE: (DatasetError, FrameError, LandmarkerError, OSError),
        commands.EXIT_BACKEND: BundleError,
    }
    with (
        errors_end(ExecutorError, stopped=f"the finished videos are in {out}: repeat the command to go on"),
        commands.errors_end("mer-train", codes, ""),
    ):
        result = spot_evaluate(
            read_dataset(name, root),
            SpotSettings(
                chosen, sensitivity, backend, "" if coefficients is None else str(coefficients), macro
            ),
            out,
            LocalExecutor(jobs or usable_cores()),
            lambda done, total, key: typer.echo(f"[{done}/{total}] {key}", err=True),
        )
        write_json(out / "scores.json", result)
    for line in _lines(result):
        typer.echo(line)
    typer.echo(out / "scores.json", err=True)


def _lines(result: dict[str, Any]) -> list[str]:
    lines = [
        f"{result['dataset']}: {result['videos']} videos, {result['subjects']} people, {result['minutes']:.1f} min"
    ]
    for kind, found in result["spotting"].items():
        if found is None:
            lines.append(f"{kind}: not looked for (--macro)")
            continue
        share = " ".join(f"{name} {_figure(found[name])}" for name in ("precision", "recall", "f1"))
        lines.append(f"{kind}: {found['n']} annotated, {found['tp']} found, {found['fp']} false: {share}")
    named = result["recognition"]
    if named is None:
        lines.append("recognition: nothing that was found has a class of its own and a named one")
    else:
        lines.append(f"recognition of {named['n']} found: F1 {named['f1']:.3f} UF1 {named['uf1']:.3f}")
    lines.append(f"STRS {_figure(result['strs'])}")
    rate = _figure(result["false_alarms_per_minute"])
    lines.append(
        f"false alarms a minute {rate}, {result['false_alarms_on_macro']} of them on macro-expressions"
    )
    for state, spread in result["delay_ms"].items():
        if spread["n"]:
            lines.append(
                f"{state} after {spread['p50']:.0f} ms (median of {spread['n']}, p95 {spread['p95']:.0f})"
            )
    return lines


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
