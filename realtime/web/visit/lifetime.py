"""When a session has to end: pure, the times arrive with the questions."""

from __future__ import annotations

from dataclasses import dataclass

from mer_live.realtime.web.config import WebConfig


@dataclass(slots=True)
class Lifetime:
    """Signs of life of one session; all times are the monotonic clock's, ns."""

    config: WebConfig
    started_ns: int
    reached: bool = False
    """Packets of the visitor arrive."""
    connected: bool = False
    """The data channel is open."""
    heard_ns: int = 0
    """Newest frame or message."""
    used_ns: int = 0
    """Newest frame that was analysed, or video that was watched."""

    def __post_init__(self) -> None:
        self.heard_ns = self.heard_ns or self.started_ns
        self.used_ns = self.used_ns or self.started_ns

    def verdict(self, now_ns: int) -> str | None:
        """Why the session must end now: 'connect', 'lost', 'idle' or 'limit'; None while it may go on."""
        limits: tuple[tuple[str, int, float], ...] = (
            ("lost", self.heard_ns, self.config.silence_s),
            ("idle", self.used_ns, self.config.idle_s),
            ("limit", self.started_ns, self.config.total_s),
        )
        if not self.connected:
            most_s = (
                self.config.connect_s if self.reached else min(self.config.reach_s, self.config.connect_s)
            )
            limits = (("connect", self.started_ns, most_s),)
        return next((why for why, since, most in limits if now_ns - since > most * 1e9), None)


class Allowance:
    """At most so many messages in any second, pure."""

    def __init__(self, per_second: int) -> None:
        self._most = per_second
        self._left = float(per_second)
        self._last_ns: int | None = None

    def take(self, now_ns: int) -> bool:
        """Whether one more is allowed now."""
        passed_s = 0.0 if self._last_ns is None else (now_ns - self._last_ns) / 1e9
        self._last_ns = now_ns
        self._left = min(float(self._most), self._left + passed_s * self._most)
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
