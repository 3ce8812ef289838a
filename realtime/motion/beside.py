"""A thread that does what it is given, in order: what a frame does not have to wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Queue

MOST = 16
"""Tasks that may wait; whoever gives it more waits for room."""


class Beside:
    """Does tasks one after the other, beside the thread that gives them; close it."""

    def __init__(self, name: str) -> None:
        self._tasks: Queue[Callable[[], None] | None] = Queue(MOST)
        self._error: Exception | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def put(self, task: Callable[[], None]) -> None:
        """Give it a task; the first one starts the thread. Raises what an earlier task raised."""
        if self._error is not None:
            raise self._error
        if self._thread.ident is None:
            self._thread.start()
        self._tasks.put(task)

    def close(self) -> None:
        """Finish what was given and join; a second call does nothing."""
        if not self._closed and self._thread.ident is not None:
            self._closed = True
            self._tasks.put(None)
            self._thread.join()

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            try:
                task()
            except Exception as error:  # told with the next task; nobody must wait for a later one for ever
                self._error = self._error or error
