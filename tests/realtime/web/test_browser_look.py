"""Light, dark, phone and 200 %: whether all of it can be read, and stays where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.web_axe import axe_script, violations
from support.web_browser import begin, browser, empty_room, server

from mer_live.realtime.demo.clip import demo_clip

pytestmark = pytest.mark.slow
OPEN = "#status[data-state=open]"
WAIT_MS = 60_000


@pytest.fixture(scope="module")
def script(pytestconfig: pytest.Config) -> str:
    """axe-core."""
    assert pytestconfig.cache is not None
    return axe_script(pytestconfig.cache.mkdir("axe"))


SHIFTS = """
window.shift = 0;
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) shift += entry.value;
}).observe({ type: "layout-shift", buffered: true });
"""
CUT = """
async () => {
  const words = await (await fetch(`/static/${document.documentElement.lang}.json`)).json();
  const pill = document.getElementById("status");
  const shown = pill.textContent;
  const cut = Object.keys(words).filter((key) => key.startsWith("status.")).filter((key) => {
    pill.textContent = words[key];
    return pill.scrollWidth > pill.clientWidth;
  });
  pill.textContent = shown;
  const names = [...document.querySelectorAll(".bars .name")].filter((e) => e.offsetParent);
  return [...cut, ...names.filter((e) => e.scrollWidth > e.clientWidth).map((e) => e.textContent)];
}
"""


@pytest.mark.parametrize(
    ("look", "wide", "high"),
    [("light", 1200, 820), ("dark", 390, 844), ("light", 844, 390), ("light", 600, 410)],
)
def test_nothing_is_hard_to_read_and_nothing_moves(
    chromium: str,
    camera: Path,
    play: Any,
    site: int,
    script: str,
    look: str,
    wide: int,
    high: int,
) -> None:
    """Desk, phone upright and on its side, desk at 200 %: axe finds nothing, whatever is shown."""
    with browser(play, chromium, camera) as chrome:
        page = chrome.new_context(
            viewport={"width": wide, "height": high},
            color_scheme=look,
            locale="de-DE",
            reduced_motion="reduce",
        ).new_page()
        page.add_init_script(SHIFTS)
        page.goto(f"http://127.0.0.1:{site}/")
        assert violations(page, script) == []
        begin(page, site)
        page.wait_for_selector(OPEN, timeout=WAIT_MS)
        page.wait_for_selector(".card[data-state=final]", timeout=WAIT_MS)
        page.wait_for_selector("#latest .loop canvas", timeout=WAIT_MS)
        assert page.evaluate("() => shift") < 0.05
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        page.click("#cards summary")
        assert violations(page, script) == []
        assert page.evaluate(CUT) == []
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


def test_no_trouble_is_hard_to_read(chromium: str, camera: Path, play: Any, port: int, script: str) -> None:
    """Camera refused, wrong token, ended by its limit, server lost."""
    with server(port, "--token", "open sesame", "--total", "4") as process:
        with browser(play, chromium, camera, allowed=False) as chrome:
            page = chrome.new_page()
            begin(page, port)
            page.wait_for_selector("#consent-notice[data-kind=error]", timeout=WAIT_MS)
            assert violations(page, script) == []
        with browser(play, chromium, camera) as chrome:
            page = chrome.new_page()
            begin(page, port)
            page.wait_for_selector("#consent-notice[data-kind=error]", timeout=WAIT_MS)
            assert violations(page, script) == []
            page.fill("#token", "open sesame")
            page.click("#begin")
            page.wait_for_selector("#status[data-state=failed]", timeout=WAIT_MS)
            assert violations(page, script) == []
            process.kill()
            page.click("#stop")
            page.wait_for_selector("#status[data-state=waiting]", timeout=WAIT_MS)
            assert violations(page, script) == []


def test_no_face_and_no_place_are_easy_to_read(
    chromium: str, tmp_path: Path, play: Any, port: int, script: str
) -> None:
    empty = empty_room(tmp_path / "empty.y4m")
    with server(port, "--sessions", "1"), browser(play, chromium, empty) as chrome:
        page, late = chrome.new_page(), chrome.new_page()
        begin(page, port)
        page.wait_for_function(
            "() => document.getElementById('phase').textContent === 'No face'", timeout=WAIT_MS
        )
        assert violations(page, script) == []
        begin(late, port)
        late.wait_for_selector("#notice:not([hidden])", timeout=WAIT_MS)
        assert "full" in late.inner_text("#notice")
        assert violations(late, script) == []


def test_the_servers_own_camera_is_easy_to_read(chromium: str, play: Any, port: int, script: str) -> None:
    with server(port, "--video", str(demo_clip())), browser(play, chromium, None) as chrome:
        page = chrome.new_page()
        page.goto(f"http://127.0.0.1:{port}/")
        page.wait_for_function("() => document.getElementById('begin').textContent === 'Watch'")
        assert violations(page, script) == []
        begin(page, port)
        page.wait_for_selector(".card[data-state=final]", timeout=WAIT_MS)
        assert violations(page, script) == []
        late = chrome.new_page()
        begin(late, port)
        late.locator(".card summary").first.click(timeout=WAIT_MS)
        late.wait_for_function(
            "() => document.querySelector('.card .loop.none')?.textContent === 'This page has no pictures of it.'"
        )
