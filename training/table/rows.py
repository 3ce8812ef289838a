"""The rows of the comparison: every method, with the ablations that its paper reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from mer_live.training.methods import make_method, method_names
from mer_live.training.methods.features import FEATURES
from mer_live.training.prepare.papers import PAPER, RECIPES

ZERO_SHOT = "@zero-shot"
_NOT_BUILT = "not built, its paper was not at hand"
UNAVAILABLE: Mapping[str, str] = {
    "rstr": "RSTR (Zhang et al. 2020, region selective transfer regression): that it weighs the regions of the face "
    "is public, its objective and solver were found in no text and no released code that we could read",
    "stclqp": "STCLQP (Huang et al. 2016): no released code was found and we could read its abstract alone: it "
    "says that codebooks of sign, magnitude and orientation are learnt, not by which quantisation or which choice",
    "boost": f"Boost (Peng et al. 2019): {_NOT_BUILT}",
    "au-gacn": "AU-GACN (Xie et al. 2020): its public repository holds pictures and no code, and we could read its "
    "abstract alone; it also needs the action units of each clip, and trains on clips that a generator makes of them",
    "dynamic": f"Dynamic (Sun et al. 2020): {_NOT_BUILT}; it needs a teacher of action units",
    "graph-tcn": "Graph-TCN (Lei et al. 2020): no released code was found, and its abstract, all that we could read, "
    "gives no sizes; its nodes are shape features inside a learnt motion magnification, whose weights are not at hand",
    "micronet": f"MicroNet (Xia et al. 2020): {_NOT_BUILT}",
    "neural": f"Neural (Liu et al. 2019): {_NOT_BUILT}",
}
"""Rows of the papers' tables that cannot be run -> why."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One line of ours."""

    name: str
    """``METHOD``, ``METHOD/VARIANT``, or ``METHOD@paper``: by its paper's recipe."""
    method: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    ablation_of: str = ""
    """Name of the full method that this one lacks a part of."""
    needs_target: bool = False
    """Only for protocols that hand out a target domain: elsewhere it is another row."""
    zero_shot: bool = False
    """Trained on the table's rendered set alone."""


_ADAPTATION = ("iw-svm", "tca", "gfk", "subspace-alignment", "stm", "tkl", "tsrg", "drfs-t", "drls")
_SHALLOW = ("ststnet", "off-apexnet", "dual-inception", "dssn", "capsulenet", "micro-attention")


def all_rows() -> tuple[TableRow, ...]:
    """Return every row, baselines first; a method that is registered elsewhere follows under its own name."""
    from mer_live.training.methods.mtm.method import ABLATIONS

    rows = [
        TableRow(f"{feature}/{kernel}", "svm", {"feature": feature, "kernel": kernel})
        for feature in FEATURES
        for kernel in ("linear", "poly", "rbf")
    ]
    rows += [TableRow(name, name, needs_target=True) for name in _ADAPTATION]
    rows += [TableRow(name, name) for name in _SHALLOW]
    rows += [TableRow(f"atnet/{v}", "atnet", {"variant": v}, "atnet") for v in ("spatial", "temporal")]
    rows.append(TableRow("atnet", "atnet"))
    rows += [
        TableRow(f"madtn/{channels}", "madtn", {"channels": channels}, "madtn")
        for channels in ("face", "onof-face", "onof-offof")
    ]
    rows.append(TableRow("madtn/no-mmd", "madtn", {"mmd_weight": 0.0}, "madtn", needs_target=True))
    rows.append(TableRow("madtn", "madtn"))
    rows += [
        TableRow(f"sa-at/{variant}", "sa-at", {"variant": variant}, "sa-at")
        for variant in ("resnet", "resnet+sa", "resnet+at")
    ]
    rows.append(TableRow("sa-at", "sa-at"))
    rows += [
        TableRow(f"mtm/{name.replace(' ', '')}", "mtm", settings, "mtm")
        for name, settings in ABLATIONS.items()
        if settings
    ]
    rows.append(TableRow("mtm", "mtm"))
    rows += [TableRow(f"{name}{PAPER}", name, recipe.settings) for name, recipe in RECIPES.items()]
    known = {row.method for row in rows}
    rows += [TableRow(name, name) for name in method_names() if name not in known]
    return tuple(rows)


