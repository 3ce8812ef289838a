"""``--video SESSION``: a session is analysed as it was recorded, unless an option says otherwise."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from mer_live.engines.bundle import load_bundle
from mer_live.realtime.baseline import Baseline, baseline_of, parse_baseline
from mer_live.realtime.cli.options import Options
from mer_live.realtime.config import LiveConfig
from mer_live.realtime.session.layout import INFO, is_session

_EVERYWHERE = ("onnxruntime", "openvino")
"""Backends that every installation has; another one is chosen anew where the session is analysed."""


def as_recorded(options: Options, explicit: Collection[str]) -> tuple[Options, str | None]:
    """``options`` with what the session that is their source was recorded with, and a line about it.

    Args:
        options: of the command.
        explicit: names of the options that somebody gave; they count more.

    Returns:
        The same options and None where the source is no session, one of several, or one that tells nothing.

    Raises:
        BundleError: a bundle of the session is not here.
    """
    source = options.source.source
    if options.others or not (isinstance(source, str) and is_session(source)):
        return options, None
    try:
        info: dict[str, Any] = json.loads((Path(source) / INFO).read_text(encoding="utf-8"))
        known = {field.name for field in fields(LiveConfig)}
        live = LiveConfig(**{name: value for name, value in info["config"].items() if name in known})
        recorded = {str(one["name"]): str(one["sha256"]) for one in info["bundles"]}
        bundles = tuple(info["options"].get("bundle") or recorded)
        backend = str(info["backend"])
        baseline = _baseline(info["options"].get("baseline"))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return options, None
    mine = {"sensitivity", "decide", "faces", "macro"}.intersection(explicit)
    own = {name: getattr(options.live, name) for name in mine}
    # What computes is this machine's.
    live = replace(live, **own, device=options.live.device, precision=options.live.precision)
    told = []
    if "bundle" in explicit:
        bundles = options.bundles
    else:
        found = {card.name: card.sha256 for card in (load_bundle(name).card for name in bundles)}
        told = [
            f"{name} is not the one it was recorded with: its probabilities differ"
            for name in found
            if found[name] != recorded.get(name)
        ]
    if "backend" in explicit or backend not in _EVERYWHERE:
        backend = options.backend
    if "baseline" in explicit:
        baseline = options.baseline
    line = "; ".join(
        [f"as recorded: {'+'.join(bundles)}, sensitivity {live.sensitivity:g}, decide {live.decide}", *told]
    )
    return replace(options, bundles=bundles, backend=backend, live=live, baseline=baseline), line


def _baseline(given: Any) -> float | Baseline | None:
    return (
        None
        if given is None
        else baseline_of(given)
        if isinstance(given, dict)
        else parse_baseline(str(given))
    )
