"""The spotting benchmark's numbers as figures with the targets beside them."""

from __future__ import annotations

from typing import Any

from mer_live.benchmarks.result import Figure


def figures(report: dict[str, Any]) -> list[Figure]:
    """One row a figure, set by set; the targets are those of the benchmark's own definition."""
    rows: list[Figure] = []
    for name, s in report["sets"].items():
        if name.startswith("untouched"):
            rows += _untouched(name, s)
            continue
        fast = name in ("animated 200 fps", "animated 100 fps")
        rows += _found(name, s, 0.80 if fast else 0.65 if name != "animated 50 fps" else None)
        if name.startswith("injected"):
            rows += [
                _part(name, s, "at_rest", "face at rest"),
                _part(name, s, "moving", "face already moving"),
            ]
        rows += _timed(name, s, name == "animated 200 fps")
        if name.startswith("animated"):
            rows += _taken(name, s)
    rows += _cost(report["sets"].get("animated 200 fps"))
    for search, v in report["offline_apex"].items():
        rows.append(
            Figure(f"offline apex error, {search}", v["median_ms"], "ms", v["n"], note="cut clips, 200 fps")
        )
    return rows


def _found(name: str, s: dict[str, Any], target: float | None) -> list[Figure]:
    strong, inside = s["iou"]["from_1.5_px"], s["apex_inside"]["from_1.5_px"]
    weak = s["recall_near_0.75_px"]
    note = f"precision {_text(strong['precision'])}, recall {_text(strong['recall'])}, fp {strong['fp']}"
    return [
        Figure(f"{name}: F1, 1.5 px+", strong["f1"], "", strong["n"], None, None, target, "higher", note),
        Figure(f"{name}: F1, apex inside", inside["f1"], "", inside["n"], better="higher"),
        Figure(
            f"{name}: F1, all from 0.5 px", s["iou"]["all"]["f1"], "", s["iou"]["all"]["n"], better="higher"
        ),
        Figure(
            f"{name}: recall about 0.75 px",
            weak["recall"],
            "",
            weak["n"],
            None,
            None,
            0.5,
            "higher",
            "0.65-0.9 px",
        ),
    ]


def _part(name: str, s: dict[str, Any], key: str, what: str) -> Figure:
    v = s["iou"][key]
    note = f"precision {_text(v['precision'])}, recall {_text(v['recall'])}, fp {v['fp']}"
    return Figure(f"{name}: F1, 1.5 px+, {what}", v["f1"], "", v["n"], better="higher", note=note)


def _timed(name: str, s: dict[str, Any], judged: bool) -> list[Figure]:
    apex, early, late = s["apex_error_ms"], s["provisional_delay_ms"], s["final_delay_ms"]
    bias = f"p90 {_text(apex['p90'])}, bias {_text(s['apex_bias_ms'])} (+ is late)"

    def row(what: str, v: dict[str, Any], target: float, note: str) -> Figure:
        return Figure(
            f"{name}: {what}", v["p50"], "ms", v["n"], None, None, target if judged else None, "lower", note
        )

    return [
        row("apex error, median", apex, 15.0, bias),
        row("provisional delay p50", early, 50.0, f"p95 {_text(early['p95'])}"),
        row("final delay p50", late, 60.0, f"p95 {_text(late['p95'])}"),
    ]


def _untouched(name: str, s: dict[str, Any]) -> list[Figure]:
    note = f"{s['minutes']:.2f} minutes; {_text(s['provisional_withdrawn_per_minute'])} a minute withdrawn"
    count = s["iou"]["all"]["fp"]
    value = s["false_alarms_per_minute"]
    return [Figure(f"{name}: false alarms a minute", value, "1/min", count, None, None, 1.0, "lower", note)]


def _taken(name: str, s: dict[str, Any]) -> list[Figure]:
    rows = []
    for kind, v in s["taken_for"].items():
        target = 0.02 if kind == "blink" else None
        rows.append(Figure(f"{name}: {kind} taken for one", v["part"], "", v["n"], None, None, target))
    return rows


def _cost(s: dict[str, Any] | None) -> list[Figure]:
    if s is None:
        return []
    motion = s["motion_ms_per_frame"]
    beyond = motion["p50"] - s["flow_ms_per_frame"] + s["spotter_ms_per_frame"]
    return [
        Figure(
            "motion per frame, whole", motion["p50"], "ms", motion["n"], note="processor time, one thread"
        ),
        Figure("of it the flow shared with ATNet", s["flow_ms_per_frame"], "ms"),
        Figure("spotter per frame", s["spotter_ms_per_frame"], "ms"),
        Figure("beyond the shared flow", beyond, "ms", None, None, None, 1.0),
    ]


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
