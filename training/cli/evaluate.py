"""``mer-train evaluate``: a protocol, a method, and scores that a reviewer can check."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mer_live.training.cli import options
from mer_live.training.cli.errors import errors_end

if TYPE_CHECKING:
    from mer_live.training.evaluation.material import FoldResult


def evaluate_command(
    data: options.Prepared,
    method: options.MethodName,
    protocol: Annotated[str, typer.Option(help="cde, hde, cdmer1, cdmer2, loso, holdout or split.")] = "cde",
    inputs: options.Arrays = None,
    seeds: options.Seeds = "0",
    epochs: options.Epochs = None,
    settings: options.Settings = None,
    database: options.Database = None,
    test_fraction: options.TestFraction = 0.25,
    split_seed: Annotated[int, typer.Option(help="holdout: which subjects.")] = 0,
    partial: options.Partial = False,
    plain: Annotated[
        bool, typer.Option("--plain", help="Train one fold after the other also where many go at once.")
    ] = False,
    synthetic: Annotated[
        str | None,
        typer.Option(
            help="Mix rendered clips into each fold's training: a number of clips to render (--faces), or a set of "
            "synth-set. Nobody who is tested is among them."
        ),
    ] = None,
    synthetic_weight: Annotated[
        float, typer.Option(help="How much a rendered clip counts beside a real one, up to 1.")
    ] = 0.2,
    faces: Annotated[
        Path | None,
        typer.Option(envvar="MER_FACES", help="--synthetic NUMBER: folder of NAME_neutral.jpg photographs."),
    ] = None,
    jobs: options.JobsOrCpus = None,
    executor: options.ExecutorName = "local",
    address: options.Address = None,
    device: options.Device = "cpu",
    checkpoint: options.Checkpoint = 10,
    out: Annotated[
        Path | None, typer.Option(help="Folder for finished folds, report and plots; out/... if not given.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the folds that are in --out.")] = False,
    log: Annotated[
        bool,
        typer.Option(
            "--log", help="Also write curves.csv: the mean of each loss term, MMD too, in every epoch."
        ),
    ] = False,
    keep_weights: Annotated[
        bool,
        typer.Option("--keep-weights", help="Keep each fold's network in weights/, as pretrain writes them."),
    ] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Also write the report here.")] = None,
) -> None:
    """Train and test every fold; scores are pooled over folds, with deviation and interval."""
    from dataclasses import asdict

    from mer_live.engines.executors import ExecutorError, make_executor, usable_cores
    from mer_live.engines.files import write_json
    from mer_live.training.evaluation.evaluate import EvaluationRequest, evaluate
    from mer_live.training.evaluation.material import FoldError
    from mer_live.training.learning.compute import compute_on
    from mer_live.training.learning.settings import parse_settings
    from mer_live.training.methods import make_method
    from mer_live.training.prepared.prepared_set import parse_inputs

    target = out or Path("out") / "evaluate" / f"{method}-{protocol}"
    begin = time.perf_counter()
    with errors_end(
        FoldError,
        ExecutorError,
        stopped=f"the finished folds are in {target}: repeat with --resume",
    ):
        chosen: dict[str, Any] = dict(parse_settings(settings or []))
        if epochs is not None:
            if "epochs" in asdict(make_method(method).config):
                chosen["epochs"] = epochs
            else:
                typer.echo(f"{method} has no epochs: --epochs {epochs} is left aside", err=True)
        processes = jobs or usable_cores()
        beside = None if synthetic is None else _rendered(synthetic, data, faces, target, processes)
        request = EvaluationRequest(
            data, protocol, method, parse_inputs(inputs or []), chosen, options.parse_seeds(seeds), partial, database,
            test_fraction, split_seed, not plain, compute_on(device, every=checkpoint, elsewhere=executor == "ray"),
            beside, synthetic_weight if beside else 0.0,
        )  # fmt: skip
        where = make_executor(executor, jobs=processes, address=address, gpus=request.compute.cuda)
        report = evaluate(
            request,
            out=target,
            resume=resume,
            log_curves=log,
            keep_weights=keep_weights,
            executor=where,
            progress=_progress(begin),
        )
    for file in filter(None, (target / "report.json", json_file)):
        write_json(file, report)
    try:
        from mer_live.training.evaluation.plots import write_plots

        plots = write_plots(report, target)
    except ImportError:
        plots = []
        typer.echo("no plots: pip install 'mer-live[train]'", err=True)
    for line in summary(report):
        typer.echo(line)
    typer.echo(
        f"{json_file or target / 'report.json'}" + (f", {len(plots)} plots in {target}" if plots else "")
    )


def _rendered(synthetic: str, data: Path, faces: Path | None, out: Path, jobs: int) -> Path:
    """The set to mix in: a folder as given, or so many clips rendered as ``data`` was prepared, in ``out/rendered``."""
    if not synthetic.isdecimal():
        return Path(synthetic)
    if faces is None:
        raise ValueError(
            f"--synthetic {synthetic} renders photographs: name their folder with --faces or MER_FACES"
        )
    from mer_live.engines.representation.specs import spec_from_json
    from mer_live.training.prepared.prepared_set import PreparedSet
    from mer_live.training.synthesis.prepared_set import SynthSet, render_set

    told = PreparedSet.open(data).parameters.get("representations")
    if not told:
        raise ValueError(
            f"{data / 'prepare.json'} does not say how the arrays were made: render a set with mer-train synth-set "
            "and name its folder"
        )
    specs = tuple((name, spec_from_json(spec)) for name, spec in told.items())

    def progress(done: int, total: int) -> None:
        typer.echo(f"[{done}/{total}] clips rendered", err=True)

    wanted = SynthSet(faces, clips=int(synthetic), representations=specs)
    return render_set(wanted, out / "rendered", jobs, progress)


def summary(report: Mapping[str, Any]) -> list[str]:
    """Return the lines of a report for a terminal: clips, hash, and a row of scores each."""
    lines = [f"{report['method']}, {report['protocol']}, {report['folds']} folds, seeds {report['seeds']}"]
    for name, c in report["counts"].items():
        lines.append(
            f"  {name}: {c['clips']} clips of {c['subjects']} subjects "
            f"({', '.join(f'{c[label]} {label}' for label in report['classes'])})"
        )
    if mixed := report.get("mixed_in"):
        lines.append(
            f"  beside them in training: {mixed['clips']} rendered clips of weight {mixed['weight']}"
        )
    lines += [f"  NOT the published list: {difference}" for difference in report["count_differences"]]
    lines.append(f"  sample list {report['sample_list']}")
    if report["protocol"].startswith("cdmer"):
        using = report["target_domain"] or "not used by this method"
        lines.append(f"  target domain: {using}")
    elif report["method"] == "madtn":
        lines.append("  no target domain in this protocol: MMD is off")
    for variant, scored in report["variants"].items():
        lines.append(f"{variant:<12} {'UF1':>7} {'std':>6} {'95 % interval':>15} {'UAR':>7} {'accuracy':>9}")
        for name, s in scored["scores"].items():
            low, high = s["interval"]["uf1"]
            lines.append(
                f"  {name:<10} {s['uf1']:7.4f} {s['std']['uf1']:6.4f}   {low:5.3f} .. {high:5.3f} "
                f"{s['uar']:7.4f} {s['accuracy']:9.4f}"
            )
    lines.append(f"{report['seconds']['this_run']:.0f} s, {report['epoch_choice']}")
    return lines


def _progress(begin: float) -> Any:
    first: list[int] = []

    def show(done: int, total: int, result: FoldResult) -> None:
        first[:] = first or [done - 1]
        passed = time.perf_counter() - begin
        left = passed / max(done - first[0], 1) * (total - done)
        typer.echo(
            f"[{done}/{total}] seed {result.seed} {result.fold}: {result.seconds:.1f} s, {left:.0f} s left",
            err=True,
        )

    return show
