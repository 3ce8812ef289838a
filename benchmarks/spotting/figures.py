"""The spotting benchmark's numbers as figures with the aims beside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np

from mer_live.benchmarks.result import Figure

_STILL_AIMS = {200: 0.95, 100: 0.95, 50: 0.93, 25: 0.90}


def figures(report: dict[str, Any]) -> list[Figure]:
    """What the spotter is judged by, then the same numbers set by set."""
    sets = report["sets"]
    rows = [*_talkers(sets), *_reliable(report["reliability"]), *_cameras(sets), *_injected(report)]
    rows += [*_animated(sets), *_times(sets.get("animated 200 fps")), *_cost(sets.get("animated 200 fps"))]
    for search, v in report["offline_apex"].items():
        note = "cut clips, 200 fps"
        rows.append(Figure(f"offline apex error, {search}", v["median_ms"], "ms", v["n"], note=note))
    return rows


def _of(sets: dict[str, Any], kind: str) -> dict[str, Any]:
    return {name[len(kind) + 1 :]: s for name, s in sets.items() if name.startswith(f"{kind} ")}


def _talkers(sets: dict[str, Any]) -> Iterator[Figure]:
    people = _of(sets, "talker")
    for state, aim in (("settled", 0.5), ("final", 1.5), ("provisional", None)):
        a_minute = {who: s["false_alarms_per_minute"][state] for who, s in people.items()}
        known = [v for v in a_minute.values() if v is not None]
        mean = float(np.mean(known)) if known else None
        note = ", ".join(f"{who} {_text(v)}" for who, v in a_minute.items())
        name = f"{state} false alarms a minute, talkers, mean over people"
        yield Figure(name, mean, "1/min", len(known), None, None, aim, "lower", note)
    if (s := sets.get("talker: together")) is not None:
        for state in ("settled", "final"):
            value = s["false_alarms_per_minute"][state]
            name, note = (
                f"{state} false alarms a minute, talkers, all minutes alike",
                f"{s['minutes']:.1f} minutes",
            )
            yield Figure(name, value, "1/min", s["clips"], None, None, None, "lower", note)


def _reliable(rows: list[dict[str, Any]]) -> Iterator[Figure]:
    for row in rows:
        name = f"scored {row['from']:g} to {row['to']:g} on natural video: true"
        aim = 0.6 if row["from"] == 0.6 else None
        yield Figure(name, row["right"], "", row["n"], None, None, aim, "higher")


def _cameras(sets: dict[str, Any]) -> Iterator[Figure]:
    for kind, what in (("motionless", "motionless face, worst encoder"), ("flicker", "mains flicker, worst")):
        found = {who: s["false_alarms_per_minute"]["final"] for who, s in _of(sets, kind).items()}
        if found:
            worst = max(found, key=lambda who: found[who])
            n = sum(s["clips"] for s in _of(sets, kind).values())
            name = f"{what}: final events a minute"
            yield Figure(
                name, found[worst], "1/min", n, None, None, 0.0, "lower", worst if found[worst] else ""
            )
    for name in ("standing picture", "repeated frames"):
        if name in sets:
            value = sets[name]["false_alarms_per_minute"]["final"]
            yield Figure(f"{name}: final events a minute", value, "1/min", 1, None, None, 0.0)


def _injected(report: dict[str, Any]) -> Iterator[Figure]:
    sets, cut = report["sets"], report["cut"]
    note = f"--sensitivity {_text(cut['sensitivity'])}, precision {_text(cut['all']['precision'])}"
    for part, aim in (("upper", 0.70), ("all", 0.55)):
        v = cut[part]
        what = "upper face" if part == "upper" else "all"
        name = f"injected, speaking, 1.5 px+: recall at precision .85, {what}"
        yield Figure(name, v["recall"], "", v["n"], None, None, aim, "higher", note)
    for kind in ("speaking", "silent"):
        if (s := sets.get(f"{kind}: together")) is None:
            continue
        yield _f1(f"injected, {kind}, 1.5 px+", s["iou"]["from_1.5_px"], 0.92 if kind == "silent" else None)
        for part in ("upper", "lower", "both"):
            if part in s["iou"]:
                v, early = s["iou"][part], s["iou"][f"final_{part}"]
                name = f"injected, {kind}, 1.5 px+: recall, {part}"
                yield Figure(
                    name, v["recall"], "", v["n"], better="higher", note=f"final {_text(early['recall'])}"
                )


def _animated(sets: dict[str, Any]) -> Iterator[Figure]:
    for name, s in sets.items():
        if name.startswith("animated"):
            yield _f1(f"{name}: F1, 1.5 px+", s["iou"]["from_1.5_px"], _STILL_AIMS.get(int(name.split()[1])))
    if (s := sets.get("slow fades")) is not None:
        v = s["apex_inside"]["from_1.5_px"]
        yield Figure("slow fades: recall, apex inside", v["recall"], "", v["n"], better="higher")
    for kind in ("blink", "speech", "gaze", "shake", "macro"):
        drawn = [
            s["taken_for"][kind] for n, s in sets.items() if n.split()[0] in ("animated", "blinks", "slow")
        ]
        n, taken = (sum(v[key] for v in drawn) for key in ("n", "taken"))
        aim = 0.01 if kind == "blink" else None
        yield Figure(f"{kind} taken for one", taken / n if n else None, "", n, None, None, aim)


def _f1(name: str, v: dict[str, Any], aim: float | None) -> Figure:
    note = f"precision {_text(v['precision'])}, recall {_text(v['recall'])}, fp {v['fp']}"
    better: Literal["higher"] = "higher"
    return Figure(name, v["f1"], "", v["n"], None, None, aim, better, note)


def _times(s: dict[str, Any] | None) -> Iterator[Figure]:
    if s is None:
        return
    for state, aim in (("provisional", 40.0), ("final", 50.0), ("settled", 550.0)):
        v = s["delay_ms"][state]
        name = f"{state} delay p50, 200 fps"
        yield Figure(name, v["p50"], "ms", v["n"], None, None, aim, "lower", f"p95 {_text(v['p95'])}")
    v = s["apex_error_ms"]
    bias = f"p90 {_text(v['p90'])}, bias {_text(s['apex_bias_ms'])} (+ is late)"
    yield Figure("apex error, median, 200 fps", v["p50"], "ms", v["n"], None, None, 15.0, "lower", bias)


def _cost(s: dict[str, Any] | None) -> Iterator[Figure]:
    if s is None:
        return
    motion = s["motion_ms_per_frame"]
    beyond = motion["p50"] - s["flow_ms_per_frame"] + s["spotter_ms_per_frame"]
    note = "processor time, one thread"
    yield Figure("motion per frame, whole", motion["p50"], "ms", motion["n"], note=note)
    yield Figure("of it the flow shared with ATNet", s["flow_ms_per_frame"], "ms")
    yield Figure("spotter per frame", s["spotter_ms_per_frame"], "ms")
    yield Figure("beyond the shared flow", beyond, "ms", None, None, None, 1.0)


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
