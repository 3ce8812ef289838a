"""Debian's Firefox, driven by WebDriver BiDi over its own socket: no driver program is needed."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import pytest
from aiohttp import ClientSession, ClientWebSocketResponse

from mer_live.benchmarks.inputs import demo_recording

_PREFS = {
    "media.navigator.permission.disabled": True,  # nobody is there to allow the camera
    "media.autoplay.default": 0,
    "datareporting.policy.dataSubmissionEnabled": False,
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
}
_CAMERA = """() => {
  const pictures = %s.map((data) => Object.assign(new Image(), { src: "data:image/jpeg;base64," + data }));
  navigator.mediaDevices.getUserMedia = async () => {
    await Promise.all(pictures.map((picture) => picture.decode()));
    const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 480 });
    const c = canvas.getContext("2d");
    let number = 0;
    setInterval(() => c.drawImage(pictures[number++ %% pictures.length], 0, 0), 1000 / 30);
    return canvas.captureStream(30);
  };
}"""


class Tab:
    """One page."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = count(1)
        self._context = ""

    async def open(self, url: str, before: str) -> None:
        """Load ``url``; ``before`` is a function that runs ahead of the page's own scripts."""
        await self.ask("session.new", capabilities={})
        tree = await self.ask("browsingContext.getTree")
        self._context = tree["contexts"][0]["context"]
        await self.ask("script.addPreloadScript", functionDeclaration=before)
        await self.ask("browsingContext.navigate", context=self._context, url=url, wait="complete")

    async def run(self, expression: str) -> Any:
        """The value of a JavaScript expression that is a number, a text, a truth or null."""
        done = await self.ask(
            "script.evaluate",
            expression=expression,
            target={"context": self._context},
            awaitPromise=True,
            userActivation=True,
        )
        if done["type"] != "success":
            raise AssertionError(done["exceptionDetails"]["text"])
        return done["result"].get("value")

    async def until(self, expression: str, s: float = 90) -> None:
        """Wait until ``expression`` is true."""
        try:
            async with asyncio.timeout(s):
                while not await self.run(expression):
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise AssertionError(f"not true within {s} s: {expression}") from None

    async def ask(self, method: str, **params: Any) -> Any:
        """One BiDi command and its result."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        while True:
            answer = await self._socket.receive_json()
            if answer.get("id") == number:
                if answer["type"] == "error":
                    raise AssertionError(f"{method}: {answer['message']}")
                return answer["result"]


@asynccontextmanager
async def firefox(folder: Path) -> AsyncIterator[Tab]:
    """A headless Firefox with a profile in ``folder``; skips the test where there is none."""
    path = shutil.which("firefox-esr") or shutil.which("firefox")
    if path is None:
        pytest.skip("no Firefox: apt-get install firefox-esr")
    prefs = "".join(f"user_pref({json.dumps(k)}, {json.dumps(v)});\n" for k, v in _PREFS.items())
    (folder / "user.js").write_text(prefs)
    process = await asyncio.create_subprocess_exec(
        path, "--headless", "--no-remote", "--remote-debugging-port", "0", "--profile", str(folder),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        async with asyncio.timeout(60):
            async for line in process.stderr:
                if found := re.search(rb"BiDi listening on (ws://\S+)", line):
                    break
            else:
                raise AssertionError("this Firefox has no WebDriver BiDi")
        async with ClientSession() as http:
            yield Tab(await http.ws_connect(f"{found[1].decode()}/session", max_msg_size=0))
    finally:
        process.kill()
        await process.wait()


def face_camera(seconds: float) -> str:
    """A function for `Tab.open` that makes the demo clip the page's camera, at 30 frames a second."""
    frames = demo_recording(seconds).at_rate(30).frames
    coded = (cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 92])[1] for frame in frames)
    return _CAMERA % json.dumps([base64.b64encode(data.tobytes()).decode() for data in coded])
