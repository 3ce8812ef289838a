"""How a command begins: until its modules are loaded a signal ends it on the spot, and no import is told of."""

from __future__ import annotations

import signal
from importlib import import_module

ENDINGS = tuple(
    getattr(signal, name)
    for name in ("SIGINT", "SIGTERM", "SIGHUP")
    if hasattr(signal, name) and (name != "SIGHUP" or signal.getsignal(signal.SIGHUP) != signal.SIG_IGN)
)
"""What asks a program to end; Windows has no SIGHUP, and nohup takes it away."""


def end_at_once() -> None:
    """Let SIGINT, SIGTERM and SIGHUP end the process on the spot, as they end any program.

    Until something has been opened that must be closed in order this is all that is wanted, and it works while
    an engine is compiled, where Python would not look at a signal for seconds.
    """
    for number in ENDINGS:
        signal.signal(number, signal.SIG_DFL)


def enter(module: str) -> None:
    """Load ``module``, which takes a while, and call its ``main``; from there on Ctrl-C is its own business."""
    end_at_once()
    main = import_module(module).main
    signal.signal(signal.SIGINT, signal.default_int_handler)
    main()