def choose_rows(names: Iterable[str]) -> tuple[TableRow, ...]:
    """Return the rows of these names; ``atnet`` and ``lbp-top`` are the row and all its variants, ``all`` is all
    but those by the papers' recipes, which take hours: these by name, or ``@paper`` for each.
    ``ROW@zero-shot`` is that one row, trained on rendered clips alone.

    Raises:
        ValueError: Nothing has this name.
    """
    rows = all_rows()
    chosen = []
    for name in names:
        if name.endswith(ZERO_SHOT):
            plain = name.removesuffix(ZERO_SHOT)
            chosen += [
                replace(r, name=name, ablation_of="", zero_shot=True)
                for r in choose_rows([plain])
                if r.name == plain
            ]
            continue
        found = [
            r
            for r in rows
            if name in ((PAPER, r.name) if r.name.endswith(PAPER) else ("all", r.name, r.name.split("/")[0]))
        ]
        if not found:
            there = dict.fromkeys(r.name.split("/")[0] for r in rows)
            why = f": {UNAVAILABLE[name]}" if name in UNAVAILABLE else f"; there are {', '.join(there)}"
            raise ValueError(f"no row is called {name!r}{why}")
        chosen += found
    return tuple({r.name: r for r in chosen}.values())


def row_settings(row: TableRow, given: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what a row is run with: settings given for its method, for it alone, then what makes it this row.

    Raises:
        ValueError: The method has no such setting.
    """
    settings = {**given.get(row.method, {}), **given.get(row.name, {}), **row.settings}
    make_method(row.method, settings)
    return settings


def varied_rows(items: Sequence[str]) -> tuple[TableRow, ...]:
    """Rows of a sweep: ``["madtn.mmd_weight=0,2", "madtn.lr=1e-4,2e-4"]`` gives one for each of four settings.

    Raises:
        ValueError: An item is not METHOD.KEY=VALUE,VALUE..., or there is no such method, setting or value.
    """
    grids: dict[str, dict[str, list[str]]] = {}
    for item in items:
        method, key, text = _parts(item, "--vary", "METHOD.KEY=VALUE,VALUE, such as madtn.mmd_weight=0,1,2")
        if method not in method_names():
            raise ValueError(f"--vary {item!r}: no method is called {method!r}")
        values = list(dict.fromkeys(v.strip() for v in text.split(",") if v.strip()))
        if not values:
            raise ValueError(f"--vary {item!r} names no value")
        grids.setdefault(method, {})[key] = values
    rows = []
    for method, grid in grids.items():
        for chosen in product(*grid.values()):
            settings = dict(zip(grid, chosen, strict=True))
            make_method(method, settings)
            rows.append(
                TableRow(f"{method}/{','.join(f'{k}={v}' for k, v in settings.items())}", method, settings)
            )
    return tuple(rows)


def parse_row_settings(items: Iterable[str]) -> dict[str, dict[str, str]]:
    """Turn ``["mtm.macro=prepared/ck"]`` of the command line into ``{"mtm": {"macro": "prepared/ck"}}``.

    Raises:
        ValueError: An item is not ROW.KEY=VALUE, or names no method and no row.
    """
    known = {row.name for row in all_rows()} | set(method_names())
    result: dict[str, dict[str, str]] = {}
    for item in items:
        row, key, value = _parts(item, "--set", "METHOD.KEY=VALUE, such as mtm.macro=prepared/ck")
        if row not in known:
            raise ValueError(f"--set {item!r}: no method or row is called {row!r}")
        result.setdefault(row, {})[key] = value
    return result


def _parts(item: str, option: str, form: str) -> tuple[str, str, str]:
    left, sign, value = item.partition("=")
    row, dot, key = left.strip().rpartition(".")
    if not (sign and dot and key.strip()):
        raise ValueError(f"{option} {item!r} is not {form}")
    return row, key.strip(), value.strip()
