"""``mer-train figures``: pictures of sets, networks and sweeps."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mer_live.training.cli.errors import errors_end, refuse

_KINDS = ("sweep", "motion", "attention", "tsne")


def figures(
    kind: Annotated[
        str,
        typer.Argument(
            help="sweep: UF1 along a setting (--table). motion: motion-attention images (--data). attention: "
            "Grad-CAM of networks (--data, --of). tsne: a map of the clips (--data, --of)."
        ),
    ],
    out: Annotated[Path, typer.Option(help="PNG to write.")],
    data: Annotated[Path | None, typer.Option(help="Prepared set.")] = None,
    of: Annotated[
        list[str] | None,
        typer.Option(
            help="attention: bundles, or folders of evaluate --keep-weights; repeatable. tsne: one of these, an "
            "array of the set, or a feature such as lbp-top. [default: flow3]"
        ),
    ] = None,
    table: Annotated[Path | None, typer.Option(help="table.json of table --vary.")] = None,
    clips: Annotated[int, typer.Option(min=1, help="motion, attention: of each class.")] = 2,
) -> None:
    """Draw one figure."""
    from mer_live.engines.errors import BackendError, BundleError

    if kind not in _KINDS:
        refuse(f"there is no figure {kind!r}: choose {', '.join(_KINDS)}")
    with errors_end(BundleError, BackendError):
        if kind == "sweep":
            from mer_live.training.figures.sweep import draw_sweep

            if table is None:
                raise ValueError("name the table.json of a sweep with --table")
            draw_sweep(table, out)
        else:
            from mer_live.training.prepared.prepared_set import PreparedSet

            if data is None:
                raise ValueError("name a prepared set with --data")
            prepared = PreparedSet.open(data)
            if kind == "motion":
                from mer_live.training.figures.motion import draw_motion

                draw_motion(prepared, out, clips)
            elif kind == "attention":
                from mer_live.training.figures.attention import draw_attention

                if not of:
                    raise ValueError(
                        "name networks with --of: bundles, or folders of evaluate --keep-weights"
                    )
                draw_attention(prepared, of, out, clips)
            else:
                from mer_live.training.figures.embedding import draw_embedding

                draw_embedding(prepared, (of or ["flow3"])[0], out)
    typer.echo(out)
