"""A camera (or a video) to events: python examples/camera_to_events.py 0"""

import sys

from mer_live.realtime import watch

where = sys.argv[1] if len(sys.argv) > 1 else "0"
with watch(int(where) if where.isdigit() else where) as session:
    for event in session:
        apex_s = event.span.apex.t_ns / 1e9
        print(f"{apex_s:8.3f} s  {event.state:<11}  {event.label:<8}  {event.probs.max():.2f}", event.reason)
print(f"{session.pipeline.counters.processed} frames, {session.pipeline.dropped} dropped")
