"""The help of a program of several commands: plain text that reads well in 60 columns, in a pipe and aloud."""

from __future__ import annotations

from typing import Any

from typer.core import TyperGroup


class Commands(TyperGroup):
    """Says of each command what it does, in full; typer's own list ends after some 60 letters."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list below the options."""
        rows = [(name, command.get_short_help_str(limit=500)) for name, command in self.commands.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
