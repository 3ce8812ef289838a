"""The data channel's language: typed, versioned JSON objects, one a message.

Server to page: hello, start (when time 0 was), state, health, event, withdrawn, marker, moves (where the face moved in
an event), bump (why a rise of the curve was no event), pong, trouble, bye. Page to server: ping, mute, marker, stop.
``start``, ``event``, ``withdrawn`` and ``marker`` are the records of the JSONL output with ``v`` and ``run`` added.
Times ``*_s`` count from the first analysed frame of a run; ``mono_ms``, ``zero_ms`` are the server's monotonic clock.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from mer_live.realtime.face.tracker import FaceTracker
from mer_live.realtime.markers.marking import MOST_CHARACTERS
from mer_live.realtime.pipeline import Pipeline
from mer_live.realtime.sinks import event_line
from mer_live.realtime.types import Event
from mer_live.realtime.web.media.sdp import OfferError

VERSION = 1


class MessageError(ValueError):
    """A message from the page that this version does not take."""


class _Strict(BaseModel):
    """Exactly the fields it names, exactly of their types: true is no 1, and no number is too large."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Message(_Strict):
    v: Annotated[int, Field(ge=VERSION, le=VERSION)]


class Ping(_Message):
    """The page lives; it wants its own time back, with the server's."""

    type: Literal["ping"]
    t: Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
    """Milliseconds."""


class Mute(_Message):
    """Stop or resume analysing."""

    type: Literal["mute"]
    on: bool


class Mark(_Message):
    """The visitor marks this moment."""

    type: Literal["marker"]
    text: Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS)]


class Stop(_Message):
    """The visitor has ended the session."""

    type: Literal["stop"]


class PictureSize(_Strict):
    """Of the page's camera, px."""

    width: Annotated[int, Field(ge=16, lt=8192)]
    height: Annotated[int, Field(ge=16, lt=8192)]


class Offer(_Strict):
    """What POST /offer carries."""

    sdp: str
    video: PictureSize | None = None
    record: bool = False
    """The visitor has agreed that the session is recorded."""


_MESSAGE: TypeAdapter[Ping | Mute | Mark | Stop] = TypeAdapter(
    Annotated[Ping | Mute | Mark | Stop, Field(discriminator="type")]
)


def parse(data: str | bytes, most_bytes: int) -> Ping | Mute | Mark | Stop:
    """Read a page's message. Raises MessageError for anything that is not exactly one of them."""
    if not isinstance(data, str):
        raise MessageError("messages are text")
    if len(data) > most_bytes:
        raise MessageError(f"a message has at most {most_bytes} characters")
    try:
        return _MESSAGE.validate_json(data)
    except ValidationError as error:
        raise MessageError(f"a message is a ping, mute, marker or stop of version {VERSION}") from error


def parse_offer(body: bytes, most_chars: int) -> Offer:
    """Read the body of POST /offer. Raises OfferError, one sentence."""
    try:
        offer = Offer.model_validate_json(body)
    except ValidationError as error:
        raise OfferError("the offer is not JSON with a session description and a size in pixels") from error
    if len(offer.sdp) > most_chars:
        raise OfferError(f"a session description has at most {most_chars} characters")
    return offer


def encode(kind: str, **content: Any) -> str:
    """One message as text."""
    return json.dumps({"v": VERSION, "type": kind, **content}, separators=(",", ":"))


def event_message(item: Event, run: int) -> str:
    """An event, as every sink writes it."""
    return line_message(event_line(item), run)


def line_message(content: dict[str, Any], run: int) -> str:
    """A line of the JSONL output as a message."""
    return json.dumps({"v": VERSION, "run": run, **content}, separators=(",", ":"))


def newest_ns(pipeline: Pipeline) -> int | None:
    """Capture time of the newest frame that is through, on the monotonic clock; None before the first."""
    count = pipeline.counters
    return count.last_done_ns - count.age_ns if count.first_ns is not None else None


def stream_s(pipeline: Pipeline) -> float | None:
    """Time of the newest frame that is through, from the run's first one; None before it."""
    newest, first = newest_ns(pipeline), pipeline.counters.first_ns
    if newest is None or first is None:
        return None
    return round((newest - first - (pipeline.source.epoch_ns or 0)) / 1e9, 4)


def _place(tracker: FaceTracker) -> list[dict[str, Any]]:
    if (face := tracker.face) is None:
        return []
    left, top, right, bottom = face.box
    return [{"id": tracker.person, "box": [round(v, 1) for v in (left, top, right - left, bottom - top)]}]


def state_message(pipeline: Pipeline, run: int, level: float, dropped: int, speaking: bool) -> str:
    """What the page draws, `state_hz` times a second.

    ``faces`` are those that are followed: ``id``, and ``box`` (x, y, width, height) in pixels of ``frame`` (width,
    height). ``face`` and ``phase`` are of the first that is analysed.
    """
    count = pipeline.counters
    newest = newest_ns(pipeline)
    zero = None if count.first_ns is None else count.first_ns + (pipeline.source.epoch_ns or 0)
    first = next((path for path in pipeline.paths if path.tracker.status == "ok"), pipeline.paths[0])
    faces = [place for path in pipeline.paths for place in _place(path.tracker)]
    return encode(
        "state",
        run=run,
        t_s=stream_s(pipeline),
        mono_ms=None if newest is None else round(newest / 1e6, 2),
        zero_ms=None if zero is None else round(zero / 1e6, 2),
        frame=list(pipeline.source.size),
        face=first.tracker.status,
        faces=faces,
        phase=first.spotter.phase,
        speaking=speaking,
        level=round(level, 3),
        fps=round(count.rate.hz, 1),
        dropped=dropped,
        age_ms=round(count.age_ns / 1e6, 1),
    )
