"""``mer-bench``: one family of measurements; each command loads what it needs only when it runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mer_live.benchmarks.folds import train
from mer_live.benchmarks.lab.commands import archive, minute, readers, record, rest
from mer_live.benchmarks.measure import Json, Quick, end_with, measure
from mer_live.engines.command_help import Commands

if TYPE_CHECKING:
    from mer_live.benchmarks.result import Result

app = typer.Typer(
    cls=Commands,
    name="mer-bench",
    help="Measure mer-live, and believe it (benchmarks/README.md says how).",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


@app.command()
def latency(quick: Quick = False, json: Json = None) -> None:
    """Every stage alone and the whole path, batch 1, warm."""
    measure("latency", json, quick=quick)


@app.command()
def live(quick: Quick = False, json: Json = None) -> None:
    """The mer-live command itself on a 200 fps clip: drops, times, start-up, memory."""
    measure("live", json, quick=quick)


@app.command()
def trace(
    quick: Quick = False,
    plot: Annotated[Path | None, typer.Option(help="Draw where the time went into this PNG.")] = None,
    json: Json = None,
) -> None:
    """Where the time of a late frame went: computing, waiting for a core, asleep; who had the cores."""
    with end_with(1, RuntimeError):
        _drawn(measure("trace", json, quick=quick), plot)


@app.command()
def lock(quick: Quick = False, json: Json = None) -> None:
    """How long Python's lock is held while a 200 fps camera runs, by what the worker is at."""
    with end_with(1, RuntimeError):
        measure("lock", json, quick=quick)


@app.command()
def frame(quick: Quick = False, json: Json = None) -> None:
    """What a frame asks of numpy and OpenCV, counted, and of memory over 10,000 frames; load changes nothing."""
    with end_with(1, RuntimeError):
        measure("frame.run", json, quick=quick)


@app.command()
def throughput(
    quick: Quick = False,
    aims: Annotated[bool, typer.Option("--aims", help="Try what is aimed at, and search nothing.")] = False,
    json: Json = None,
) -> None:
    """The highest camera rate without a lost frame, by search."""
    measure("throughput", json, quick=quick, aims=aims)


@app.command()
def steady(
    minutes: Annotated[float, typer.Option(help="How long the camera runs.", min=0.1)] = 60.0,
    plot: Annotated[Path | None, typer.Option(help="Draw what was held and lost into this PNG.")] = None,
    json: Json = None,
) -> None:
    """One 200 fps camera for an hour: memory, handles, threads, delay and lost frames over time."""
    _drawn(measure("steady", json, minutes=minutes), plot)


@app.command()
def beside(
    checkout: Annotated[Path, typer.Argument(help="Folder of another checkout, such as a git worktree.")],
    rounds: Annotated[int, typer.Option(help="Runs of each.", min=1)] = 5,
    json: Json = None,
) -> None:
    """What a frame costs here and in another checkout, by turns in one go."""
    with end_with(1, RuntimeError), end_with(2, ValueError):
        measure("beside", json, checkout=checkout, rounds=rounds)


@app.command()
def delay(quick: Quick = False, json: Json = None) -> None:
    """From a true event to decided, emitted and shown, at 30 to 200 fps."""
    measure("delay", json, quick=quick)


@app.command()
def web(
    quick: Quick = False,
    taken: Annotated[
        float, typer.Option(help="Share of one core that other work takes meanwhile.", min=0, max=1)
    ] = 0.5,
    json: Json = None,
) -> None:
    """What a browser gets from mer-web: apex to page, frames dropped, one session at 60 fps and two at 30."""
    with end_with(1, RuntimeError):
        measure("web.run", json, quick=quick, taken=taken)


@app.command()
def soak(
    minutes: Annotated[float, typer.Option(help="How long visitors keep coming.", min=0.1)] = 60.0,
    plot: Annotated[Path | None, typer.Option(help="Draw memory, threads and handles into this PNG.")] = None,
    json: Json = None,
) -> None:
    """mer-web with visitors who come, go, flood and break: what it keeps of them."""
    with end_with(1, RuntimeError):
        _drawn(measure("web.soak", json, minutes=minutes), plot)


@app.command()
def spotting(
    quick: Quick = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for truth and decisions of every clip, and pictures.")
    ] = None,
    faces: Annotated[
        Path | None, typer.Option(help="Folder of NAME_neutral.jpg photographs.", envvar="MER_BENCH_FACES")
    ] = None,
    talking: Annotated[
        Path | None,
        typer.Option(help="Folder with a folder of clips for each talker.", envvar="MER_BENCH_TALKING"),
    ] = None,
    clips: Annotated[
        Path | None,
        typer.Option(help="Folder of clips of one person at a webcam.", envvar="MER_BENCH_CLIPS"),
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder for what was measured; new coefficients then take minutes.")
    ] = None,
    json: Json = None,
) -> None:
    """Events found, false alarms, timing: people who talk, faces that do not move, animated ones."""
    with end_with(2, ValueError):
        measure(
            "spotting.run", json, quick=quick, out=out, faces=faces, talking=talking, clips=clips, cache=cache
        )


