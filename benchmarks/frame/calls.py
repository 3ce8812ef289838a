"""The demo clip through the live path with counters in it; a program of its own: no module may be loaded before.

``python -m mer_live.benchmarks.frame.calls`` prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter, defaultdict
from typing import Any

from mer_live.benchmarks.frame.counting import Counts, install

STAGES = ("ring", "crop", "motion", "spotter", "clip")
"""What comes before and after the path's own stages, too: the worker's loop, and the copy of a decision's clip."""
KINDS = ("repeated", "usual", "look", "decision")
"""A camera's picture that came twice; nothing special; the spotter looked back; something was decided."""
_SETTLED_NS = 2_000_000_000
_SHOWN = 60


def run(seconds: float | None = None) -> dict[str, Any]:
    """Counts of each frame of the clip, or of its first ``seconds``: {"frames": {kind: n}, "stages", "lines"}."""
    counts = install()
    from mer_live.engines.bundle import load_bundle
    from mer_live.realtime.config import BUNDLES
    from mer_live.realtime.demo.clip import demo_clip
    from mer_live.realtime.pipeline import Pipeline
    from mer_live.realtime.recognition.recognizer import Recognizer
    from mer_live.realtime.sources.config import CameraConfig
    from mer_live.realtime.sources.open import open_source

    rows: defaultdict[str, list[list[int]]] = defaultdict(list)
    lines: defaultdict[str, Counter[str]] = defaultdict(Counter)
    config = CameraConfig(source=str(demo_clip()), duration_s=seconds)
    with Recognizer([load_bundle(name) for name in BUNDLES]) as recognizer:
        pipeline = Pipeline(open_source(config), recognizer)
        _watch(pipeline, counts, rows, lines)
        with pipeline:
            pipeline.join()
    if pipeline.error is not None:
        raise pipeline.error
    return {
        "rows": rows,
        "lines": {kind: found.most_common(_SHOWN) for kind, found in lines.items()},
    }


def _watch(pipeline: Any, counts: Counts, rows: Any, lines: Any) -> None:
    (path,) = pipeline.paths
    step, mark, window = path.step, path._mark, path.spotter._window
    marks, done = list[int](), [0]

    def marked(stage: str) -> None:
        marks.append(counts.n)
        mark(stage)

    def watched(frame: Any, whole: Any = None) -> Any:
        counts.thread = threading.get_ident()
        begun, looked_ns = counts.n, window._looked_ns
        marks.clear()
        made = step(frame, whole)
        if frame.t_ns > _SETTLED_NS and len(marks) == 3:
            ends = [*marks, counts.n]
            kind = _kind(made, window._looked_ns != looked_ns)
            # What the worker did since the frame before belongs to this one.
            between = [begun - done[0], *(b - a for a, b in zip([begun, *marks], ends, strict=True))]
            rows[kind].append(between)
            lines[kind].update(counts.lines)
        counts.lines.clear()
        done[0] = counts.n
        return made

    path._mark, path.step = marked, watched


def _kind(made: Any, looked: bool) -> str:
    if made.spotted:
        return "decision"
    if made.motion is None or made.motion.repeated:
        return "repeated"
    return "look" if looked else "usual"


if __name__ == "__main__":
    print(json.dumps(run(float(sys.argv[1]) if len(sys.argv) > 1 else None)))
