"""``mer-train table``: the papers' comparison, ours beside the published figures."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from mer_live.training.cli import options
from mer_live.training.cli.errors import errors_end


def table(
    data: Annotated[
        list[Path] | None,
        typer.Option(help="Prepared set; repeat it. Each protocol runs on every set that makes it."),
    ] = None,
    methods: Annotated[
        str,
        typer.Option(
            help="Rows, such as lbp-top/linear,atnet; a method's name takes its ablations too. "
            "[default: all; none with --vary, a few with --quick]"
        ),
    ] = "",
    protocols: Annotated[
        str, typer.Option(help="cde, hde, cdmer1, cdmer2, loso, holdout; comma-separated.")
    ] = "",
    seeds: options.Seeds = "0,1,2",
    inputs: options.Arrays = None,
    vary: Annotated[
        list[str] | None,
        typer.Option(
            help="A sweep: METHOD.KEY=VALUE,VALUE,... makes a row of each value; repeat it for a grid."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="METHOD.KEY=VALUE, such as mtm.macro=prepared/ck.")
    ] = None,
    synthetic: Annotated[
        Path | None, typer.Option(help="Rendered set of synth-set: rows METHOD@zero-shot are trained on it.")
    ] = None,
    partial: options.Partial = False,
    database: options.Database = None,
    test_fraction: options.TestFraction = 0.25,
    quick: Annotated[
        bool, typer.Option("--quick", help="A small rendered set and small networks: a few rows in minutes.")
    ] = False,
    faces: Annotated[
        Path | None,
        typer.Option(envvar="MER_FACES", help="--quick: folder of NAME_neutral.jpg photographs."),
    ] = None,
    jobs: options.JobsOrCpus = None,
    executor: options.ExecutorName = "local",
    address: options.Address = None,
    device: options.Device = "cpu",
    checkpoint: options.Checkpoint = 10,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder of finished folds and tables; the same command goes on with them."),
    ] = None,
) -> None:
    """Run methods x protocols x seeds and write table.md, table.csv, table.json and a plot of each table."""
    from dataclasses import replace

    from mer_live.engines.executors import ExecutorError, make_executor, usable_cores
    from mer_live.engines.files import write_json
    from mer_live.training.learning.compute import compute_on
    from mer_live.training.prepared.prepared_set import parse_inputs
    from mer_live.training.table.quick import ROWS, quick_requests
    from mer_live.training.table.report import markdown, write_table
    from mer_live.training.table.rows import choose_rows, parse_row_settings, varied_rows
    from mer_live.training.table.run import TableRequest, run_table

    target = out or Path("out") / ("table-quick" if quick else "table")
    count = jobs or usable_cores()
    with errors_end(
        ExecutorError, stopped=f"the finished folds are in {target}: repeat the command to go on"
    ):
        usual = ROWS if quick else () if vary else ("all",)
        names = tuple(n.strip() for n in methods.split(",") if n.strip()) or usual
        which = tuple(p.strip() for p in protocols.split(",") if p.strip())
        numbers = options.parse_seeds(seeds)
        compute = compute_on(device, every=checkpoint, elsewhere=executor == "ray")
        where = make_executor(executor, jobs=count, address=address, gpus=compute.cuda)
        if quick:
            if data or settings or database or partial or vary or inputs or synthetic:
                raise ValueError(
                    "--quick makes its own data and has its own settings: leave --data, --input, --set, --synthetic "
                    "and --vary away"
                )
            which = which or ("holdout",)
            if unknown := sorted(set(which) - {"holdout", "cdmer1"}):
                raise ValueError(f"--quick has the protocols holdout and cdmer1, not {unknown[0]}")
            if faces is None:
                raise ValueError("--quick renders photographs: name their folder with --faces or MER_FACES")
            requests = quick_requests(faces, target / "data", names, which, numbers, count, _rendered)
        else:
            if not data:
                raise ValueError("name a prepared set with --data FOLDER, or take --quick")
            given = parse_row_settings(settings or [])
            rows = choose_rows(names) + varied_rows(vary or [])
            requests = [
                TableRequest(
                    tuple(data),
                    rows,
                    which or ("cde",),
                    numbers,
                    given,
                    partial,
                    database,
                    test_fraction,
                    inputs=parse_inputs(inputs or []),
                    synthetic=synthetic,
                )
            ]
        requests = [replace(request, compute=compute) for request in requests]
        result = run_table(requests, target, where, _progress(time.perf_counter()))
    write_json(target / "table.json", result)
    files = write_table(result, target)
    for line in markdown(result):
        typer.echo(line)
    typer.echo(f"{result['seconds']:.0f} s; {target / 'table.json'}, " + ", ".join(map(str, files)), err=True)


def _rendered(what: str, done: int, total: int) -> None:
    if done == total or done % 24 == 0:
        typer.echo(f"[{done}/{total}] {what} rendered", err=True)


def _progress(begin: float) -> Any:
    def show(done: int, total: int, name: str, seconds: float) -> None:
        left = (time.perf_counter() - begin) / done * (total - done)
        typer.echo(f"[{done}/{total}] {name}: {seconds:.1f} s, {left:.0f} s left", err=True)

    return show
