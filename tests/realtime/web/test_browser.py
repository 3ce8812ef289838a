"""The page in a real browser. Needs Chromium and playwright (`web_browser.browser_path` says how to get them)."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import pytest
from support.web_browser import begin, browser, server, write_camera
from support.web_relay import lossy

from mer_live.realtime.demo.clip import demo_clip, demo_truth
from mer_live.realtime.session.read import read_session
from mer_live.realtime.sinks.csv import columns

pytestmark = pytest.mark.slow
OPEN = "#status[data-state=open]"
WAIT_MS = 60_000


SEEN = "window.seen = []; addEventListener('mer:message', (e) => seen.push(e.detail))"
MARKED = "() => seen.some((m) => m.type === 'marker')"
AWAKE = """
window.awake = 0;
Object.defineProperty(navigator, "wakeLock", {
  value: { request: async () => ((awake = 1), { release: async () => (awake = 0) }) },
});
"""
HIDE = """(away) => {
  Object.defineProperty(document, "hidden", { value: away, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


KEEPS_FOCUS = """
async () => {
  const button = document.querySelector("#latest .loop button");
  button?.focus();
  const newest = [...document.querySelectorAll("#cards details")].at(-1);
  for (newest.open of [false, true]) await new Promise((done) => setTimeout(done, 50)); // drawn anew, at both places
  return button !== null && document.activeElement === button;
}
"""


@pytest.mark.parametrize("fps", [30, 60])
def test_from_consent_to_the_downloaded_events(
    chromium: str, play: Any, site: int, tmp_path: Path, fps: int
) -> None:
    camera = write_camera(tmp_path / "face.y4m", fps=fps, seconds=4.4)
    with browser(play, chromium, camera) as chrome:
        page = chrome.new_page(viewport={"width": 1200, "height": 820})
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
        page.add_init_script(SEEN)
        page.add_init_script(AWAKE)
        page.goto(f"http://127.0.0.1:{site}/")
        assert page.is_disabled("#begin")  # nothing before consent
        begin(page, site)
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
        assert page.evaluate("() => window.awake") == 1
        assert "times rest" in page.inner_text("#curve-text")
        page.select_option("#only", "negative")  # the first two are of other classes
        assert (
            page.locator(".card[data-label=positive]:visible, .card[data-label=surprise]:visible").count()
            == 0
        )
        page.select_option("#only", "")
        assert page.locator(".card:visible").count() == page.locator(".card").count()
        page.evaluate(HIDE, True)
        assert page.title() == "mer-live goes on"
        page.evaluate(HIDE, False)
        assert page.title() == "mer-live"
        page.click("#mute")
        page.wait_for_selector("#mute[aria-pressed=true]")
        assert "nothing is sent" in page.inner_text("#stage-words")
        page.click("#mute")
        with page.expect_download() as download:
            page.click("#csv")
        download.value.save_as(tmp_path / "events.csv")
        with (tmp_path / "events.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert set(rows[0]) == {*columns(), "stream"} - {"source"}  # a page has one
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
        assert page.evaluate("() => window.awake") == 0
        assert problems == []


def test_the_page_connects_again_after_the_server_was_killed(
    chromium: str, camera: Path, play: Any, port: int
) -> None:
    with browser(play, chromium, camera) as chrome:
        page = chrome.new_page()
        with server(port) as process:
            begin(page, port)
            page.wait_for_selector(OPEN, timeout=WAIT_MS)
            page.wait_for_selector(".card[data-state=final]", timeout=WAIT_MS)
            process.kill()
            page.wait_for_selector("#status[data-state=waiting]", timeout=WAIT_MS)
            assert "Trying again" in page.inner_text("#notice")
            assert "Nothing is analysed" in page.inner_text("#stage-words")
            assert page.is_disabled("#mute")  # or it would say Paused, and Live after that
        with server(port):
            page.wait_for_selector(OPEN, timeout=WAIT_MS)
            page.wait_for_selector(".divider + .card", timeout=WAIT_MS)  # its times begin anew
            assert "New connection at" in page.inner_text(".divider")


def test_a_network_that_loses_packets_costs_no_session(
    chromium: str, camera: Path, play: Any, site: int
) -> None:
    with browser(play, chromium, camera) as chrome:
        page = chrome.new_page()
        page.add_init_script(SEEN)
        with lossy(page, 0.05) as relays:
            begin(page, site)
            page.wait_for_selector(".card[data-state=final]", timeout=WAIT_MS)
            # What is lost may also be the first answer of all: then the page begins once more.
            begun = len(relays)
            frames = page.evaluate("() => Math.max(...seen.map((m) => m.frames ?? 0))")
            page.wait_for_function("(n) => seen.some((m) => m.frames > n + 30)", arg=frames, timeout=WAIT_MS)
            assert page.get_attribute("#status", "data-state") == "open"
        assert len(relays) == begun
        assert relays[-1].lost > 20
        assert 0.03 < relays[-1].lost / (relays[-1].lost + relays[-1].passed) < 0.07


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
        page.wait_for_function(KEEPS_FOCUS, timeout=WAIT_MS)
        card = page.locator(".card:has(.loop button)").first
        card.locator("summary").focus()
        for _ in range(2):  # closed, and opened again
            page.keyboard.press("Enter")
        card.locator(".loop button").wait_for()
        assert page.evaluate("document.activeElement.localName") == "summary"
        card.locator(".loop button").focus()
        page.keyboard.press("Enter")
        assert card.locator(".loop button").inner_text() == "Play the loop"
        page.focus("#stop")
        page.keyboard.press("Enter")
        page.wait_for_selector("#status[data-state=closed]")


def test_another_camera_may_be_chosen_after_the_stop(
    chromium: str, camera: Path, play: Any, site: int
) -> None:
    with browser(play, chromium, camera) as chrome:
        page = chrome.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        begin(page, site)
        page.wait_for_selector(OPEN, timeout=WAIT_MS)
        page.click("#stop")
        page.wait_for_selector("#status[data-state=closed]")
        page.evaluate("() => document.getElementById('camera').dispatchEvent(new Event('change'))")
        page.click("#stop")
        page.wait_for_selector(OPEN, timeout=WAIT_MS)
        assert problems == []


def test_a_visitor_is_recorded_only_with_the_box_ticked(
    chromium: str, camera: Path, play: Any, port: int, tmp_path: Path
) -> None:
    with server(port, "--record", str(tmp_path)), browser(play, chromium, camera) as chrome:
        page = chrome.new_page()
        begin(page, port)  # agrees to be analysed, and to nothing more
        page.wait_for_selector(OPEN, timeout=WAIT_MS)
        assert not page.is_visible("#recording")
        page.click("#stop")
        page.wait_for_selector("#status[data-state=closed]")
        assert list(tmp_path.iterdir()) == []
        page.add_init_script(SEEN)
        page.goto(f"http://127.0.0.1:{port}/")
        assert not page.is_checked("#record")
        page.check("#agree")
        page.check("#record")
        page.click("#begin")
        page.wait_for_selector(OPEN, timeout=WAIT_MS)
        page.wait_for_selector("#recording", timeout=WAIT_MS)
        page.wait_for_selector(".card", timeout=WAIT_MS)
        page.click("#mark")
        page.wait_for_function(MARKED, timeout=WAIT_MS)
        page.click("#stop")
        page.wait_for_selector("#status[data-state=closed]")
        with page.expect_download() as download:
            page.click("#csv")
        download.value.save_as(tmp_path.parent / "events.csv")
    with (tmp_path.parent / "events.csv").open(newline="") as file:
        kinds = {row["type"]: row for row in csv.DictReader(file)}
    assert kinds["marker"]["text"] == "mark 1"
    assert float(kinds["marker"]["onset_s"]) > 0
    (folder,) = tmp_path.iterdir()
    session = read_session(folder)
    assert session.info["complete"]
    assert [marker["text"] for marker in session.markers] == ["mark 1"]
    assert (session.frames.analysed & (session.frames.anchor > 0)).any()
