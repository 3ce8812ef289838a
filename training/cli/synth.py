"""``mer-train synth``, ``synth-set``, ``synth-fields``, ``demo-clip``: animated faces with exact truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mer_live.training.cli import options
from mer_live.training.cli.errors import errors_end, refuse


def synth(
    faces: options.Faces,
    out: Annotated[Path, typer.Option(help="Folder to write; made if missing.")],
    count: Annotated[int, typer.Option(min=1, help="Clips (or videos) to make.")] = 10,
    fps: Annotated[
        float | None, typer.Option(help="Frames per second; drawn from 25..200 if not given.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same clips.")] = 0,
    split: options.Split = "all",
    video: Annotated[
        bool, typer.Option("--video", help="Whole videos with many events instead of cut clips.")
    ] = False,
    seconds: Annotated[float, typer.Option(min=1, help="Length of each video.")] = 10.0,
    size: Annotated[str, typer.Option(help="WIDTHxHEIGHT of the videos.")] = "640x480",
    crf: Annotated[int, typer.Option(min=0, max=51, help="h264 quality, lower is better.")] = 18,
) -> None:
    """Render micro-expressions with exact onset, apex, offset, class and strength."""
    from mer_live.training.synthesis import batch

    try:
        width, _, height = size.partition("x")
        request = batch.Request(
            faces, out, count, fps, seed, split, video, seconds, (int(width), int(height)), crf
        )
    except ValueError:
        refuse(f"--size must be WIDTHxHEIGHT, for example 640x480, got {size!r}")
    with errors_end():
        for path in batch.run(request):
            typer.echo(path)


def synth_set(
    faces: options.Faces,
    out: Annotated[Path, typer.Option(help="Folder of the prepared set.")],
    kind: Annotated[
        str, typer.Option(help="micro or macro: macro-expressions are longer and larger.")
    ] = "micro",
    clips: Annotated[int, typer.Option(min=1, help="People and classes take turns.")] = 480,
    split: options.Split = "all",
    representations: Annotated[
        str, typer.Option(help="As of mer-train prepare.")
    ] = "motion,apex,adm,flow3,frames:size=112",
    fps: Annotated[float | None, typer.Option(help="Drawn from 25..200 if not given, macro 30.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same clips.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
) -> None:
    """Render people as a prepared set, which mer-train evaluate and a method's macro setting take."""
    from mer_live.training.prepare.config import parse_representations
    from mer_live.training.synthesis.prepared_set import SynthSet, render_set

    if kind not in ("micro", "macro"):
        refuse(f"--kind must be micro or macro, got {kind!r}")
    with errors_end():
        specs = parse_representations(representations)
        request = SynthSet(faces, split, kind, clips, specs, fps, seed)  # type: ignore[arg-type]

        def progress(done: int, total: int) -> None:
            typer.echo(f"[{done}/{total}] clips rendered", err=True)

        typer.echo(render_set(request, out, jobs, progress))


def synth_fields(
    faces: options.Faces,
    out: Annotated[Path, typer.Option(help="PNG to write.")],
    split: options.Split = "train",
    draws: Annotated[int, typer.Option(min=1, help="Movements of each class.")] = 480,
    seed: Annotated[int, typer.Option(help="The same seed gives the same picture.")] = 0,
) -> None:
    """Picture the mean displacement of each class, to hold beside mean flow of real clips."""
    from mer_live.training.synthesis.batch import subjects
    from mer_live.training.synthesis.faces.face_model import load_photo
    from mer_live.training.synthesis.fields import draw_fields

    with errors_end():
        photos = [load_photo(faces, subject) for subject in subjects(faces, split)]
        typer.echo(draw_fields(photos, out, draws, seed))


def demo_clip(
    out: Annotated[Path, typer.Option(help="Folder for demo.mp4 and demo.json.")],
) -> None:
    """Render a demo clip from a public-domain portrait; the one shipped shows the movements of the first renderer."""
    from mer_live.training.synthesis import demo

    with errors_end():
        typer.echo(demo.make(out))
