"""How the commands of ``mer-train`` end when something is wrong, or at Ctrl-C."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import NoReturn

from mer_live.realtime import commands


def errors_end(*kinds: type[Exception], stopped: str = "") -> AbstractContextManager[None]:
    """What was asked for wrongly, cannot be read or is not installed, and further kinds, end with exit code 2.

    A device that is not there ends with exit code 4, as in mer-live.

    ``stopped``: said after Ctrl-C: what is kept, and how to go on.
    """
    from mer_live.engines.errors import BackendError

    codes: dict[int, commands.Errors] = {commands.EXIT_BACKEND: BackendError}
    codes |= {commands.EXIT_USAGE: (ValueError, OSError, ImportError, *kinds)}
    return commands.errors_end("mer-train", codes, stopped and f"interrupted; {stopped}")


def refuse(message: str) -> NoReturn:
    """One sentence on stderr, exit code 2."""
    commands.fail("mer-train", commands.EXIT_USAGE, message)
