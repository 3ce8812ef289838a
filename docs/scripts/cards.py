"""The page of model cards: the `card.json` of each bundle, the spotter's coefficients, and what they get wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mer_live import engines, realtime

ROOT = Path(__file__).resolve().parents[2]


def models_page() -> str:
    """The cards of the shipped bundles and of the spotter, each with what it is known to get wrong."""
    zoo = Path(engines.__path__[0]) / "zoo"
    parts = [
        "# Model cards\n",
        "Written from the `card.json` that ships with each bundle and from `benchmarks/results`. Nothing here says how "
        "well anybody's real micro-expressions are recognised: see [accuracy](accuracy.md).\n",
    ]
    failures = json.loads((ROOT / "docs" / "failures" / "failures.json").read_text(encoding="utf-8"))
    for file in sorted(zoo.glob("*/card.json")):
        card = json.loads(file.read_text(encoding="utf-8"))
        parts.append(card_section(card) + failures_section(card, failures.get(card["name"])))
    spotter = Path(realtime.__path__[0]) / "spotter" / "spotter.json"
    measured = ROOT / "benchmarks" / "results" / "spotting.json"
    parts.append(
        spotter_section(*(json.loads(file.read_text(encoding="utf-8")) for file in (spotter, measured)))
    )
    return "\n".join(parts)


def card_section(card: dict[str, Any]) -> str:
    """One card as Markdown: data, people, scores by class, strength and rate."""
    inputs = ", ".join(
        f"{i['name']} {'x'.join(map(str, i['shape']))}" + _flow_of(i["representation"])
        for i in card["inputs"]
    )
    lines = [f"## {card['name']}\n", f"**{card['validation']}**\n", card["data"] + "\n"]
    lines += [f"- Classes: {', '.join(card['classes'])}", f"- Sees: {inputs}"]
    lines += [f"- Licence: {card['licence']}", f"- Attribution: {card['attribution']}"]
    lines += [f"- Paper: {paper}" for paper in card["papers"]]
    lines += [f"- Departs from the paper: {text}" for text in card["deviations"]]
    lines += [
        f"- Permits {flow} flow too: UF1 {card['scores'][f'{flow} flow']['final']['uf1']:.3f}"
        for flow in card["flows"]
    ]
    lines += [f"- SHA-256 of the network: `{card['sha256'][:16]}...`"]
    own = card["scores"].get("own", {})
    lines += ["", f"Scores ({card['scores'].get('protocol', 'not scored')}):", ""]
    lines += ["| | decision | clips | UF1 | UAR |", "| --- | --- | --- | --- | --- |"]
    for decision, scores in own.items():
        groups = [("all", scores), *scores.get("by_intensity", {}).items(), *scores.get("by_fps", {}).items()]
        for name, group in groups:
            shown = (f"{group[key]:.3f}" if key in group else "-" for key in ("uf1", "uar"))
            unit = " fps" if name in scores.get("by_fps", {}) else ""
            lines.append(f"| {name}{unit} | {decision} | {group['clips']} | {' | '.join(shown)} |")
    classes = [
        f"{decision}: " + ", ".join(f"{name} {f1:.2f}" for name, f1 in scores["f1_by_class"].items())
        for decision, scores in own.items()
        if "f1_by_class" in scores
    ]
    if classes:
        lines += ["", f"F1 by class, {'; '.join(classes)}."]
    return "\n".join(lines) + "\n"


def _flow_of(representation: dict[str, Any]) -> str:
    flow = representation.get("flow")
    return f" of {flow['method']} flow" if isinstance(flow, dict) else ""


def failures_section(card: dict[str, Any], told: dict[str, Any] | None) -> str:
    """What a bundle named wrong on the clips that scored it, counted and drawn; docs/scripts/failures.py makes both."""
    if told is None:
        return "\nIts failures were not drawn yet: `python docs/scripts/failures.py FACES WORK`.\n"
    wrong = told["wrong"]
    counts = "; ".join(f"{count} of {pair}" for pair, count in wrong.items()) or "none"
    when = (
        "" if told["sha256"] == card["sha256"] else " (counted and drawn of an earlier build of this bundle)"
    )
    return (
        f"\n### Known failures of {card['name']}\n\n{sum(wrong.values())} of {told['clips']} final decisions are "
        f"wrong{when}: {counts}. The surest of them, one a person, on the average of all "
        "faces: where the face moved, six times as long, and the face that moves six times as far.\n\n"
        f"![Clips that {card['name']} names wrong: arrows where an average face moves, the face moved six times as "
        f"far, the class and what was said](failures/{card['name']}.jpg)\n"
    )


def spotter_section(coefficients: dict[str, Any], measured: dict[str, Any]) -> str:
    """What the spotter's coefficients say of themselves, and each figure of `mer-bench spotting` beside its aim."""
    flow = coefficients["flow"]["flow"]
    lines = ["## spotter\n", "**Not validated on spontaneous micro-expressions: none were at hand.**\n"]
    lines += [f"- Attribution: {coefficients['attribution']}", f"- Made by: `{coefficients['made_by']}`"]
    lines += [
        f"- Sees: 20 regions of a face followed by {flow['method']} flow ({flow['preset']}), the head taken out"
    ]
    lines += [
        "- People: those who judge were kept out of the fit; each talker is judged by coefficients fitted without"
    ]
    lines += ["  that person, and people count alike ([how](accuracy.md#spotting-measured))", ""]
    lines += [
        f"`mer-bench spotting`, {measured['date'][:10]}; what is short of its aim is a known failure:\n"
    ]
    lines += ["| figure | measured | aim | n |", "| --- | --- | --- | --- |"]
    for f in measured["figures"]:
        if f["target"] is None or f["value"] is None:
            continue
        lower = f["better"] == "lower"
        short = f["value"] > f["target"] if lower else f["value"] < f["target"]
        aim = f"{'≤' if lower else '≥'} {f['target']:g}, {'**short**' if short else 'met'}"
        lines.append(f"| {f['name']} | {f['value']:.3g} {f['unit']} | {aim} | {f['n'] or '-'} |")
    lines += ["", "### Known failures of spotter\n"]
    lines += ["While somebody speaks most movements are missed, those of the mouth nearly always:\n"]
    lines.append(
        "![A talking face over three seconds: five parts of it, speech, two movements that were put in, of which one "
        "is missed](spotting.png)"
    )
    return "\n".join(lines) + "\n"
