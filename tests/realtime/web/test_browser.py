"""The page in a real browser. Needs Chromium and playwright (`web_browser.browser_path` says how to get them)."""

from __future__ import annotations

import csv
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.web_axe import axe_script, violations
from support.web_browser import begin, browser, browser_path, server, write_camera
from support.web_relay import lossy

from mer_live.engines.bundle import list_bundles
from mer_live.realtime.demo.clip import demo_clip, demo_truth
from mer_live.realtime.sinks.csv import COLUMNS

pytestmark = pytest.mark.slow
OPEN = "#status[data-state=open]"
WAIT_MS = 60_000


@pytest.fixture(scope="module")
def chromium() -> str:
    path = browser_path()
    if not {"madtn", "atnet"} <= set(list_bundles()):
        pytest.skip("the shipped bundles are missing")
    return path


@pytest.fixture(scope="module")
def cameras(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """By frames a second: a face with the first two micro-expressions of the demo clip."""
    folder = tmp_path_factory.mktemp("camera")
    return {fps: write_camera(folder / f"face{fps}.y4m", fps=fps, seconds=4.4) for fps in (30, 60)}


@pytest.fixture(scope="module")
def camera(cameras: dict[int, Path]) -> Path:
    return cameras[30]


@pytest.fixture(scope="module")
def play(chromium: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("fps", [30, 60])
def test_from_consent_to_the_downloaded_events(
    chromium: str, cameras: dict[int, Path], play: Any, port: int, tmp_path: Path, fps: int
) -> None:
    with server(port), browser(play, chromium, cameras[fps]) as chrome:
        page = chrome.new_page(viewport={"width": 1200, "height": 820})
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.add_init_script("window.seen = []; addEventListener('mer:message', (e) => seen.push(e.detail))")
        page.goto(f"http://127.0.0.1:{port}/")
        assert page.is_disabled("#begin")  # nothing before consent
        begin(page, port)
        page.wait_for_selector(OPEN, timeout=WAIT_MS)
        page.wait_for_selector(".card[data-state=provisional]", timeout=WAIT_MS)
        page.wait_for_selector(".card[data-state=final]", timeout=WAIT_MS)
        labels = {event.label for event in demo_truth()[:2]}
        page.wait_for_function(
            """(labels) => {
                const right = (m) => m.type === "event" && labels.includes(m.label);
                const early = seen.filter((m) => right(m) && m.state === "provisional").map((m) => m.id);
                return seen.some((m) => right(m) && m.state === "final" && early.includes(m.id));
            }""",
            arg=list(labels),
            timeout=WAIT_MS,
        )
        page.wait_for_function("() => document.getElementById('f-arrives').textContent.startsWith('640×480')")
        if path := os.environ.get("MER_SCREENSHOT"):  # how docs/web.png is made
            page.wait_for_function(
                "() => document.querySelectorAll('.card:not([data-state=provisional])').length > 2"
            )
            page.wait_for_selector("#latest .loop canvas")
            page.screenshot(path=path)
        page.wait_for_function("() => document.querySelector('#latest .words')?.textContent.includes(' px')")
        page.click("#mute")
        page.wait_for_selector("#mute[aria-pressed=true]")
        assert "nothing is sent" in page.inner_text("#stage-words")
        page.click("#mute")
        with page.expect_download() as download:
            page.click("#csv")
        download.value.save_as(tmp_path / "events.csv")
        with (tmp_path / "events.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert set(rows[0]) == {*COLUMNS, "stream"}
        assert {row["label"] for row in rows} & labels
        with page.expect_download() as download:
            page.click("#jsonl")
        download.value.save_as(tmp_path / "events.jsonl")
        start, *lines = map(json.loads, (tmp_path / "events.jsonl").read_text().splitlines())
        assert (start["type"], start["clock"]) == ("start", "CLOCK_MONOTONIC")
        assert all(line["id"] for line in lines)
        page.click("#stop")
        page.wait_for_selector("#status[data-state=closed]")
        assert page.evaluate("document.getElementById('video').srcObject") is None
        assert problems == []


def test_the_page_connects_again_after_the_server_was_killed(
    chromium: str, camera: Path, play: Any, port: int
) -> None:
    with browser(play, chromium, camera) as chrome:
        page = chrome.new_page()
        with server(port) as process:
            begin(page, port)
            page.wait_for_selector(OPEN, timeout=WAIT_MS)
            process.kill()
            page.wait_for_selector("#status[data-state=waiting]", timeout=WAIT_MS)
            assert "Trying again" in page.inner_text("#notice")
            assert "Nothing is analysed" in page.inner_text("#stage-words")
        with server(port):
            page.wait_for_selector(OPEN, timeout=WAIT_MS)
            page.wait_for_selector(".card", timeout=WAIT_MS)


def test_a_network_that_loses_packets_costs_no_session(
    chromium: str, camera: Path, play: Any, port: int
) -> None:
    with server(port), browser(play, chromium, camera) as chrome:
        page = chrome.new_page()
        page.add_init_script("window.seen = []; addEventListener('mer:message', (e) => seen.push(e.detail))")
        with lossy(page, 0.05) as relays:
            begin(page, port)
            page.wait_for_selector(".card[data-state=final]", timeout=WAIT_MS)
            frames = page.evaluate("() => Math.max(...seen.map((m) => m.frames ?? 0))")
            page.wait_for_function("(n) => seen.some((m) => m.frames > n + 30)", arg=frames, timeout=WAIT_MS)
            assert page.get_attribute("#status", "data-state") == "open"
        assert len(relays) == 1
        assert relays[0].lost > 20
        assert 0.03 < relays[0].lost / (relays[0].lost + relays[0].passed) < 0.07


def test_a_full_server_says_so_and_lets_the_next_one_in(
    chromium: str, camera: Path, play: Any, port: int
) -> None:
    with server(port, "--sessions", "1"), browser(play, chromium, camera) as chrome:
        first, second = chrome.new_page(), chrome.new_page()
        begin(first, port)
        first.wait_for_selector(OPEN, timeout=WAIT_MS)
        begin(second, port)
        second.wait_for_selector("#notice:not([hidden])", timeout=WAIT_MS)
        assert "full" in second.inner_text("#notice")
        first.click("#stop")
        second.wait_for_selector(OPEN, timeout=WAIT_MS)


def test_every_trouble_with_the_camera_has_words(chromium: str, camera: Path, play: Any, port: int) -> None:
    cases = (
        (None, True, "", "No camera was found"),
        (camera, False, "", "was refused"),
        (camera, True, "Object.defineProperty(window, 'isSecureContext', {value: false})", "secure pages"),
    )
    with server(port):
        for source, allowed, script, words in cases:
            with browser(play, chromium, source, allowed=allowed) as chrome:
                page = chrome.new_page()
                page.add_init_script(script)
                begin(page, port)
                page.wait_for_function(
                    "(words) => document.getElementById('consent-notice').textContent.includes(words)",
                    arg=words,
                    timeout=WAIT_MS,
                )


def test_a_token_is_asked_for(chromium: str, camera: Path, play: Any, port: int) -> None:
    with server(port, "--token", "öffne dich+100 %"), browser(play, chromium, camera) as chrome:
        page = chrome.new_page(viewport={"width": 390, "height": 700})
        page.goto(f"http://127.0.0.1:{port}/")
        page.wait_for_selector("#token-row:not([hidden])")
        page.fill("#token", "wrong words")
        page.check("#agree")
        page.click("#begin")
        page.wait_for_selector("#consent-notice[data-kind=error]", timeout=WAIT_MS)
        assert "token" in page.inner_text("#consent-notice")
        assert page.evaluate(
            "document.getElementById('consent-notice').getBoundingClientRect().bottom <= innerHeight + 1"
        )
        page.fill("#token", "öffne dich+100 %")
        page.click("#begin")
        page.wait_for_selector(OPEN, timeout=WAIT_MS)


def test_the_servers_own_camera_by_keyboard_alone(chromium: str, play: Any, port: int) -> None:
    def go_to(name: str) -> None:
        for _ in range(12):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.id") == name:
                return
        pytest.fail(f"#{name} is not reached by the Tab key")

    with server(port, "--video", str(demo_clip())), browser(play, chromium, None) as chrome:
        page = chrome.new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        page.wait_for_function("() => document.getElementById('begin').textContent === 'Watch'")
        go_to("agree")
        page.keyboard.press("Space")
        go_to("begin")
        page.keyboard.press("Enter")
        page.wait_for_selector(OPEN, timeout=WAIT_MS)
        assert page.evaluate("document.activeElement.id") == "stop"
        page.wait_for_selector(".card[data-state=final]", timeout=WAIT_MS)
        page.wait_for_function("() => document.getElementById('video').videoWidth === 640", timeout=WAIT_MS)
        spoken = page.inner_text("#spoken")
        assert spoken.split(",")[0] in page.inner_text("#cards").lower()
        assert page.evaluate("[...document.querySelectorAll('button, input, select, canvas[role]')].every("
                             "(e) => e.labels?.length || e.ariaLabel || e.textContent.trim())")  # fmt: skip
        page.wait_for_selector("#latest .loop button", timeout=WAIT_MS)
        page.focus("#latest .loop button")
        page.keyboard.press("Enter")
        assert page.inner_text("#latest .loop button") == "Play the loop"
        page.focus("#stop")
        page.keyboard.press("Enter")
        page.wait_for_selector("#status[data-state=closed]")


SHIFTS = """
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""


@pytest.mark.parametrize(
    ("look", "wide", "high"),
    [("light", 1200, 820), ("dark", 390, 844), ("light", 844, 390), ("light", 600, 410)],
)
def test_nothing_is_hard_to_read_and_nothing_moves(
    chromium: str,
    camera: Path,
    play: Any,
    port: int,
    pytestconfig: pytest.Config,
    look: str,
    wide: int,
    high: int,
) -> None:
    """Desk, phone upright and on its side, desk at 200 %: axe finds nothing, whatever is shown."""
    assert pytestconfig.cache is not None
    script = axe_script(pytestconfig.cache.mkdir("axe"))
    with server(port), browser(play, chromium, camera) as chrome:
        page = chrome.new_context(
            viewport={"width": wide, "height": high},
            color_scheme=look,
            locale="de-DE",
            reduced_motion="reduce",
        ).new_page()
        page.add_init_script(SHIFTS)
        page.goto(f"http://127.0.0.1:{port}/")
        assert violations(page, script) == []
        begin(page, port)
        page.wait_for_selector(OPEN, timeout=WAIT_MS)
        page.wait_for_selector(".card[data-state=final]", timeout=WAIT_MS)
        page.wait_for_selector("#latest .loop canvas", timeout=WAIT_MS)
        assert page.evaluate("() => shift") < 0.05
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        page.click("#cards summary")
        assert violations(page, script) == []
        page.click("#mute")
        assert page.inner_text("#status") == "Angehalten"
        assert violations(page, script) == []
        small = page.evaluate(
            "() => [...document.querySelectorAll('button, select, summary, #language')].filter((e) => "
            "e.offsetParent && Math.min(e.offsetHeight, e.offsetWidth) < 44).map((e) => e.id || e.textContent)"
        )
        assert small == []
        page.click("#stop")
        page.wait_for_selector("#status[data-state=closed]")
        assert violations(page, script) == []


def test_another_camera_may_be_chosen_after_the_stop(
    chromium: str, camera: Path, play: Any, port: int
) -> None:
    with server(port), browser(play, chromium, camera) as chrome:
        page = chrome.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        begin(page, port)
        page.wait_for_selector(OPEN, timeout=WAIT_MS)
        page.click("#stop")
        page.wait_for_selector("#status[data-state=closed]")
        page.evaluate("() => document.getElementById('camera').dispatchEvent(new Event('change'))")
        page.click("#stop")
        page.wait_for_selector(OPEN, timeout=WAIT_MS)
        assert problems == []


def test_a_session_that_reached_its_limit_says_so(chromium: str, camera: Path, play: Any, port: int) -> None:
    with server(port, "--total", "3"), browser(play, chromium, camera) as chrome:
        page = chrome.new_page()
        begin(page, port)
        page.wait_for_selector("#status[data-state=failed]", timeout=WAIT_MS)
        assert page.inner_text("#status") == "Ended"
        assert "longest time" in page.inner_text("#stage-words")
