"""``mer-engine``: compile bundles to TensorRT engines, and look at what was compiled."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mer_live.engines.command_help import Commands

if TYPE_CHECKING:
    from mer_live.engines.trt.file import EngineHeader, Flavour, Precision

EXIT_UNUSABLE = 4
"""Bundle, backend or engine cannot be used, as in mer-live."""

app = typer.Typer(
    cls=Commands,
    name="mer-engine",
    help="Compile model bundles to TensorRT engines; inspect, verify and list them.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


class FlavourName(StrEnum):
    """Which library compiles."""

    TENSORRT = "tensorrt"
    RTX = "rtx"


class PrecisionName(StrEnum):
    """Of weights and arithmetic; inputs and outputs are float32 in both."""

    FP32 = "fp32"
    FP16 = "fp16"


Out = Annotated[
    Path | None,
    typer.Option("--out", help="Folder of engines. [default: MER_ENGINE_DIR or the user's cache]"),
]


@app.command()
def build(
    bundle: Annotated[str, typer.Argument(help="Shipped bundle name or bundle folder.")],
    flavour: Annotated[
        FlavourName | None,
        typer.Option(help="tensorrt: for the GPU here; rtx: also ahead of time. [default: what fits]"),
    ] = None,
    precision: Annotated[PrecisionName, typer.Option(help="fp32 or fp16.")] = PrecisionName.FP32,
    compute_capability: Annotated[
        list[str] | None,
        typer.Option(help="GPU to build for, such as 8.9; repeatable. [default: the GPU that is here]"),
    ] = None,
    out: Out = None,
) -> None:
    """Compile a bundle and check the result before it is kept."""
    from mer_live.engines.bundle import load_bundle
    from mer_live.engines.trt.build import build_engine, engine_key

    with _errors_told():
        opened = load_bundle(bundle)
        chosen = _flavour(flavour, compute_capability)
        for capability in compute_capability or (None,):
            key = engine_key(opened, _precision(precision), chosen, capability)
            engine = build_engine(opened, key, out)
            typer.echo(f"{engine.path}\n  {engine.header.size / 1e6:.1f} MB; {engine.header.parity}")


@app.command()
def inspect(file: Annotated[Path, typer.Argument(help="Engine file.")]) -> None:
    """Show what an engine was built from and for."""
    from mer_live.engines.trt.file import read_header

    with _errors_told():
        header = read_header(file)
    for name, value in _rows(header):
        typer.echo(f"{name:20s} {value}")


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="Engine file.")],
    bundle: Annotated[str, typer.Argument(help="Bundle that it should have been built from.")],
) -> None:
    """Check checksum and key of an engine, and on its own kind of GPU its answers against ONNX Runtime."""
    from mer_live.engines.bundle import load_bundle
    from mer_live.engines.trt.build import check_parity, engine_key
    from mer_live.engines.trt.file import read_engine
    from mer_live.engines.trt.gpu import present_gpu

    with _errors_told():
        opened = load_bundle(bundle)
        header, data = read_engine(file)
        wanted = engine_key(opened, header.key.precision, header.key.flavour, header.key.compute_capability)
        read_engine(file, wanted)
        gpu = present_gpu()
        if gpu is not None and gpu.compute_capability == wanted.compute_capability:
            result = check_parity(opened, wanted, data)
        else:
            result = f"not run: no GPU of compute capability {wanted.compute_capability} here"
    typer.echo(f"{file}: checksum and key fit {opened.card.name}; {result}")


@app.command("list")
def list_command(out: Out = None) -> None:
    """List kept engines, and say which the installed libraries can no longer use."""
    from mer_live.engines.errors import EngineError
    from mer_live.engines.trt.file import engine_dir, list_engines
    from mer_live.engines.trt.library import installed_flavours, load_flavour

    folder = out or engine_dir()
    with _errors_told():
        versions = {flavour: load_flavour(flavour).__version__ for flavour in installed_flavours()}
    found = False
    for path, header in list_engines(folder):
        found = True
        if isinstance(header, EngineError):
            typer.echo(f"{path.name}: {header}")
            continue
        key = header.key
        state = (
            ""
            if versions.get(key.flavour) == key.version
            else f", unusable: needs {key.flavour} {key.version}"
        )
        typer.echo(
            f"{path.name}: {key.bundle} {key.precision}, {key.flavour} {key.version}, compute capability "
            f"{key.compute_capability}, {header.size / 1e6:.1f} MB{state}"
        )
    if not found:
        typer.echo(f"No engines in {folder}.")


def _flavour(chosen: FlavourName | None, capabilities: list[str] | None) -> Flavour:
    from mer_live.engines.trt.library import installed_flavours

    if chosen is not None:
        return "tensorrt" if chosen is FlavourName.TENSORRT else "rtx"
    # Ahead of time only TensorRT-RTX can build; for the GPU that is here the full library is faster.
    return "rtx" if capabilities or "tensorrt" not in installed_flavours() else "tensorrt"


def _precision(chosen: PrecisionName) -> Precision:
    return "fp32" if chosen is PrecisionName.FP32 else "fp16"


def _rows(header: EngineHeader) -> list[tuple[str, object]]:
    key = header.key
    return [
        ("bundle", key.bundle),
        ("model.onnx sha256", key.onnx_sha256),
        ("precision", key.precision),
        ("library", f"{key.flavour} {key.version}"),
        ("compute capability", key.compute_capability),
        ("batch", f"1..{key.max_batch}"),
        ("system", key.system),
        ("size", f"{header.size} bytes"),
        ("sha256", header.sha256),
        ("checked", header.parity),
    ]


@contextmanager
def _errors_told() -> Iterator[None]:
    """One sentence on stderr and an exit code for what a user can do something about."""
    from mer_live.engines.errors import BackendError, BundleError, EngineError

    try:
        yield
    except (BackendError, BundleError, EngineError) as error:
        typer.echo(f"mer-engine: {error}", err=True)
        raise typer.Exit(EXIT_UNUSABLE) from error


def main() -> None:
    """Entry point of the ``mer-engine`` command."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    app()


if __name__ == "__main__":
    main()
