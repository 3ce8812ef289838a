"""A real browser, and what it films, for the tests of the page; where there is none they skip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.web_browser import browser_path, write_camera

from mer_live.benchmarks.web.server import free_port, server
from mer_live.engines.bundle import list_bundles


@pytest.fixture(scope="session")
def chromium() -> str:
    path = browser_path()
    if not {"madtn", "atnet"} <= set(list_bundles()):
        pytest.skip("the shipped bundles are missing")
    return path


@pytest.fixture(scope="session")
def camera(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A face with the first two micro-expressions of the demo clip, at 30 fps."""
    return write_camera(tmp_path_factory.mktemp("camera") / "face.y4m", fps=30, seconds=4.4)


@pytest.fixture(scope="module")  # no longer: it keeps an event loop running in this thread
def play(chromium: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def site(chromium: str) -> Iterator[int]:
    """Port of a server with the options of `mer-web`, for the tests that do nothing to it."""
    port = free_port()
    with server(port, "--sessions", "8"):
        yield port
