"""``mer-train export``: a prepared set and a method in, a bundle that ``mer-live`` runs out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from mer_live.training.cli import options
from mer_live.training.cli.errors import errors_end

_EVERY_S = 2.0


def export_command(
    data: options.Prepared,
    method: Annotated[str, typer.Option(help="madtn, atnet, ststnet, ... ; a network.")],
    out: Annotated[Path, typer.Option(help="Folder of the bundle; one that is there is replaced.")],
    licence: Annotated[str, typer.Option(help="Of the weights, such as CC-BY-4.0: the card carries it.")],
    attribution: Annotated[str, typer.Option(help="Whom to name, of the databases as well.")],
    name: Annotated[str, typer.Option(help="Of the bundle, as events carry it; the method's if empty.")] = "",
    version: Annotated[str, typer.Option(help="Of the bundle.")] = "0.1.0",
    inputs: options.Arrays = None,
    settings: options.Settings = None,
    epochs: options.Epochs = None,
    seed: Annotated[int, typer.Option(help="Decides every random choice.")] = 0,
    scores: Annotated[
        Path | None, typer.Option(help="Report of mer-train evaluate --json, same settings and clips.")
    ] = None,
    protocol: Annotated[
        str | None, typer.Option(help="Train on the clips of cde, cdmer1, ... [default: every row]")
    ] = None,
    database: options.Database = None,
    partial: options.Partial = False,
    train_split: Annotated[
        bool, typer.Option("--train-split", help="Train only on rows whose column split is train.")
    ] = False,
    target: Annotated[
        Path | None, typer.Option(help="Prepared set whose clips, without labels, MADTN adapts to.")
    ] = None,
    device: options.Device = "cpu",
    representation: Annotated[
        list[str] | None,
        typer.Option(
            help="[ARRAY=]NAME[:PARAMETER=VALUE]...: how an array was made, where no prepare.json says."
        ),
    ] = None,
) -> None:
    """Train on all clips, check ONNX against torch on real ones, write the bundle and its card."""
    from mer_live.training.export.plan import ExportRequest
    from mer_live.training.export.run import export
    from mer_live.training.learning.compute import compute_on, computing
    from mer_live.training.learning.settings import parse_settings
    from mer_live.training.prepare.config import parse_representations
    from mer_live.training.prepared.prepared_set import parse_inputs

    with errors_end(RuntimeError, stopped="nothing was written"):
        chosen: dict[str, Any] = dict(parse_settings(settings or []))
        if epochs is not None:
            chosen["epochs"] = epochs
        request = ExportRequest(
            data, method, out, licence, attribution, name, version, parse_inputs(inputs or []), chosen, seed,
            protocol, database, partial, train_split, parse_representations(",".join(representation or [])),
            scores, target,
        )  # fmt: skip
        try:
            with computing(compute_on(device)):
                bundle = export(request, _progress())
        except ImportError as error:
            raise ImportError(f"{error}: pip install 'mer-live[train]'") from error
    card, size = bundle.card, bundle.onnx_path.stat().st_size / 1e3
    typer.echo(f"{bundle.path / 'card.json'}")
    typer.echo(f"{card.name} {card.version}, {size:,.0f} kB, sha256 {card.sha256}")
    typer.echo(card.data)
    folder = out if len(out.parts) > 1 else f"./{out}"  # a bare name could be a shipped bundle's
    typer.echo(f"run it: mer-live --video FILE --bundle {folder}")


def _progress() -> Any:
    begin = last = 0.0

    def show(epoch: int, epochs: int, loss: float) -> None:
        nonlocal begin, last
        now = time.monotonic()
        if epoch == 1:  # of this network; some methods train several
            begin = now
        elif now - last < _EVERY_S and epoch < epochs:
            return
        last = now
        left = f", {(now - begin) / (epoch - 1) * (epochs - epoch):.0f} s left" if epoch > 1 else ""
        typer.echo(f"[epoch {epoch}/{epochs}] loss {loss:.3f}{left}", err=True)

    return show
