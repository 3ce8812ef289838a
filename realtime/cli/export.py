"""``mer-live export``: a session's events in the formats that labs use."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Annotated, Any

import typer

from mer_live.engines.files import write_atomically, write_json
from mer_live.realtime.commands import EXIT_OTHER, EXIT_SOURCE, EXIT_USAGE, errors_end
from mer_live.realtime.session.layout import VIDEO
from mer_live.realtime.session.read import RecordedSession, SessionError, read_session
from mer_live.realtime.sinks.csv import COLUMNS, flat
from mer_live.realtime.sinks.elan import write_eaf
from mer_live.realtime.types import CLASSES

FORMATS = ("elan", "csv", "bids")
_BIDS: dict[str, dict[str, Any]] = {
    "onset": {"Description": "Onset of the micro-expression, after the first frame", "Units": "s"},
    "duration": {"Description": "From onset to offset", "Units": "s"},
    "trial_type": {
        "Description": "Most probable class",
        "Levels": dict.fromkeys(CLASSES, "class of micro-expressions"),
    },
    "apex": {"Description": "Height of the movement, after the first frame", "Units": "s"},
    "score": {"Description": "Calibrated probability that this is a micro-expression, 0..1"},
    **{f"prob_{name}": {"Description": f"Probability of the class {name}, 0..1"} for name in CLASSES},
    "sample": {"Description": "Frame number of the onset at the source, from 0"},
}


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
    if to == "elan":
        media = session.folder / VIDEO
        path = out / "events.eaf"
        write_eaf(
            path,
            events,
            media=media if media.is_file() else None,
            shift_s=session.media_shift_s,
            markers=session.markers,
            properties={f"start_{key}": value for key, value in session.info["start"].items()},
        )
        return [path]
    if to == "csv":
        path = out / "events.csv"
        write_atomically(path, _table(COLUMNS, [flat(event) for event in events], "").encode())
        return [path]
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
        ]
        write_atomically(path, _table(tuple(_BIDS), rows, "n/a", "\t").encode())
        about = {
            "StimulusPresentation": {
                "SoftwareName": "mer-live",
                "SoftwareVersion": session.info["versions"]["mer-live"],
            }
        }
        write_json(path.with_suffix(".json"), {**_BIDS, **about, "StartTime": session.info["start"]})
        return [path, path.with_suffix(".json")]
    raise ValueError(f"--to is one of {', '.join(FORMATS)}, not {to!r}.")


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
