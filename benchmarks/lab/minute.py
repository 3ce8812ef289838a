"""``mer-bench minute``: a coder's minute: 20 events decided by keyboard, by a hand that is driven."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mer_live.benchmarks.inputs import looped
from mer_live.benchmarks.result import Figure, Result, Times
from mer_live.benchmarks.web.browser import browser, browser_path
from mer_live.realtime.demo.clip import demo_clip
from mer_live.realtime.session.layout import EVENTS
from mer_live.realtime.session.read import read_session
from mer_live.realtime.session.review.coder import CoderFile

_EVENTS, _AIM_S = 20, 120.0
_SECONDS = 45
"""Of the demo clip over and over: it has five events in ten seconds."""
_WAIT_MS = 120_000
_COMMAND = (sys.executable, "-m", "mer_live.realtime.cli")


def run(look_s: float = 2.0, codec: str = "ffv1", session: Path | None = None) -> Result:
    """From ``mer-live review DIR`` to the last decision; every event is looked at for ``look_s`` once it is shown.

    Args:
        look_s: what a person takes to decide; no person was asked.
        codec: of the session that is recorded first.
        session: where it is kept; one that is there already is used, and its decisions are thrown away.

    Raises RuntimeError, one sentence, where there is no browser or the command fails.
    """
    path = browser_path()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as scratch:
        folder = session or Path(scratch) / "session"
        if not folder.exists():
            _record(folder, codec, Path(scratch))
        events = read_session(folder).last_revisions
        if len(events) < _EVENTS:
            raise RuntimeError(f"{folder / EVENTS} has {len(events)} events, and {_EVENTS} are to be decided")
        CoderFile(folder).path.unlink(missing_ok=True)
        shown_ns = []
        started = time.monotonic()
        with _reviewed(folder) as address, sync_playwright() as playwright:
            opened = browser(playwright, path, None)
            page = opened.new_page(bypass_csp=True)  # the waits below are evaluated in the page
            page.goto(address)
            opened_s = time.monotonic() - started
            asked_ns = time.monotonic_ns()
            for number in range(1, _EVENTS + 1):
                page.wait_for_function("document.querySelector('#why').textContent !== ''", timeout=_WAIT_MS)
                shown_ns.append(time.monotonic_ns() - asked_ns)
                page.wait_for_timeout(look_s * 1e3)
                asked_ns = time.monotonic_ns()
                page.keyboard.press("r" if number % 4 == 0 else "a")
                page.wait_for_function(
                    f"document.querySelectorAll('#list .accepted, #list .rejected').length === {number}",
                    timeout=_WAIT_MS,
                )
            took_s = time.monotonic() - started
            opened.close()
        decided = CoderFile(folder).decided(events)
    done = sum(one["verdict"] is not None for one in decided)
    result = Result("minute", {"look_s": look_s, "codec": codec, "hand": "driven, no person"})
    note = f"of them {look_s * _EVENTS:g} s looking, {opened_s:.1f} s until the page was open"
    result.figures = [
        Figure("events decided by keyboard", took_s, "s", done, target=_AIM_S, note=note),
        Figure("events of which the decision is on disk", done, "", _EVENTS, target=_EVENTS, better="higher"),
    ]
    shown = Times.of("key pressed to next event shown", shown_ns[1:])
    result.figures.append(
        Figure(f"{shown.name}, median", shown.p50, "ms", shown.n, note=f"at most {shown.max:.0f} ms")
    )
    result.times = [shown]
    return result


def _record(folder: Path, codec: str, scratch: Path) -> None:
    clip = looped(demo_clip(), scratch / "clip.mp4", _SECONDS)
    command = [*_COMMAND, "--video", str(clip), "--record", str(folder), "--record-codec", codec, "--no-ui"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"mer-live ended with {done.returncode}: {done.stderr.strip()[-500:]}")


@contextmanager
def _reviewed(folder: Path) -> Iterator[str]:
    """``mer-live review`` in a process of its own; its address."""
    command = [*_COMMAND, "review", str(folder)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = process.stderr.readline()
        try:
            if not said.startswith("Open "):
                raise RuntimeError(f"mer-live review: {said.strip()}")
            yield said.split()[1]
        finally:
            process.terminate()
