"""``mer-bench soak``: mer-web for an hour, with visitors who come, go, flood and break; what it keeps of them.

The visitors (`visits`) are peers on loopback, without a browser. They come in rounds: each kind once, in a drawn
order, overlapping. After a round the server is left alone until nobody is in; what it holds then is what counts.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import psutil
from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector
from prometheus_client.parser import text_string_to_metric_families

from mer_live.benchmarks.result import Figure, Result
from mer_live.benchmarks.slope import gained
from mer_live.benchmarks.web.server import free_port, server
from mer_live.benchmarks.web.visits import VISITS, Street

_SAMPLE_S = 15.0
_EVERY_S = 10.0
_VISIT_S = 150.0
_EMPTY_S = 90.0
"""Visitors' own ends, the server's limits for silence and its last frees all lie within."""
_WARM_ROUNDS = 2
_POOL = 5
_POOL_WORDS = "the loop's pool starts its six as they are needed"


@dataclass(frozen=True, slots=True)
class Held:
    """What the server's process holds at one moment."""

    t_s: float
    rss_mb: float
    threads: int
    handles: int
    sessions: int
    answer_ms: float
    """Of /metrics: a loop that is held up answers late."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a soak saw."""

    samples: list[Held]
    """One every 15 seconds."""
    empty: list[Held]
    """One after each round, when nobody was in."""
    ended: dict[str, float]
    """Ends of sessions by reason."""
    visits: dict[str, int]
    """By kind."""
    trouble: list[str]
    """Visits that did not go as they should."""
    full: list[str]
    """Visits that found every place taken, and left."""
    again: list[str]
    """Why connections had to be tried again."""

    def details(self) -> dict[str, Any]:
        """For the result: what the plot and later questions need."""
        return asdict(self)


def run(minutes: float = 60.0, seed: int = 17) -> Result:
    """Rounds of visits for about ``minutes``. Raises RuntimeError when the server does not start."""
    port = free_port()
    said: deque[str] = deque(maxlen=1000)
    with server(port, said=said) as process:
        soak = _Soak(psutil.Process(process.pid), port)
        cores = asyncio.run(soak.run(minutes * 60, seed))
    kept = soak.kept
    figures = [
        *judge(kept),
        Figure("cores used by the server", round(cores, 3), "cores", len(kept.samples)),
        Figure("lines that the server wrote", len(said), "", sum(kept.visits.values()), target=0),
    ]
    settings = {"minutes": round(kept.samples[-1].t_s / 60, 1), "seed": seed, "rounds": len(kept.empty)}
    return Result("soak", settings, figures, details={**kept.details(), "said": list(said)})


def judge(kept: Kept) -> list[Figure]:
    """Gains from the first warm round to the last one, with nobody in."""
    warm = kept.empty[min(_WARM_ROUNDS, len(kept.empty) - 1) :]
    hours, rss = [sample.t_s / 3600 for sample in warm], [sample.rss_mb for sample in warm]
    n, visits, every = len(warm), sum(kept.visits.values()), len(kept.samples)
    late = float(np.quantile([sample.answer_ms for sample in kept.samples], 0.99))
    return [
        gained("memory, nobody in: slope", "MB/h", hours, rss, target=20),
        Figure("memory, nobody in, after the last round", rss[-1], "MB", n),
        Figure("memory, at most", max(sample.rss_mb for sample in kept.samples), "MB", every),
        Figure("threads gained", warm[-1].threads - warm[0].threads, "", n, target=_POOL, note=_POOL_WORDS),
        Figure("handles gained", warm[-1].handles - warm[0].handles, "", n, target=0),
        Figure("visits that did not go as they should", len(kept.trouble), "", visits, target=0),
        Figure("connections that were tried again", len(kept.again), "", visits),
        Figure("sessions that failed on the server", kept.ended.get("error", 0.0), "",
               round(sum(kept.ended.values())), target=0),
        Figure("/metrics answered within, p99", late, "ms", every),
    ]  # fmt: skip


class _Soak:
    """Sends visitors and looks at the server meanwhile; lives in the event loop."""

    def __init__(self, process: psutil.Process, port: int) -> None:
        self.kept = Kept([], [], {}, {visit.__name__: 0 for visit in VISITS}, [], [], [])
        self._process = process
        self._port = port
        self._begun = time.monotonic()

    async def run(self, seconds: float, seed: int) -> float:
        """Rounds for that long; cores that the server used meanwhile."""
        base = f"http://127.0.0.1:{self._port}"
        before = self._cpu_s()
        timeout = ClientTimeout(total=60)
        # A connection for each request: one that waits may be the oldest, which makes room for the next.
        way = TCPConnector(force_close=True)
        async with ClientSession(base, headers={"Origin": base}, timeout=timeout, connector=way) as http:
            street = await asyncio.to_thread(Street.of, http, self._port, seed)
            self._begun = time.monotonic()
            watch = asyncio.create_task(self._watch(http))
            while time.monotonic() - self._begun < seconds:
                await self._round(street)
            watch.cancel()
            self.kept.again.extend(street.again)
            self.kept.ended.update((await self._figures(http))[1])
        return (self._cpu_s() - before) / (time.monotonic() - self._begun)

    def _cpu_s(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    async def _round(self, street: Street) -> None:
        order = list(VISITS)
        street.chance.shuffle(order)
        tasks = []
        for visit in order:
            self.kept.visits[visit.__name__] += 1
            tasks.append(asyncio.create_task(asyncio.wait_for(visit(street), _VISIT_S), name=visit.__name__))
            await asyncio.sleep(_EVERY_S)
        done, _ = await asyncio.wait(tasks)
        for task in done:
            if isinstance(error := task.exception(), ConnectionRefusedError):
                self.kept.full.append(task.get_name())
            elif error is not None:
                self.kept.trouble.append(f"{task.get_name()}: {error!r}")
        async with asyncio.timeout(_EMPTY_S):
            while (sample := await self._look(street.http)) is None or sample.sessions:
                await asyncio.sleep(1)
        self.kept.empty.append(sample)

    async def _watch(self, http: ClientSession) -> None:
        while True:
            if (sample := await self._look(http)) is not None:
                self.kept.samples.append(sample)
            await asyncio.sleep(_SAMPLE_S)

    async def _look(self, http: ClientSession) -> Held | None:
        asked = time.monotonic()
        try:
            figures, _ = await self._figures(http)
        except (ClientError, TimeoutError) as error:
            self.kept.trouble.append(f"/metrics: {error!r}")
            return None
        answered = time.monotonic()
        process = self._process
        return Held(
            round(answered - self._begun, 1),
            round(process.memory_info().rss / 1e6, 1),
            process.num_threads(),
            process.num_fds() if hasattr(process, "num_fds") else process.num_handles(),
            round(figures["mer_sessions"]),
            round(1000 * (answered - asked), 1),
        )

    async def _figures(self, http: ClientSession) -> tuple[dict[str, float], dict[str, float]]:
        """Values of /metrics that have no label; ends of sessions by reason."""
        async with http.get("/metrics") as response:
            families = list(text_string_to_metric_families(await response.text()))
        samples = [sample for family in families for sample in family.samples]
        plain = {sample.name: sample.value for sample in samples if not sample.labels}
        ended = {s.labels["reason"]: s.value for s in samples if s.name == "mer_sessions_ended_total"}
        return plain, ended
