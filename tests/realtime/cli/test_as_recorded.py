from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.made_session import make_session

from mer_live.engines.bundle import load_bundle
from mer_live.realtime.cli.as_recorded import as_recorded
from mer_live.realtime.cli.options import Options
from mer_live.realtime.demo.clip import demo_clip
from mer_live.realtime.session.layout import EVENTS, INFO

RECORDED = {
    "config": {"sensitivity": 0.7, "decide": "final", "landmark_period_ms": 40, "of a later version": 1},
    "options": {"bundle": None},
    "bundles": [{"name": "mtm", "sha256": "another"}],
    "backend": "onnxruntime",
}


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mer_live.realtime.cli.main", "--no-ui", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    return done


def options_for(video: Path, **change: Any) -> Options:
    given: dict[str, Any] = dict.fromkeys(("fps", "size", "fourcc", "pace", "report", "duration_s"), None)
    given |= {
        "camera": (),
        "video": (str(video),),
        "demo": False,
        "bundles": ("madtn",),
        "backend": "auto",
        "ui": False,
    }
    return Options.checked(**given | {"sensitivity": 0.5, "decide": "settled", "events": ()} | change)


def test_a_session_is_analysed_with_its_own_bundles_and_configuration(tmp_path: Path) -> None:
    folder = make_session(tmp_path / "s")
    info = json.loads((folder / INFO).read_text())
    (folder / INFO).write_text(json.dumps({**info, **RECORDED}))
    found, line = as_recorded(options_for(folder), ())
    assert (found.bundles, found.backend) == (("mtm",), "onnxruntime")
    assert (found.live.sensitivity, found.live.decide, found.live.landmark_period_ms) == (0.7, "final", 40)
    assert line is not None
    assert "mtm is not the one it was recorded with" in line
    own = {"sensitivity", "decide", "bundle", "backend"}
    found, line = as_recorded(options_for(folder, sensitivity=0.2), own)
    assert (found.bundles, found.backend) == (("madtn",), "auto")
    assert (found.live.sensitivity, found.live.decide) == (0.2, "settled")
    assert line == "as recorded: madtn, sensitivity 0.2, decide settled"


@pytest.mark.parametrize("what", [{}, {"config": 1}, {"bundles": 7}])
def test_a_session_that_tells_nothing_of_its_run_takes_the_options(
    what: dict[str, Any], tmp_path: Path
) -> None:
    folder = make_session(tmp_path / "s")
    if what:
        info = json.loads((folder / INFO).read_text())
        (folder / INFO).write_text(json.dumps({**info, **RECORDED, **what}))
    given = options_for(folder)
    assert as_recorded(given, ()) == (given, None)
    video = options_for(demo_clip())
    assert as_recorded(video, ()) == (video, None)


@pytest.mark.slow
def test_a_replayed_session_has_the_same_bytes_but_for_compute_times(tmp_path: Path) -> None:
    folder, again = tmp_path / "s", tmp_path / "again.jsonl"
    run(
        *("--video", demo_clip(), "--duration", 3.5, "--record", folder, "--record-codec", "crops"),
        *("--bundle", "mtm", "--backend", "onnxruntime", "--sensitivity", 0.6, "--decide", "final"),
    )
    said = run("--video", folder, "--events", again).stderr
    assert "as recorded: mtm, sensitivity 0.6, decide final" in said
    assert load_bundle("mtm").card.sha256 == json.loads((folder / INFO).read_text())["bundles"][0]["sha256"]

    def without_compute(path: Path) -> bytes:
        return re.sub(rb'"compute_ms": [0-9.]+', b"", path.read_bytes())

    assert b'"state": "final"' in again.read_bytes()
    assert without_compute(again) == without_compute(folder / EVENTS)
