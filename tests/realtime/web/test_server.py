from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
from pathlib import Path

import aiohttp
import numpy as np
import pytest
from support.web_client import SureRecognizer, counted, serving
from typer.testing import CliRunner

from mer_live.benchmarks.web.visitor import post_offer
from mer_live.realtime.web.cli import app
from mer_live.realtime.web.config import WebConfig
from mer_live.realtime.web.server import serve


def test_every_answer_carries_the_policy() -> None:
    async def run() -> None:
        async with serving() as (_, http):
            for path in ("/", "/static/app.js", "/healthz", "/nowhere", "/static/../config.py"):
                async with http.get(path) as response:
                    policy = response.headers["Content-Security-Policy"]
                    assert "default-src 'none'" in policy
                    assert "unsafe" not in policy
                    assert response.headers["X-Content-Type-Options"] == "nosniff"
            async with http.get("/", headers={"Accept-Language": "de"}) as response:
                assert response.headers["Content-Language"] == "de"
                assert "Kein Lügendetektor" in await response.text()
            async with http.get("/healthz") as response:
                assert await response.json() == {"status": "ok"}

    asyncio.run(run())


def test_strangers_names_origins_and_tokens_are_refused() -> None:
    async def run() -> None:
        config = WebConfig(token="secret-word", origins=("https://lab.example",))
        async with serving(config) as (site, http):
            right = {"Authorization": "Bearer secret-word"}
            assert (await post_offer(http, {"sdp": ""}, **right, Origin="http://evil.example"))[0] == 403
            assert (await post_offer(http, {"sdp": ""}))[0] == 401
            assert (await post_offer(http, {"sdp": ""}, Authorization="Bearer other"))[0] == 401
            assert (await post_offer(http, {"sdp": ""}, **right))[0] == 400
            assert (await post_offer(http, {"sdp": ""}, **right, Origin="https://lab.example"))[0] == 400
            async with http.post("/offer", data=b"{}", headers=right) as response:  # no origin at all
                assert response.status == 403
            for host, status in (("evil.example", 403), ("localhost:1", 200), ("192.0.2.9", 200)):
                async with http.get("/", headers={"Host": host}) as response:
                    assert response.status == status
            for headers, status in (({}, 401), (right, 200)):
                async with http.get("/metrics", headers=headers) as response:
                    assert response.status == status
            assert counted(site, "mer_offers_refused_total") == {"origin": 2, "token": 2, "offer": 2}

    asyncio.run(run())


def test_fifty_garbage_offers_leave_nothing_behind() -> None:
    rng = np.random.default_rng(3)

    async def run() -> None:
        async with serving() as (site, http):
            bodies = [
                *(rng.integers(0, 256, 200).astype(np.uint8).tobytes() for _ in range(20)),
                b"",
                b"[]",
                b"null",
                b'{"sdp": 5}',
                b'{"sdp": null}',
                b"[" * 5000,
                json.dumps({"sdp": "v=0"}).encode(),
                *(
                    json.dumps(
                        {
                            "sdp": "v=0\r\nm=video 9 X 96\r\na=sendonly\r\n"
                            "m=application 9 Y webrtc-datachannel\r\n"
                            + "".join(chr(c) for c in rng.integers(32, 126, 300))
                            + "\r\na=mid:" * k
                        }
                    ).encode()
                    for k in range(23)
                ),
            ]
            assert len(bodies) == 50
            for body in bodies:
                status, answer = await post_offer(http, body)
                assert status == 400
                assert answer["error"] == "offer"
            assert len(site.sessions) == 0
            for size, most in ((40_000, 32_768), (100_000, 65_536)):
                assert size > most
                status, answer = await post_offer(http, {"sdp": "v=0" + "x" * size})
                assert status in (400, 413)

    asyncio.run(run())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--camera", "0", "--video", "x"], "not both"),
        (["--fps", "30"], "--fps goes with"),
        (["--sessions", "0"], "at least 1"),
        (["--port", "70000"], "65535"),
        (["--cert", "/nowhere.pem"], "go together"),
        (["--cert", "/nowhere.pem", "--key", "/nowhere.pem"], "no file"),
        (["--token", "short"], "8 characters"),
        (["--origin", "lab.example"], "--origin is like"),
        (["--backend", "abacus"], "--backend is one of"),
        (["--sensitivity", "2"], "between 0 and 1"),
    ],
)
def test_wrong_options_are_said_in_one_sentence(arguments: list[str], words: str) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_missing_video_is_exit_code_3() -> None:
    result = CliRunner().invoke(app, ["--video", "/nowhere.mp4", "--bundle", "madtn"])
    if "neither a shipped name" in result.stderr:
        pytest.skip("the bundles are not there")
    assert result.exit_code == 3


def test_being_reachable_without_tls_and_token_is_said_loudly(tmp_path: Path) -> None:
    assert WebConfig().warning is None
    assert WebConfig(host="localhost").warning is None
    assert "TLS" in (WebConfig(host="0.0.0.0").warning or "")
    pem = tmp_path / "x.pem"
    pem.touch()
    assert "a token" in (WebConfig(host="192.0.2.1", cert=pem, key=pem).warning or "")
    assert WebConfig(host="::", cert=pem, key=pem, token="long enough").warning is None


def test_tls(tmp_path: Path) -> None:
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=localhost",
    ]
    try:
        subprocess.run([*command, "-keyout", key, "-out", cert], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed: apt-get install openssl")

    async def run() -> None:
        stop, port = asyncio.Event(), asyncio.get_running_loop().create_future()
        config = WebConfig(port=0, cert=cert, key=key)
        recognizer = SureRecognizer()
        server = asyncio.create_task(serve(config, recognizer, None, stop, port.set_result))  # type: ignore[arg-type]
        trust = ssl.create_default_context(cafile=str(cert))
        trust.check_hostname = False
        url = f"https://127.0.0.1:{await port}"
        async with aiohttp.ClientSession() as http:
            async with http.get(f"{url}/healthz", ssl=trust) as response:
                assert response.status == 200
            async with http.post(f"{url}/offer", ssl=trust, data=b"{}", headers={"Origin": url}) as response:
                assert response.status == 400  # the origin is right, the offer is not
        stop.set()
        await server

    asyncio.run(run())
