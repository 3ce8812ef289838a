from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from aiohttp import ClientSession
from support.web_client import counted, emptied, serving

from mer_live.benchmarks.report.plots import draw_one
from mer_live.benchmarks.result import Result
from mer_live.benchmarks.web.soak import Held, Kept, judge
from mer_live.benchmarks.web.visits import Street, bombs, floods, mumbles, never_connects


def kept(mb_an_hour: float, handles: int) -> Kept:
    """An hour of samples every minute, a round every five."""
    samples = [
        Held(60.0 * k, 400 + mb_an_hour * k / 60, 9, 8 + (handles if k > 50 else 0), 0, 5.0)
        for k in range(61)
    ]
    return Kept(samples, samples[5::5], {"stop": 12.0}, {"stays": 12}, [], [], [])


def test_what_grows_is_seen_and_what_does_not_is_not() -> None:
    for mb_an_hour, handles, met in ((0.0, 0, True), (100.0, 3, False)):
        result = Result("soak", figures=judge(kept(mb_an_hour, handles)))
        assert result.figure("memory, nobody in: slope").value == pytest.approx(mb_an_hour, abs=1e-6)
        assert result.figure("memory, nobody in: slope").met is met
        assert result.figure("handles gained").value == handles
        assert result.figure("handles gained").met is met


def test_the_plot_is_drawn_from_the_result_alone(tmp_path: Path) -> None:
    result = Result("soak", details=kept(3.0, 0).details())
    draw_one(result, tmp_path / "soak.png")
    assert (tmp_path / "soak.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="no picture"):
        draw_one(Result("soak"), tmp_path / "none.png")


@pytest.mark.slow
def test_visitors_who_break_things_end_as_they_should() -> None:
    async def run() -> None:
        async with serving() as (site, http):
            base = f"http://{http.host}:{http.port}"
            async with ClientSession(base, headers={"Origin": base}) as outside:
                street = await asyncio.to_thread(Street.of, outside, http.port or 0, 5)
                assert len(street.face) == len(street.larger) == 45
                for visit in (never_connects, floods, mumbles, bombs):
                    await asyncio.wait_for(visit(street), 60)
                    await emptied(site)
            ends = counted(site, "mer_sessions_ended_total")
            assert ends.pop("connect") >= 2  # three, where offering takes longer than the first one is kept
            assert ends == {"flood": 1, "stop": 1, "size": 1}

    asyncio.run(run())