@app.command()
def gpu(
    quick: Quick = False,
    device: Annotated[str, typer.Option(help="cuda, or cpu to try the benchmark itself.")] = "cuda",
    bundle: Annotated[list[str] | None, typer.Option(help="Bundle name or folder; repeatable.")] = None,
    page: Annotated[Path | None, typer.Option(help="Write a one-page Markdown report here.")] = None,
    json: Json = None,
) -> None:
    """Parity of flow, representations and engines with the CPU, then times on the GPU."""
    from mer_live.engines.errors import BackendError, BundleError

    chosen = {"bundles": tuple(bundle)} if bundle else {}
    with end_with(4, BackendError, BundleError):
        measure("gpu.run", json, quick=quick, device=device, page=page, **chosen)


@app.command()
def peers(
    quick: Quick = False,
    video: Annotated[Path | None, typer.Option(help="Clip to run on, in place of the bundled one.")] = None,
    envs: Annotated[
        Path, typer.Option(help="Folder for the environments of other packages, made once (4 GB).")
    ] = Path("out/peers"),
    json: Json = None,
) -> None:
    """What you might pick instead, on the same clip in the same run."""
    from mer_live.realtime.sources.config import SourceError

    with end_with(3, SourceError, ValueError):
        measure("peers.run", json, quick=quick, video=video, envs=envs)


@app.command()
def published(
    faces: Annotated[
        Path, typer.Option(help="Folder of NAME_neutral.jpg photographs.", envvar="MER_BENCH_FACES")
    ],
    out: Annotated[Path, typer.Option(help="Folder for all that is made; the same command goes on in it.")],
    only: Annotated[list[str] | None, typer.Option(help="A set, such as casme2-5; repeatable.")] = None,
    quick: Quick = False,
    json: Json = None,
) -> None:
    """Every reader, class scheme and protocol at the published counts, from trees of rendered people to a live run."""
    with end_with(2, ValueError):
        measure("published.run", json, faces=faces, out=out, quick=quick, only=tuple(only or ()))


@app.command()
def report(
    results: Annotated[list[Path], typer.Argument(help="Results written with --json.")],
    out: Annotated[Path, typer.Option(help="Folder for report.html and the plots.")],
    against: Annotated[
        list[Path] | None, typer.Option(help="Results of an earlier run, to compare with; repeatable.")
    ] = None,
) -> None:
    """One HTML page with plots from any results."""
    from mer_live.benchmarks.report.page import write_comparison, write_page
    from mer_live.benchmarks.result import Result

    with end_with(2, OSError, ValueError):
        found, earlier = ([Result.read(path) for path in paths] for paths in (results, against or []))
    out.mkdir(parents=True, exist_ok=True)
    typer.echo(write_page(found, out))
    if earlier:
        typer.echo(write_comparison(earlier, found, out))


@app.command()
def readme(
    results: Annotated[
        list[Path] | None, typer.Argument(help="Results; by default those in benchmarks/results.")
    ] = None,
    file: Annotated[Path, typer.Option(help="File with the markers.")] = Path("benchmarks/README.md"),
) -> None:
    """Write the performance table between the markers of benchmarks/README.md."""
    from mer_live.benchmarks.report.readme import committed, rewrite
    from mer_live.benchmarks.result import Result

    with end_with(2, OSError, ValueError):
        changed = rewrite(file, [Result.read(path) for path in results or committed()])
    typer.echo(f"{file} {'rewritten' if changed else 'is up to date'}")


for _command in (archive, record, readers, minute, rest, train):
    app.command()(_command)


@app.command("all")
def everything(
    out: Annotated[Path, typer.Option(help="Folder for results.json, report.html and the plots.")],
    quick: Quick = False,
) -> None:
    """Live, latency, throughput and delay, each in a process of its own, and their report."""
    from mer_live.benchmarks.report.page import write_page
    from mer_live.benchmarks.result import Result
    from mer_live.engines.files import write_json

    out.mkdir(parents=True, exist_ok=True)
    results = []
    for name in ("live", "latency", "throughput", "delay"):
        command = [sys.executable, "-m", "mer_live.benchmarks", name, "--json", str(out / f"{name}.json")]
        if code := subprocess.run([*command, *(["--quick"] if quick else [])], check=False).returncode:
            raise typer.Exit(code)
        results.append(Result.read(out / f"{name}.json"))
    ratio = results[1].figure("overhead_ratio").value
    write_json(
        out / "results.json", {"overhead_ratio": ratio, "results": [result.to_json() for result in results]}
    )
    typer.echo(write_page(results, out))


def _drawn(result: Result, plot: Path | None) -> None:
    if plot is not None:
        from mer_live.benchmarks.report.plots import draw_one

        draw_one(result, plot)


def main() -> None:
    """Entry point of the ``mer-bench`` command."""
    app()


if __name__ == "__main__":
    main()
