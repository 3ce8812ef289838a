"""What the page says when something is in the way, and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from support.web_browser import PICTURE, begin, browser, empty_room, server, write_y4m

from mer_live.benchmarks.inputs import demo_recording

pytestmark = pytest.mark.slow
OPEN = "#status[data-state=open]"
WAIT_MS = 60_000
IN_VIEW = "(id) => document.getElementById(id).getBoundingClientRect().bottom <= innerHeight + 1"


def test_every_trouble_with_the_camera_has_words(chromium: str, camera: Path, play: Any, site: int) -> None:
    cases = (
        (None, True, "", "No camera was found"),
        (camera, False, "", "was refused"),
        (camera, True, "Object.defineProperty(window, 'isSecureContext', {value: false})", "secure pages"),
    )
    for source, allowed, script, words in cases:
        with browser(play, chromium, source, allowed=allowed) as chrome:
            page = chrome.new_page(viewport={"width": 390, "height": 700})
            page.add_init_script(script)
            begin(page, site)
            page.wait_for_function(
                "(words) => document.getElementById('consent-notice').textContent.includes(words)",
                arg=words,
                timeout=WAIT_MS,
            )
            assert page.evaluate(IN_VIEW, "consent-notice")


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
        assert page.evaluate(IN_VIEW, "consent-notice")
        page.fill("#token", "öffne dich+100 %")
        page.click("#begin")
        page.wait_for_selector(OPEN, timeout=WAIT_MS)


def test_a_picture_that_stands_still_is_named(
    chromium: str, camera: Path, tmp_path: Path, play: Any, port: int
) -> None:
    frames = camera.read_bytes().partition(b"\nFRAME\n")[2]
    still = write_y4m(tmp_path / "still.y4m", 10, [frames[:PICTURE]] * 100)
    with server(port, "--video", str(still)), browser(play, chromium, None) as chrome:
        page = chrome.new_page()
        begin(page, port)
        page.wait_for_function(
            "() => document.getElementById('notice').textContent.includes('stands still')", timeout=WAIT_MS
        )


def test_whoever_is_not_seen_is_not_asked_for_anything(
    chromium: str, tmp_path: Path, play: Any, site: int
) -> None:
    with browser(play, chromium, empty_room(tmp_path / "empty.y4m")) as chrome:
        page = chrome.new_page()
        begin(page, site)
        page.wait_for_function(
            "() => document.getElementById('phase').textContent.includes('No face')", timeout=WAIT_MS
        )
        assert not page.is_visible("#try-it")
        assert page.inner_text("#f-fps") != "0 frames a second"


def test_a_session_that_reached_its_limit_says_so(chromium: str, camera: Path, play: Any, port: int) -> None:
    with server(port, "--total", "3"), browser(play, chromium, camera) as chrome:
        page = chrome.new_page()
        begin(page, port)
        page.wait_for_selector("#status[data-state=failed]", timeout=WAIT_MS)
        assert page.inner_text("#status") == "Ended"
        assert "longest time" in page.inner_text("#stage-words")


def test_two_faces_are_told_apart(chromium: str, tmp_path: Path, play: Any, port: int) -> None:
    frames = demo_recording(4.4).at_rate(30).at_size(480, 360).frames
    pictures = []
    for number, frame in enumerate(frames):
        later = frames[(number + 60) % len(frames)]
        both = np.pad(np.hstack([frame[:, 80:400], later[:, 80:400]]), ((60, 60), (0, 0), (0, 0)), "edge")
        pictures.append(cv2.cvtColor(both, cv2.COLOR_BGR2YUV_I420).tobytes())
    video = write_y4m(tmp_path / "two.y4m", 30, pictures)
    with server(port, "--video", str(video), "--faces", "2"), browser(play, chromium, None) as chrome:
        page = chrome.new_page()
        begin(page, port)
        page.wait_for_selector(".card .whose", timeout=WAIT_MS)
