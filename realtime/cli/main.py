"""``mer-live``: the front door. It parses, checks, runs one pipeline and says how it went."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Annotated, NoReturn

import typer

from mer_live.engines.entry import end_at_once
from mer_live.realtime.commands import (
    EXIT_INTERRUPTED,
    EXIT_USAGE,
    Backend,
    Bundles,
    Device,
    Faces,
    Macro,
    Precision,
    Sensitivity,
    codes_of_a_run,
    errors_end,
    fail,
    open_missing_streams,
)
from mer_live.realtime.config import BUNDLES


def _from_file(context: typer.Context, path: Path | None) -> Path | None:
    if path is not None:
        from mer_live.realtime.cli.config_file import read_config

        with errors_end("mer-live", {EXIT_USAGE: ValueError}):
            options = {name: option for option in context.command.params if (name := option.name)}
            found = read_config(path, options.keys() - {"config", "show_config"})
            for name, value in found.items():
                if getattr(options[name], "multiple", False) and not isinstance(value, list):
                    found[name] = [value]
            context.default_map = found
    return path


_NOT_SETTINGS = ("config", "show_config", "list_cameras", "target", "check")
_COMMANDS = ("batch", "export", "review")
app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


@app.command()
def live(
    context: typer.Context,
    target: Annotated[
        str | None,
        typer.Argument(help="Only with --check: a recording or a camera number.", show_default=False),
    ] = None,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Say what a recording or camera is good for (exit 0 fit, 1 with warnings, 3 not usable); "
            "without one, whether this machine is ready.",
        ),
    ] = False,
    camera: Annotated[
        list[str] | None, typer.Option(help="Camera number, or a device such as /dev/video0; repeatable.")
    ] = None,
    video: Annotated[
        list[str] | None, typer.Option(help="Video file, image sequence, or http/rtsp URL; repeatable.")
    ] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="Run on the bundled clip and compare with its truth.")
    ] = False,
    list_cameras: Annotated[bool, typer.Option("--list-cameras", help="List cameras and leave.")] = False,
    fps: Annotated[
        float | None, typer.Option(help="Frame rate to ask of the camera; for files, their true rate.", min=1)
    ] = None,
    size: Annotated[
        str | None, typer.Option(help="Frame size to ask of the camera, such as 640x480.")
    ] = None,
    fourcc: Annotated[
        str | None, typer.Option(help="Pixel format to ask of the camera, such as MJPG.")
    ] = None,
    exposure: Annotated[
        str | None, typer.Option(help="Exposure to ask of the camera: milliseconds, or auto.")
    ] = None,
    gain: Annotated[
        float | None, typer.Option(help="Gain to ask of the camera, in its driver's units.")
    ] = None,
    focus: Annotated[
        str | None, typer.Option(help="Focus to ask of the camera: in its driver's units, or auto.")
    ] = None,
    pace: Annotated[
        str | None,
        typer.Option(help="Files: max reads every frame, realtime behaves as a camera. [default: max]"),
    ] = None,
    bundle: Bundles = None,
    backend: Backend = "auto",
    device: Device = "auto",
    precision: Precision = "fp32",
    sensitivity: Sensitivity = 0.5,
    faces: Faces = 1,
    macro: Macro = False,
    decide: Annotated[
        str, typer.Option(help="Give events out from this state on: provisional, final or settled.")
    ] = "provisional",
    events: Annotated[
        list[str] | None,
        typer.Option(
            help="Write events to a .jsonl or .csv file, - for stdout, or ws://127.0.0.1:PORT; repeatable."
        ),
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write a JSON report at the end.")] = None,
    record: Annotated[
        Path | None, typer.Option(help="Record video, times and events into this new folder.")
    ] = None,
    record_codec: Annotated[
        str | None,
        typer.Option(help="ffv1 (lossless), h264 (small), or crops (the face alone). [default: ffv1]"),
    ] = None,
    record_blurred: Annotated[
        bool, typer.Option("--record-blurred", help="Blur the face beyond recognition in what is recorded.")
    ] = False,
    lsl: Annotated[
        str | None,
        typer.Option(help="Send events and motion by Lab Streaming Layer to this machine or the network."),
    ] = None,
    lsl_markers: Annotated[
        str | None, typer.Option(help="Take markers from the Lab Streaming Layer stream of this name.")
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            help="Seconds of rest at the start, or the report or session.json of a run that had them."
        ),
    ] = None,
    view: Annotated[
        bool, typer.Option("--view", help="Show picture and events on a page in the browser as well.")
    ] = False,
    config: Annotated[
        Path | None,
        typer.Option(
            help="Take options from this TOML file; those given here count.",
            is_eager=True,
            callback=_from_file,
        ),
    ] = None,
    show_config: Annotated[
        bool, typer.Option("--show-config", help="Print every option as such a file and leave.")
    ] = False,
    no_ui: Annotated[bool, typer.Option("--no-ui", help="No live display.")] = False,
    duration: Annotated[
        float | None, typer.Option(help="Stop after this many seconds of the stream.")
    ] = None,
) -> None:
    """Turn camera frames into micro-expression events, while they happen.

    Other commands, each with --help: mer-live review DIR shows a session that --record made to a coder, mer-live export
    DIR --to elan|csv|bids writes its events, mer-live batch FOLDER analyses an archive.

    Not a lie detector. Tell people that they are analysed.
    """
    from mer_live.realtime.cli import run
    from mer_live.realtime.cli.as_recorded import as_recorded
    from mer_live.realtime.cli.config_file import show_config as as_toml
    from mer_live.realtime.cli.options import Options

    chosen = {k: v for k, v in context.params.items() if k not in _NOT_SETTINGS}
    if show_config:
        typer.echo(as_toml(chosen))
        return
    if check:
        _check(run, target, camera, video, fps, duration, report)
    if target is not None:
        fail("mer-live", EXIT_USAGE, f"Give {target} as --video, --camera or --check {target}.")
    with errors_end("mer-live", {**codes_of_a_run(), EXIT_USAGE: ValueError}):
        if list_cameras:
            run.print_cameras()
            return
        options = Options.checked(
            camera=camera or (),
            video=video or (),
            demo=demo,
            fps=fps,
            size=size,
            fourcc=fourcc,
            exposure=exposure,
            gain=gain,
            focus=focus,
            pace=pace,
            bundles=tuple(bundle or BUNDLES),
            backend=backend,
            device=device,
            precision=precision,
            sensitivity=sensitivity,
            faces=faces,
            macro=macro,
            decide=decide,
            events=tuple(events or ()),
            report=report,
            ui=not no_ui,
            duration_s=duration,
            record=record,
            record_codec=record_codec,
            record_blurred=record_blurred,
            lsl=lsl,
            lsl_markers=lsl_markers,
            view=view,
            baseline=baseline,
            given={k: str(v) if isinstance(v, Path) else v for k, v in chosen.items()},
        )
        explicit = {k for k in chosen if (s := context.get_parameter_source(k)) and s.name != "DEFAULT"}
        options, line = as_recorded(options, explicit)
        if line is not None:
            typer.echo(line, err=True)
    with errors_end("mer-live", codes_of_a_run()):
        try:
            run.live(options)
        except KeyboardInterrupt:
            raise typer.Exit(EXIT_INTERRUPTED) from None
        except BrokenPipeError:
            # Whoever read our stdout has left; that is an end, not an error.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _check(
    run: ModuleType,
    target: str | None,
    camera: list[str] | None,
    video: list[str] | None,
    fps: float | None,
    duration: float | None,
    report: Path | None,
) -> NoReturn:
    from mer_live.realtime.check.command import run_check
    from mer_live.realtime.sources.config import CameraConfig

    given = [*([] if target is None else [target]), *(camera or ()), *(video or ())]
    with errors_end("mer-live", {**codes_of_a_run(), EXIT_USAGE: ValueError}):
        if len(given) > 1:
            raise ValueError("Check one recording or camera at a time.")
        cfg = None
        if given:
            # A path that is only digits is a path with --video.
            number = given[0].isdecimal() and not video
            cfg = CameraConfig(source=int(given[0]) if number else given[0], fps=fps, duration_s=duration)
        raise typer.Exit(run_check(cfg, report))


def main() -> None:
    """Entry point of the ``mer-live`` command: an option begins a run, a word names another command."""
    end_at_once()
    open_missing_streams()
    if (word := next(iter(sys.argv[1:]), "")) in _COMMANDS:
        command = import_module(f"mer_live.realtime.cli.{word}").command
        other = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
        other.command()(command)
        other(sys.argv[2:], prog_name=f"mer-live {word}")
    app()


if __name__ == "__main__":
    main()
