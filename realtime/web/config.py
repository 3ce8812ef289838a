"""Every default and limit of ``mer-web`` in one place."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path

from mer_live.engines.trt.file import Precision
from mer_live.realtime.config import LiveConfig


def browser_config(
    sensitivity: float = 0.5, faces: int = 1, device: str = "auto", precision: Precision = "fp32"
) -> LiveConfig:
    """The live path for a visitor's camera, which gives 60 fps at most.

    A server that cannot keep up drops frames evenly from 100 ms on: what it says is late by little. Landmarks
    come at 10 Hz, for several visitors share the cores; point tracking follows the head between them.
    """
    return LiveConfig(
        ring_s=0.5,
        behind_s=0.1,
        landmark_period_ms=80,
        sensitivity=sensitivity,
        faces=faces,
        device=device,
        precision=precision,
    )


@dataclass(frozen=True, slots=True)
class WebConfig:
    """How the server listens and what one visitor may use; rejects what makes no sense."""

    host: str = "127.0.0.1"
    port: int = 8080
    cert: Path | None = None
    key: Path | None = None
    """TLS certificate chain and key, PEM; both or none."""
    token: str | None = None
    """What a visitor must know to connect."""
    origins: tuple[str, ...] = ()
    """Further origins that may connect, such as https://lab.example; the server's own always may."""
    sessions: int = 4
    """Connections at once; the next one is told that the server is busy."""
    half_open: int = 2
    """Connections of one address that are still being made; a further offer is told to wait."""
    reach_s: float = 6.0
    """From the answer to the first packet of the visitor that proves to be theirs (ICE)."""
    connect_s: float = 15.0
    """From the answer to a working connection: a handshake on a bad network takes several attempts."""
    silence_s: float = 6.0
    """Without any sign of life a connection is dead; it is then freed within 10 s of its death."""
    idle_s: float = 180.0
    """Without a frame to analyse (muted, or no picture) a session ends."""
    total_s: float = 3600.0
    """A session ends after this long."""
    state_hz: float = 20.0
    """State messages a second: as often as the page draws."""
    view_fps: float = 30.0
    """Frames a second of the video that viewers of the server's camera get."""
    connections: int = 64
    """HTTP connections at once; then the oldest is closed."""
    read_s: float = 10.0
    """For a TLS handshake, a request's headers, its body, and the pause between two requests."""
    header_bytes: int = 4_096
    """Of the request line, and of one header."""
    sdp_bytes: int = 32_768
    message_bytes: int = 1_024
    """Of one message from the page."""
    messages_per_s: int = 30
    """Messages a second from the page; a page that sends more is cut off."""
    outbox_messages: int = 128
    """Events that wait for a slow page; then the oldest is dropped and counted."""
    outbox_bytes: int = 65_536
    """Bytes in the data channel's own buffer before messages wait."""
    encoded_frames: int = 30
    """Received frames that wait to be decoded; then all are dropped until the next key frame. Half a second at 60
    fps: decoding is quick, and each frame needs the one before it."""
    largest_px: int = 1920 * 1088
    """Width times height of received pictures; a sender of larger ones is cut off before they are decoded."""
    handover_frames: int = 6
    """Received frames that wait to be converted; then the oldest is dropped and counted."""
    late_s: float = 0.5
    """A frame that arrives this much later than the quickest is dropped and counted."""
    most_pixels: int = 1280 * 720
    """Larger pictures are scaled down to this many pixels for the analysis."""
    record: Path | None = None
    """Folder in which sessions of visitors who agree are recorded; None records nobody."""
    live: LiveConfig = field(default_factory=browser_config)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65_535:
            raise ValueError(f"--port is 0 to 65535, not {self.port}.")
        if self.sessions < 1:
            raise ValueError(f"--sessions must be at least 1, not {self.sessions}.")
        for option, value in (("--idle", self.idle_s), ("--total", self.total_s)):
            if not 0 < value < math.inf:
                raise ValueError(f"{option} is a number of seconds above 0, not {value}.")
        if (self.cert is None) != (self.key is None):
            raise ValueError("--cert and --key go together: give both files.")
        for path in (self.cert, self.key):
            if path is not None and not path.is_file():
                raise ValueError(f"There is no file {str(path)!r}: check --cert and --key.")
        if self.token is not None and len(self.token) < 8:
            raise ValueError("--token needs at least 8 characters.")
        if self.record is not None and not self.record.is_dir():
            raise ValueError(
                f"There is no folder {str(self.record)!r}: create it, for --record makes one a visit in it."
            )
        for origin in self.origins:
            if not origin.startswith(("http://", "https://")) or origin.endswith("/"):
                raise ValueError(f"--origin is like https://lab.example, not {origin!r}.")

    @property
    def scheme(self) -> str:
        """http, or https where a certificate is given."""
        return "http" if self.cert is None else "https"

    @property
    def loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def warning(self) -> str | None:
        """What is wrong with being reachable from other machines as configured; None when all is well."""
        missing = [
            words
            for words, there in (("TLS (--cert and --key)", self.cert), ("a token (--token)", self.token))
            if there is None
        ]
        if self.loopback or not missing:
            return None
        return (
            f"listening on {self.host} without {' and without '.join(missing)}: other machines reach this "
            "server, and browsers refuse the camera on plain http"
        )
