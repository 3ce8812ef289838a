"""What ``mer-live --check`` prints and writes."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from mer_live.engines.files import write_json
from mer_live.realtime.check.doctor import doctor
from mer_live.realtime.check.source import check_source
from mer_live.realtime.process import settle_process
from mer_live.realtime.sources.config import CameraConfig

_WORDS = {0: "fit", 1: "usable, with warnings", 3: "not usable"}


def run_check(cfg: CameraConfig | None, report: Path | None) -> int:
    """Check a source, or without one this machine; returns the exit code: 0 fit, 1 with warnings, 3 not usable.

    Raises SourceError, LandmarkerError or OSError, each one sentence.
    """
    settle_process()
    console = Console(highlight=False, soft_wrap=True, markup=False)
    if cfg is None:
        lines = doctor()
        for line in lines:
            console.print(f"{line.level:4} {line.what}: {line.text}")
        code = 3 if any(line.level == "bad" for line in lines) else 0
        content = {"verdict": _WORDS[code], "lines": [line.to_json() for line in lines]}
    else:
        checked = check_source(cfg)
        console.print(checked.description)
        for found in checked.findings:
            console.print(f"- {found}")
        code, content = checked.exit, checked.to_json()
    console.print(_WORDS[code])
    if report is not None:
        write_json(report, content)
    return code
