"""Events as an ELAN file, read by the tool with which labs code video."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mer_live.engines.files import whole

TIERS = ("events", "apex", "class", "speaking", "markers")


class ElanError(OSError):
    """ELAN files cannot be written here; the message says what to install."""


def write_eaf(
    path: Path,
    events: Iterable[Mapping[str, Any]],
    *,
    media: Path | None,
    shift_s: float = 0.0,
    markers: Iterable[Mapping[str, Any]] = (),
    speaking: Iterable[tuple[float, float]] = (),
    coders: Mapping[str, Iterable[Mapping[str, Any]]] | None = None,
    properties: Mapping[str, Any] | None = None,
) -> None:
    """Write one annotation an event to each of the first three TIERS; events without an offset are left out.

    Args:
        path: ``.eaf``, written whole or not at all.
        events: records of the last revisions.
        media: video that is linked, by its full path and by its name.
        shift_s: added to the events' times, so that they count from the media's start.
        markers: ``t_s`` and ``text`` each.
        speaking: (start, end) s each.
        coders: by the name of a tier of its own: ``onset_s``, ``offset_s`` (None where not known) and ``text`` each.
        properties: kept in the header, such as the time of day at the start.

    Raises:
        ElanError: pympi-ling is not installed.
        OSError: the file cannot be written.
    """
    try:
        from pympi.Elan import Eaf
    except ImportError as error:
        raise ElanError("ELAN files need pympi-ling: pip install 'mer-live[lab]'") from error
    eaf = Eaf(author="mer-live")
    for tier in TIERS:
        eaf.add_tier(tier)
    eaf.remove_tier("default")
    if media is not None:
        eaf.add_linked_file(str(media.absolute()), relpath=f"./{media.name}", mimetype="video/x-matroska")
    for key, value in (properties or {}).items():
        eaf.add_property(key, str(value))
    for event in events:
        if event.get("offset_s") is None:
            continue
        onset, apex, offset = (
            max(0, round((event[part] + shift_s) * 1000)) for part in ("onset_s", "apex_s", "offset_s")
        )
        offset = max(offset, onset + 1)  # ELAN knows no empty annotation
        words = f"#{event['id']} {event['label']} {event['probs'][event['label']]:.2f}, score {event['score']:.2f}"
        eaf.add_annotation("events", onset, offset, words)
        eaf.add_annotation("class", onset, offset, event["label"])
        eaf.add_annotation("apex", apex, apex + 1, f"#{event['id']}")
    for start_s, end_s in speaking:
        start = max(0, round((start_s + shift_s) * 1000))
        eaf.add_annotation("speaking", start, max(start + 1, round((end_s + shift_s) * 1000)), "speaking")
    for tier, decided in (coders or {}).items():
        eaf.add_tier(tier)
        for one in decided:
            if one["offset_s"] is not None:
                onset = max(0, round((one["onset_s"] + shift_s) * 1000))
                offset = max(onset + 1, round((one["offset_s"] + shift_s) * 1000))
                eaf.add_annotation(tier, onset, offset, one["text"])
    for marker in markers:
        at = max(0, round((marker["t_s"] + shift_s) * 1000))
        eaf.add_annotation("markers", at, at + 1, str(marker["text"]))
    with whole(path) as partial:
        partial.unlink()  # pympi keeps a copy of what it writes over
        eaf.to_file(str(partial))
