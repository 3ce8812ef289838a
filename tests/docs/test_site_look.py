"""The site in a browser: what axe-core finds, light, dark, on a phone and at 200 %; and by keyboard alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from support.web_axe import axe_script, violations
from support.web_browser import browser, browser_path

pytestmark = pytest.mark.slow
ONE_OF_EACH = ("", "accuracy/", "api/", "lab/record/", "source/realtime-path.py/")
"""Pages that hold what there is: pictures, wide tables, code, line numbers, deep headings."""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def chrome(address: str) -> Iterator[Any]:
    path = browser_path()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, browser(playwright, path, None) as opened:
        yield opened


@pytest.fixture(scope="module")
def axe(pytestconfig: pytest.Config) -> str:
    assert pytestconfig.cache is not None
    return axe_script(pytestconfig.cache.mkdir("axe"))


def serious(page: Any, script: str) -> list[tuple[str, str, list[str]]]:
    """What axe finds, but for the empty corners of tables, which it calls minor."""
    return [found for found in violations(page, script) if found[0] != "minor"]


def names(site: Path) -> list[str]:
    """Every page but the sources, of which one is enough."""
    found = sorted(str(p.parent.relative_to(site)) for p in site.rglob("index.html"))
    return [f"{n}/" if n != "." else "" for n in found if not n.startswith("source")] + [ONE_OF_EACH[-1]]


def test_axe_finds_nothing_on_any_page(site: Path, address: str, chrome: Any, axe: str) -> None:
    context = chrome.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    every = names(site)
    assert set(ONE_OF_EACH) <= set(every)
    found = {}
    for name in every:
        page.goto(address + name)
        if told := serious(page, axe):
            found[name] = told
    context.close()
    assert found == {}
    assert wrong == []


@pytest.mark.parametrize(
    ("look", "wide", "high"), [("dark", 1280, 800), ("dark", 390, 844), ("light", 640, 400)]
)
def test_it_can_be_read_in_the_dark_on_a_phone_and_enlarged(
    address: str, chrome: Any, axe: str, look: str, wide: int, high: int
) -> None:
    """640 x 400 is a screen of 1280 x 800 at 200 %: nothing may be cut or need two ways of scrolling."""
    context = chrome.new_context(
        viewport={"width": wide, "height": high}, color_scheme=look, reduced_motion="reduce"
    )
    page = context.new_page()
    found = {}
    for name in ONE_OF_EACH:
        page.goto(address + name)
        if told := serious(page, axe):
            found[name] = told
        assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth"), name
    dark = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    context.close()
    assert found == {}
    assert (sum(int(n) for n in dark.strip("rgb()").split(",")[:3]) < 200) == (look == "dark"), dark


def test_by_keyboard_alone(address: str, chrome: Any) -> None:
    """The first stop skips to the content; from there on every stop can be seen."""
    page = chrome.new_page()
    page.goto(address)
    page.keyboard.press("Tab")
    assert page.evaluate("() => document.activeElement.matches('.md-skip')")
    seen: dict[str, bool] = {}
    for _ in range(40):
        page.keyboard.press("Tab")
        text, shown = page.evaluate(
            "() => { const e = document.activeElement;"
            " const mark = e.matches('.md-option') ? e.nextElementSibling : e;"  # the switch of the theme is its label
            " const b = mark.getBoundingClientRect(), s = getComputedStyle(mark);"
            " const lit = s.outlineStyle !== 'none' || s.boxShadow !== 'none' || e.matches('input');"
            " return [e.id || e.textContent.trim().slice(0, 30), e === document.body || (b.width > 0 && lit)]; }"
        )
        seen[text] = shown
    assert {"Live", "Formats", "Accuracy"} <= set(seen), "links of the page itself"
    assert [stop for stop, shown in seen.items() if not shown] == []
    page.close()
