"""One run of ``mer-web``: from checked options to a server that has ended cleanly."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from mer_live.engines.bundle import load_bundle
from mer_live.engines.device.choice import check_device
from mer_live.engines.entry import ENDINGS, end_at_once
from mer_live.engines.runners import BACKENDS
from mer_live.engines.trt.file import Precision
from mer_live.realtime.face.landmarks import Landmarker, preload
from mer_live.realtime.process import settle_process
from mer_live.realtime.recognition.recognizer import open_recognizer
from mer_live.realtime.sources.config import CameraConfig
from mer_live.realtime.sources.open import open_source
from mer_live.realtime.web.config import WebConfig, browser_config
from mer_live.realtime.web.door import bind, load_tls
from mer_live.realtime.web.server import serve


@dataclass(frozen=True, slots=True)
class WebOptions:
    """What the user asked for, checked."""

    web: WebConfig
    camera: CameraConfig | None
    bundles: tuple[str, ...]
    backend: str

    @classmethod
    def checked(
        cls,
        *,
        host: str,
        port: int,
        camera: str | None,
        video: str | None,
        fps: float | None,
        sessions: int,
        token: str | None,
        origins: tuple[str, ...],
        cert: Path | None,
        key: Path | None,
        bundles: tuple[str, ...],
        backend: str,
        device: str,
        precision: str,
        sensitivity: float,
        faces: int,
        idle_s: float,
        total_s: float,
        record: Path | None = None,
    ) -> WebOptions:
        """Check everything that needs no device. Raises ValueError with one sentence."""
        if camera is not None and video is not None:
            raise ValueError("Give --camera or --video or neither, not both.")
        if fps is not None and camera is None and video is None:
            raise ValueError("--fps goes with --camera or --video; a visitor's camera has its own rate.")
        if backend not in BACKENDS:
            raise ValueError(f"--backend is one of {', '.join(BACKENDS)}, not {backend!r}.")
        check_device(device, backend)
        source: CameraConfig | None = None
        where = camera if camera is not None else video
        if where is not None:
            source = CameraConfig(source=where, fps=fps, pace="realtime")
        if record is not None and faces > 1:
            raise ValueError("A session is of one face: give --record without --faces.")
        if record is not None and where is not None:
            raise ValueError(
                "--record is about visitors; mer-live --camera N --record DIR records a camera here."
            )
        web = WebConfig(
            host=host,
            port=port,
            cert=cert,
            key=key,
            token=token or None,
            origins=origins,
            sessions=sessions,
            idle_s=idle_s,
            total_s=total_s,
            record=record,
            live=browser_config(sensitivity, faces, device, cast(Precision, precision)),
        )
        load_tls(web)
        return cls(web, source, bundles, backend)


def run(options: WebOptions, say: Callable[[str], None]) -> None:
    """Serve until a signal asks for the end.

    Raises SourceError, BundleError, BackendError, LandmarkerError or OSError, each one sentence.
    """
    web = options.web
    sockets = bind(web)  # a port that is taken is told before the engines are loaded
    settle_process()
    logging.getLogger("aioice").setLevel(logging.WARNING)
    preload()
    bundles = [load_bundle(name) for name in options.bundles]
    Landmarker().close()  # the first one takes a second: better now than in the first visitor's first second
    many = web.sessions if options.camera is None else 1
    with open_recognizer(bundles, options.backend, web.live, sources=many) as recognizer:
        source = None if options.camera is None else open_source(options.camera)
        say(recognizer.line)
        if source is not None:
            say(source.description)
        if web.warning is not None:
            say(f"WARNING: {web.warning}.")
        camera = None if options.camera is None or source is None else (options.camera, source)

        async def main() -> None:
            stop = asyncio.Event()
            loop = asyncio.get_running_loop()

            def end(*_: object) -> None:
                loop.call_soon_threadsafe(stop.set)
                end_at_once()  # at the second one

            for number in ENDINGS:
                signal.signal(number, end)
            await serve(web, recognizer, camera, stop, lambda port: say(_greeting(web, port)), sockets)

        gc.collect()
        gc.freeze()  # what is loaded stays; looking through it again would stop every session for half a second
        asyncio.run(main())


def _greeting(web: WebConfig, port: int) -> str:
    host = "localhost" if web.loopback else web.host
    secret = "" if web.token is None else "#token=..."
    return f"Open {web.scheme}://{host}:{port}/{secret} in a browser; Ctrl+C ends."
