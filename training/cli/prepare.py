"""``mer-train prepare``: from a database on disk to a prepared set."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from mer_live.realtime import commands
from mer_live.training.cli.errors import errors_end, refuse
from mer_live.training.cli.options import Jobs


def prepare_command(
    dataset: Annotated[
        list[str],
        typer.Option(
            help="smic-hs, smic-vis, smic-nir, casme, casme2, casme3, dfme, samm, mmew, 4dme, casme-sq, samm-lv, ck+, "
            "mmi, jaffe, oulu-casia, mug, bu-3dfe, or a name of your own for CLASS/SUBJECT/CLIP folders or a CSV. "
            "May be given several times."
        ),
    ],
    root: Annotated[
        list[Path], typer.Option(help="Where it was unpacked; once for each --dataset, or once for all.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the prepared set; made if missing.")],
    representations: Annotated[
        str | None,
        typer.Option(
            help="[ARRAY=]NAME[:PARAMETER=VALUE]..., separated by commas; motion, apex, adm, flow3, frames. "
            "[default: motion,apex,adm,flow3]"
        ),
    ] = None,
    as_published: Annotated[
        str | None,
        typer.Option(
            help="madtn, atnet, sa-at, mtm or ststnet: the arrays, the apex and the copies as its paper has them."
        ),
    ] = None,
    variant: Annotated[
        str,
        typer.Option(help="annotated: the sheet's frames; deployable: what our spotter finds; or both."),
    ] = "annotated",
    sample_list: Annotated[
        Path | None, typer.Option("--list", help="Keep the clips of MEGC 2019's combined_3class_gt.csv.")
    ] = None,
    classes: Annotated[
        str,
        typer.Option(
            help="cde, cdmer, or all: negative, positive, surprise of the protocols, or of either. Or 4, 5, 7 of a "
            "database, or names, such as happiness,disgust,other: an emotion each."
        ),
    ] = "all",
    revision: Annotated[str, typer.Option(help="Sheet of CASME II: 2014 or 2019.")] = "2014",
    frames: Annotated[
        str, typer.Option(help="Frames of CASME II: raw, cropped, or any (raw first).")
    ] = "any",
    fps: Annotated[
        float, typer.Option(min=0, help="Rate of image folders without a reader of their own.")
    ] = 0.0,
    missing_apex: Annotated[
        str, typer.Option(help="Where no apex is annotated: middle (temporal) or search (LBP).")
    ] = "middle",
    apex: Annotated[
        str, typer.Option(help="annotated, or search: by LBP in every clip, also where one is annotated.")
    ] = "annotated",
    copies: Annotated[
        float, typer.Option(help="Share of a clip whose frames make further motion images; 0 for none.")
    ] = 0.2,
    sensitivity: Annotated[float, typer.Option(help="Of the spotter, deployable only, 0 to 1.")] = 0.5,
    jobs: Jobs = None,
    restart: Annotated[bool, typer.Option("--restart", help="Forget what an earlier run left.")] = False,
) -> None:
    """Crop faces as the live path does and write the arrays that methods train on.

    Exit status: 0 done, 1 the folder cannot be written, 2 usage, 3 the data cannot be read. A stopped run goes on
    when started again.
    """
    from mer_live.engines.executors import usable_cores
    from mer_live.realtime.face.landmarks import LandmarkerError
    from mer_live.training.datasets.identity import canonical_dataset
    from mer_live.training.datasets.sample import DatasetError
    from mer_live.training.datasets.schemes import classes_named, relabelled
    from mer_live.training.prepare.config import VARIANTS, PrepareConfig, parse_representations
    from mer_live.training.prepare.papers import RECIPES
    from mer_live.training.prepare.run import UnwritableError
    from mer_live.training.prepared.prepared_set import DEPLOYABLE

    for name, value, allowed in (
        ("variant", variant, (*VARIANTS, "both")),
        ("apex", apex, ("annotated", "search")),
        ("revision", revision, ("2014", "2019")),
        ("frames", frames, ("raw", "cropped", "any")),
    ):
        if value not in allowed:
            refuse(f"--{name} {value!r} is unknown: choose {', '.join(allowed)}")
    protocol = classes in ("cde", "cdmer", "all")
    if sample_list is not None and not protocol:
        refuse("--list has classes of its own, MEGC 2019's three: leave --classes away")
    if len(root) not in (1, len(dataset)):
        refuse(f"{len(dataset)} --dataset and {len(root)} --root: give one root, or one for each")
    recipe = None
    if as_published is not None:
        recipe = RECIPES.get(as_published)
        if recipe is None:
            refuse(f"--as-published {as_published!r} is unknown: choose {', '.join(RECIPES)}")
        if representations is not None or variant != "annotated":
            refuse("--as-published decides the arrays and frames: leave --representations and --variant away")
    with errors_end():
        own = None if protocol else classes_named(classes, [canonical_dataset(name) for name in dataset])
        specs = parse_representations(representations or "motion,apex,adm,flow3")
        wanted = VARIANTS if variant == "both" else (cast(Any, variant),)
        configs = [
            PrepareConfig(specs, one, cast(Any, missing_apex), cast(Any, apex), copies, sensitivity)
            for one in wanted
        ]
    if recipe is not None:
        configs = [recipe.config]
        for deviation in recipe.deviations:
            typer.echo(f"not as published: {deviation}")
    roots = root * len(dataset) if len(root) == 1 else root
    codes: dict[int, commands.Errors] = {commands.EXIT_OTHER: UnwritableError}
    codes |= {commands.EXIT_SOURCE: (DatasetError, LandmarkerError, OSError)}
    stopped = "stopped; the same command goes on where it was"
    with commands.errors_end("mer-train", codes, stopped):
        reading = _read(dataset, roots, sample_list, "all" if own else classes, revision, frames, fps)
        if own:
            reading = relabelled(reading, own)
        for note in reading.notes:
            typer.echo(f"note: {note}")
        for config in configs:
            beside = out / DEPLOYABLE if config.variant == "deployable" else out
            _prepare_and_tell(reading, beside, config, jobs or usable_cores(), restart)


def _read(
    names: list[str],
    roots: list[Path],
    listing: Path | None,
    scheme: str,
    revision: str,
    frames: str,
    fps: float,
) -> Any:
    from mer_live.training.datasets import read_dataset
    from mer_live.training.datasets.databases.megc2019 import apply_list, read_list
    from mer_live.training.datasets.sample import merge

    entries = None if listing is None else read_list(listing)
    options: dict[str, Any] = {"scheme": scheme, "revision": revision, "frames": frames, "fps": fps}
    readings = [read_dataset(name, place, **options) for name, place in zip(names, roots, strict=True)]
    return merge(readings) if entries is None else apply_list(merge(readings), entries)


def _prepare_and_tell(reading: Any, out: Path, config: Any, jobs: int, restart: bool) -> None:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from mer_live.training.prepare.run import prepare

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True, disable=not sys.stdout.isatty()) as bar:
        task = bar.add_task(config.variant, total=None)

        def tell(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        outcome = prepare(reading, out, config, jobs=jobs, restart=restart, progress=tell)
    for entry in outcome.skipped:
        typer.echo(f"skipped: {entry.name}: {entry.reason}")
    for name, counts in outcome.counts.items():
        numbers = ", ".join(f"{counts[what]} {what}" for what in ("clips", "subjects", *reading.classes))
        typer.echo(f"{name}: {numbers}")
    if outcome.without_class:
        typer.echo(f"{outcome.without_class} clips have an emotion that is none of the classes")
    sources = ", ".join(f"{count} {source}" for source, count in outcome.found.items())
    typer.echo(f"frames: {sources}")
    done = "written" if outcome.fresh else "already there"
    typer.echo(f"{config.variant} set {done}: {outcome.path} (sample list {outcome.hash[:12]})")
