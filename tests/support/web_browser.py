"""The browser of `mer-bench web` for tests: where there is none they skip and say why."""

from __future__ import annotations

import subprocess
from contextlib import AbstractContextManager

import pytest

from mer_live.benchmarks.web import browser as _browser
from mer_live.benchmarks.web import server as _server
from mer_live.benchmarks.web.browser import begin, browser, write_camera

__all__ = ["begin", "browser", "browser_path", "server", "write_camera"]


def server(port: int, *arguments: str) -> AbstractContextManager[subprocess.Popen[str]]:
    """`mer-web` with one bundle: it starts a second sooner than with the three that it takes by itself."""
    return _server.server(port, "--bundle", "madtn", *arguments)


def browser_path() -> str:
    """The system's Chromium; skips the test where it or its driver is missing."""
    try:
        return _browser.browser_path()
    except RuntimeError as error:
        pytest.skip(str(error))
