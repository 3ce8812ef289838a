"""Events inside an asyncio program: python examples/asyncio_events.py VIDEO"""

import asyncio
import sys

from mer_live.realtime import Event, watch


async def react(events: "asyncio.Queue[Event | None]") -> None:
    """Whatever your program does when somebody's face twitches."""
    while (event := await events.get()) is not None:
        print(event.label, f"{event.delay_ns / 1e6:.0f} ms after it happened")


async def main() -> None:
    """The session has its own threads; one more carries its events into the loop."""
    loop, events = asyncio.get_running_loop(), asyncio.Queue[Event | None]()

    def follow() -> None:
        with watch(sys.argv[1]) as session:
            for event in session:
                loop.call_soon_threadsafe(events.put_nowait, event)
        loop.call_soon_threadsafe(events.put_nowait, None)

    await asyncio.gather(asyncio.to_thread(follow), react(events))


asyncio.run(main())
