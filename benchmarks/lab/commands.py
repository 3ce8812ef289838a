"""``mer-bench archive|record|readers|minute|rest``: what a lab asks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mer_live.benchmarks.measure import Json, end_with, measure


def archive(
    recordings: Annotated[int, typer.Option(help="How many, of 1.5 s each.", min=5)] = 200,
    json: Json = None,
) -> None:
    """Short recordings through mer-live batch: 1 and 2 workers, and with two workers killed."""
    with end_with(1, RuntimeError):
        measure("archive", json, count=recordings)


def record(
    seconds: Annotated[float, typer.Option(help="Of each recording.", min=1)] = 60.0,
    camera: Annotated[
        list[str] | None, typer.Option(help="CODEC@FPS, such as ffv1@60; repeatable. [default: all at 200]")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Keep the sessions here; those that are there are only read.")
    ] = None,
    replay: Annotated[bool, typer.Option(help="Analyse each session again and compare.")] = True,
    json: Json = None,
) -> None:
    """A paced camera recorded with each codec: frames lost, and whether a replay says the same."""
    chosen = {"cameras": tuple(camera)} if camera else {}
    with end_with(1, RuntimeError), end_with(2, ValueError):
        measure("lab.record", json, seconds=seconds, out=out, replay=replay, **chosen)


def rest(
    talking: Annotated[
        Path, typer.Option(help="Folder with a folder of clips for each talker.", envvar="MER_BENCH_TALKING")
    ],
    clips: Annotated[
        Path, typer.Option(help="Folder of clips of one person at a webcam.", envvar="MER_BENCH_CLIPS")
    ],
    cache: Annotated[Path | None, typer.Option(help="As for spotting.")] = None,
    json: Json = None,
) -> None:
    """What a baseline does to false alarms and to recall on people who talk."""
    with end_with(2, ValueError):
        measure("lab.rest", json, talking=talking, clips=clips, cache=cache)


def readers(
    minutes: Annotated[float, typer.Option(help="Of footage.", min=0.1)] = 60.0,
    speed: Annotated[float, typer.Option(help="How much faster its events come.", min=1)] = 20.0,
    json: Json = None,
) -> None:
    """Events of an hour of footage at twenty times its speed, served to programs of which most never read."""
    measure("lab.readers", json, seconds=minutes * 60, speed=speed)


def minute(
    look: Annotated[float, typer.Option(help="Seconds that each event is looked at.", min=0)] = 2.0,
    codec: Annotated[str, typer.Option(help="ffv1, h264 or crops: of the session.")] = "ffv1",
    session: Annotated[Path | None, typer.Option(help="Keep it here; one that is there is used.")] = None,
    json: Json = None,
) -> None:
    """20 events decided by keyboard in a browser that is driven: from the command to the last decision."""
    with end_with(1, RuntimeError):
        measure("lab.minute", json, look_s=look, codec=codec, session=session)
