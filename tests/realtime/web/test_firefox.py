"""The main path in Debian's Firefox, whose offers, names and statistics are its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from support.web_firefox import face_camera, firefox

from mer_live.benchmarks.web.server import free_port, server
from mer_live.engines.bundle import list_bundles
from mer_live.realtime.demo.clip import demo_truth

pytestmark = pytest.mark.slow


def test_from_consent_to_an_event_in_firefox(tmp_path: Path) -> None:
    if "madtn" not in list_bundles():
        pytest.skip("the shipped bundles are missing")

    async def run(port: int) -> None:
        async with firefox(tmp_path) as tab:
            await tab.open(f"http://127.0.0.1:{port}/", face_camera(4.4))
            await tab.run("document.getElementById('agree').click()")
            await tab.run("document.getElementById('begin').click()")
            await tab.until("document.getElementById('status').dataset.state === 'open'")
            await tab.until(
                "document.querySelector('.card[data-state=final], .card[data-state=settled]') !== null"
            )
            await tab.until("document.querySelector('#latest .loop canvas') !== null")
            label = await tab.run("document.querySelector('.card').dataset.label")
            assert label in {event.label for event in demo_truth()[:2]}
            await tab.until("/ px/.test(document.querySelector('#latest .words')?.textContent)")
            await tab.run("document.getElementById('stop').click()")
            await tab.until("document.getElementById('status').dataset.state === 'closed'")

    port = free_port()
    with server(port, "--bundle", "madtn"):
        asyncio.run(run(port))
