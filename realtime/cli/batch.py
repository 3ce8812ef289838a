"""``mer-live batch``: thousands of recordings, resumable, into tables and one page."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, NoReturn, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from mer_live.engines.device.choice import check_device
from mer_live.engines.executors import ExecutorError, make_executor, usable_cores
from mer_live.engines.trt.file import Precision as EnginePrecision
from mer_live.realtime.batch.analyse import BatchSettings
from mer_live.realtime.batch.recordings import ArchiveItem, find_recordings
from mer_live.realtime.batch.run import RETRIES, run_batch
from mer_live.realtime.commands import (
    EXIT_OTHER,
    EXIT_USAGE,
    Backend,
    Bundles,
    Device,
    Precision,
    Sensitivity,
    codes_of_a_run,
    errors_end,
)
from mer_live.realtime.config import BUNDLES, LiveConfig


def command(
    where: Annotated[
        Path, typer.Argument(help="Folder of videos and sessions, or a CSV with a column path (and fps).")
    ],
    out: Annotated[
        Path, typer.Option(help="Folder for journal, tables and page; one that was begun goes on.")
    ],
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes. [default: one a core]")] = None,
    executor: Annotated[str, typer.Option(help="local or ray.")] = "local",
    address: Annotated[str | None, typer.Option(help="Of a Ray cluster, such as 10.0.0.1:6379.")] = None,
    bundle: Bundles = None,
    backend: Backend = "auto",
    device: Device = "cpu",
    precision: Precision = "fp32",
    sensitivity: Sensitivity = 0.5,
    fps: Annotated[float | None, typer.Option(help="True rate of files that do not tell it.", min=1)] = None,
    failed_again: Annotated[
        bool, typer.Option("--failed-again", help="Also analyse those anew that failed.")
    ] = False,
) -> None:
    """Analyse an archive: the same events as single runs, in events.csv and events.parquet, and index.html about all.

    Give the same command again after a power cut: what is done is kept.
    """
    screen = _Screen()
    signal.signal(signal.SIGTERM, _stop)
    codes = {**codes_of_a_run(), EXIT_USAGE: ValueError, EXIT_OTHER: (ExecutorError, OSError)}
    with errors_end("mer-live", codes, "stopped; the same command goes on"):
        check_device(device, backend)
        live = LiveConfig(sensitivity=sensitivity, device=device, precision=cast(EnginePrecision, precision))
        settings = BatchSettings(tuple(bundle or BUNDLES), backend, live)
        recordings = find_recordings(where, fps)
        processes, gpus = jobs or usable_cores(), int(device.startswith("cuda"))
        runs = make_executor(executor, jobs=processes, address=address, retries=RETRIES, gpus=gpus)
        with screen.progress:
            totals, written = run_batch(
                recordings,
                settings,
                out,
                runs,
                failed_again=failed_again,
                begun=screen.begun,
                told=screen.told,
            )
    typer.echo(
        f"{totals['recordings']:,} recordings, {totals['length_s'] / 3600:,.2f} h, {totals['events']:,} events, "
        f"{totals['failed']:,} not analysed to their end",
        err=True,
    )
    if not find_spec("pyarrow"):
        typer.echo("events.parquet needs pyarrow: pip install 'mer-live[archive]'", err=True)
    for path in written:
        typer.echo(str(path))


def _stop(*_: object) -> NoReturn:
    raise KeyboardInterrupt


class _Screen:
    """A bar over the bytes of the recordings, with files done and time left."""

    def __init__(self) -> None:
        self.progress = Progress(
            TextColumn("{task.fields[files]:,} of {task.fields[all]:,} files"),
            BarColumn(),
            TextColumn("{task.fields[hours]:.1f} h analysed, {task.fields[failed]:,} failed, left"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=Console(file=sys.stderr),
        )
        self._task = self.progress.add_task("", total=None, files=0, all=0, hours=0.0, failed=0)
        self._hours, self._files, self._failed = 0.0, 0, 0

    def begun(self, left: Sequence[ArchiveItem]) -> None:
        total = sum(one.bytes + 1 for one in left)
        self.progress.update(self._task, total=total, all=len(left))

    def told(self, recording: ArchiveItem, row: dict[str, Any]) -> None:
        self._files += 1
        self._hours += row["length_s"] / 3600
        self._failed += bool(row["reason"])
        self.progress.update(
            self._task,
            advance=recording.bytes + 1,
            files=self._files,
            hours=self._hours,
            failed=self._failed,
        )
