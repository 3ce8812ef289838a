"""A coder's decisions: a second file beside the machine's events, of which no line is ever changed."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mer_live.realtime.session.read import read_lines
from mer_live.realtime.types import CLASSES

PARTS = ("onset", "apex", "offset")


class CodingError(ValueError):
    """A decision that cannot be; one sentence."""


class CoderFile:
    """coder.jsonl, or ``coder-NAME.jsonl``: one line a step, on disk before ``add`` returns."""

    def __init__(self, folder: Path, coder: str = "", classes: Sequence[str] = CLASSES) -> None:
        if not all(c.isalnum() or c in "-_" for c in coder):
            raise CodingError(f"A coder's name is letters and digits, not {coder!r}.")
        self.path = folder / (f"coder-{coder}.jsonl" if coder else "coder.jsonl")
        self._classes = classes
        self._steps = read_lines(self.path)

    def add(self, step: Mapping[str, Any]) -> None:
        """Take one step: ``op`` is accept, reject, relabel, move, add, comment or undo.

        Raises CodingError, and OSError where it cannot be saved; then it does not count.
        """
        _check(step, self._classes)
        whole = self.path.exists() and self.path.read_bytes()[-1:] not in (b"", b"\n")
        with self.path.open("a", encoding="utf-8") as file:
            file.write(("\n" if whole else "") + json.dumps(step, allow_nan=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
        self._steps.append(dict(step))

    def decided(self, events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Machine events as the coder left them, and those that the coder added, by onset.

        Each is ``id``, ``label``, ``onset_frame``, ``apex_frame``, ``offset_frame``, ``verdict`` (None while open),
        ``comment`` and ``added``.
        """
        found = {
            str(e["id"]): {
                "id": str(e["id"]),
                "label": e["label"],
                **{f"{part}_frame": e[f"{part}_frame"] for part in PARTS},
                "verdict": None,
                "comment": "",
                "added": False,
            }
            for e in events
        }
        for number, step in enumerate(self._kept()):
            op = step["op"]
            if op == "add":
                name = f"c{number + 1}"
                frames = {f"{part}_frame": step[f"{part}_frame"] for part in PARTS}
                found[name] = {"id": name, "label": step["label"], **frames}
                found[name] |= {"verdict": "accepted", "comment": "", "added": True}
            elif (one := found.get(str(step["id"]))) is None:
                continue
            elif op in ("accept", "reject"):
                one["verdict"] = f"{op}ed"
            elif op == "relabel":
                one["label"] = step["label"]
            elif op == "move":
                one[f"{step['part']}_frame"] = step["frame"]
            elif op == "comment":
                one["comment"] = step["text"]
        return sorted(found.values(), key=lambda e: int(e["onset_frame"]))

    def _kept(self) -> list[dict[str, Any]]:
        kept: list[dict[str, Any]] = []
        for step in self._steps:
            if step["op"] != "undo":
                kept.append(step)
            elif kept:
                kept.pop()
        return kept


def codings(folder: Path, events: Sequence[Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """What each coder of a session decided, by the coder's name; "" is the one who gave none."""
    names = (path.stem.removeprefix("coder").removeprefix("-") for path in folder.glob("coder*.jsonl"))
    return {name: CoderFile(folder, name).decided(events) for name in sorted(names)}


def _check(step: Mapping[str, Any], classes: Sequence[str]) -> None:
    op = step.get("op")
    if op not in ("accept", "reject", "relabel", "move", "add", "comment", "undo"):
        raise CodingError(f"There is no step {op!r}.")
    if op in ("accept", "reject", "relabel", "move", "comment") and not isinstance(step.get("id"), str):
        raise CodingError("The step names no event.")
    if op in ("relabel", "add") and step.get("label") not in classes:
        raise CodingError(f"A class is one of {', '.join(classes)}.")
    frames: list[Any] = [step.get("frame")] if op == "move" else []
    if op == "add":
        frames = [step.get(f"{part}_frame") for part in PARTS]
    if any(not isinstance(frame, int) or frame < 0 for frame in frames):
        raise CodingError("A moment is the number of a frame.")
    if op == "move" and step.get("part") not in PARTS:
        raise CodingError(f"A moment is one of {', '.join(PARTS)}.")
    if op == "add" and not frames[0] <= frames[1] <= frames[2]:
        raise CodingError("An event's moments come in the order onset, apex, offset.")
    if op == "comment" and (not isinstance(step.get("text"), str) or len(step["text"]) > 2000):
        raise CodingError("A comment is text of at most 2,000 characters.")
