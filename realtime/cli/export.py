"""``mer-live export``: a session's events in the formats that labs use."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mer_live.engines.files import write_atomically, write_json
from mer_live.realtime.commands import EXIT_OTHER, EXIT_SOURCE, EXIT_USAGE, errors_end
from mer_live.realtime.session.layout import VIDEO
from mer_live.realtime.session.read import RecordedSession, SessionError, read_session
from mer_live.realtime.session.review.coder import PARTS, codings
from mer_live.realtime.sinks.csv import columns, flat
from mer_live.realtime.sinks.elan import write_eaf

FORMATS = ("elan", "csv", "bids")
_CODED = (
    *("onset", "duration", "coder", "id", "verdict", "label", "added", "onset_frame", "apex_frame"),
    *("offset_frame", "onset_s", "apex_s", "offset_s", "comment"),
)


def export(
    session: RecordedSession, to: str, out: Path, subject: str = "01", task: str = "mer"
) -> list[Path]:
    """Write a session's events; the files that were written.

    Args:
        to: one of FORMATS.
        out: folder.
        subject, task: letters and digits, for the names that BIDS wants.

    Raises:
        ValueError: an unknown format, or a label that BIDS does not allow.
        ElanError, OSError: one sentence.
    """
    events = session.last_revisions
    coded = {name: list(_timed(session, rows)) for name, rows in codings(session.folder, events).items()}
    if to == "elan":
        media = session.folder / VIDEO
        path = out / "events.eaf"
        write_eaf(
            path,
            events,
            media=media if media.is_file() else None,
            shift_s=session.media_shift_s,
            markers=session.markers,
            speaking=session.speaking,
            coders={f"coder-{name}" if name else "coder": rows for name, rows in coded.items()},
            properties={f"start_{key}": value for key, value in session.info["start"].items()},
        )
        return [path]
    if to == "csv":
        path = out / "events.csv"
        kinds = {event.get("kind") for event in events}
        lines = sorted(map(flat, (*events, *session.markers)), key=lambda row: float(row["onset_s"]))
        write_atomically(path, _table(columns(session.classes, macro="macro" in kinds), lines, "").encode())
        return [path, *_write_coded(coded, out / "coded.csv", "", ",")]
    if to == "bids":
        if not (subject.isalnum() and task.isalnum()):
            raise ValueError("BIDS allows letters and digits in --subject and --task, nothing else.")
        path = out / f"sub-{subject}_task-{task}_events.tsv"
        rows = [
            {
                **flat(event),
                "onset": event["onset_s"],
                "duration": None
                if event["offset_s"] is None
                else round(event["offset_s"] - event["onset_s"], 6),
                "trial_type": event["label"],
                "apex": event["apex_s"],
                "sample": event["onset_frame"],
            }
            for event in events
        ] + [
            {"onset": marker["t_s"], "duration": 0, "trial_type": "marker", "value": marker["text"]}
            for marker in session.markers
        ]
        rows.sort(key=lambda row: float(row["onset"]))
        described = _bids(session.classes)
        write_atomically(path, _table(tuple(described), rows, "n/a", "\t").encode())
        about = {
            "StimulusPresentation": {
                "SoftwareName": "mer-live",
                "SoftwareVersion": session.info["versions"]["mer-live"],
            }
        }
        write_json(path.with_suffix(".json"), {**described, **about, "StartTime": session.info["start"]})
        coding = path.with_name(path.name.replace("_events", "_desc-coded_events"))
        return [path, path.with_suffix(".json"), *_write_coded(coded, coding, "n/a", "\t")]
    raise ValueError(f"--to is one of {', '.join(FORMATS)}, not {to!r}.")


def _bids(classes: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Column -> what the file beside the table says of it."""
    return {
        "onset": {"Description": "Onset of the micro-expression, after the first frame", "Units": "s"},
        "duration": {"Description": "From onset to offset", "Units": "s"},
        "trial_type": {
            "Description": "Most probable class",
            "Levels": dict.fromkeys(classes, "class of micro-expressions")
            | {"marker": "set from outside: stimulus, key, page"},
        },
        "value": {"Description": "Text of a marker"},
        "apex": {"Description": "Height of the movement, after the first frame", "Units": "s"},
        "score": {"Description": "Calibrated probability that this is a micro-expression, 0..1"},
        **{f"prob_{name}": {"Description": f"Probability of the class {name}, 0..1"} for name in classes},
        "sample": {"Description": "Frame number of the onset at the source, from 0"},
    }


def _timed(session: RecordedSession, rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """A coder's decisions with the times of their frames, s, and a text for people."""
    times = dict(zip(session.frames.index.tolist(), session.frames.t_ns.tolist(), strict=True))
    for row in rows:
        found = {part: times.get(row[f"{part}_frame"]) for part in PARTS}
        seconds = {
            f"{part}_s": None if t_ns is None else round((t_ns - session.zero_ns) / 1e9, 6)
            for part, t_ns in found.items()
        }
        verdict = row["verdict"] or "open"
        if seconds["onset_s"] is not None:
            text = (
                f"{'added' if row['added'] else '#' + row['id']} {row['label']}, {verdict} {row['comment']}"
            )
            yield {**row, **seconds, "verdict": verdict, "text": text.strip()}


def _write_coded(
    coded: dict[str, list[dict[str, Any]]], path: Path, missing: str, delimiter: str
) -> list[Path]:
    """One row a decision of each coder; no file where nobody coded."""
    rows = [
        {
            **row,
            "coder": name or None,
            "onset": row["onset_s"],
            "duration": None if row["offset_s"] is None else round(row["offset_s"] - row["onset_s"], 6),
        }
        for name, decided in coded.items()
        for row in decided
    ]
    if not coded:
        return []
    write_atomically(path, _table(_CODED, rows, missing, delimiter).encode())
    return [path]


def _table(columns: tuple[str, ...], rows: list[dict[str, Any]], missing: str, delimiter: str = ",") -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(missing if row.get(column) is None else row[column] for column in columns)
    return text.getvalue()


def command(
    folder: Annotated[Path, typer.Argument(help="A session that --record made.")],
    to: Annotated[str, typer.Option(help="elan, csv or bids.")],
    out: Annotated[Path | None, typer.Option(help="Folder to write to. [default: the session's]")] = None,
    subject: Annotated[str, typer.Option(help="For the names of BIDS.")] = "01",
    task: Annotated[str, typer.Option(help="For the names of BIDS.")] = "mer",
) -> None:
    """Write a recorded session's events for ELAN, as CSV, or as BIDS has them."""
    with errors_end("mer-live", {EXIT_SOURCE: SessionError, EXIT_USAGE: ValueError, EXIT_OTHER: OSError}):
        written = export(read_session(folder), to, out or folder, subject, task)
    for path in written:
        typer.echo(str(path))
