"""Any key in the terminal is a marker."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Self

_LOOK_S = 0.1
_NAMES = {" ": "space", "\n": "enter", "\r": "enter", "\t": "tab"}


class KeyMarkers:
    """While it is entered each key that is pressed is told; where no terminal is read, nothing happens.

    Ctrl-C and the like stay signals. The terminal is left as it was found.
    """

    def __init__(self, pressed: Callable[[str], object], number: int = 0) -> None:
        """``pressed`` is called with a key's name, on a thread of its own; ``number`` is the terminal's descriptor."""
        self._pressed, self._number = pressed, number
        self._restore: Callable[[], object] | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, name="mer-keys", daemon=True)

    @property
    def listens(self) -> bool:
        """Whether keys are read."""
        return self._restore is not None

    def __enter__(self) -> Self:
        if sys.platform == "win32":  # its console has no such mode
            return self
        import termios
        import tty

        try:
            # A program in the background would be stopped for reading.
            if os.tcgetpgrp(self._number) == os.getpgrp():
                before = termios.tcgetattr(self._number)
                tty.setcbreak(self._number)
                self._restore = partial(termios.tcsetattr, self._number, termios.TCSADRAIN, before)
                self._thread.start()
        except (OSError, ValueError, termios.error):  # no terminal
            pass
        return self

    def __exit__(self, *exc: object) -> None:
        if self._restore is None:
            return
        self._ended.set()
        self._thread.join()
        self._restore()
        self._restore = None

    def _read(self) -> None:
        import select

        while not self._ended.is_set():
            ready, _, _ = select.select([self._number], [], [], _LOOK_S)
            if not ready:
                continue
            data = os.read(self._number, 64)
            if not data:  # the terminal is gone
                return
            for key in data.decode(errors="ignore"):
                if (name := _NAMES.get(key, key)).isprintable():
                    self._pressed(name)
