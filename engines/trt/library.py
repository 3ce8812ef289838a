"""The two libraries that compile engines, TensorRT and TensorRT-RTX, behind one door with one logger each."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from mer_live.engines.errors import BackendError
from mer_live.engines.trt.file import Flavour

MODULES: dict[Flavour, str] = {"tensorrt": "tensorrt", "rtx": "tensorrt_rtx"}
INSTALL: dict[Flavour, str] = {
    "tensorrt": 'pip install "mer-live[gpu]"',
    "rtx": 'pip install "mer-live[rtx]"',
}
_OLDEST: dict[Flavour, tuple[int, int]] = {"tensorrt": (11, 0), "rtx": (1, 7)}
_lock = threading.RLock()
_loggers: dict[str, Any] = {}


def installed_flavours() -> list[Flavour]:
    """Flavours whose library is installed, the full TensorRT first; nothing is imported."""
    return [flavour for flavour, module in MODULES.items() if find_spec(module) is not None]


def load_flavour(flavour: Flavour) -> ModuleType:
    """Import a flavour's library; BackendError with the line to install when it is missing or too old."""
    try:
        library = import_module(MODULES[flavour])
    except (ImportError, OSError) as error:
        missing = isinstance(error, ModuleNotFoundError)
        what = "is not installed" if missing else f"cannot be loaded ({error})"
        raise BackendError(f"{MODULES[flavour]} {what}; install it with: {INSTALL[flavour]}") from error
    version = tuple(int(part) for part in library.__version__.split(".")[:2])
    if version < _OLDEST[flavour]:
        oldest = ".".join(map(str, _OLDEST[flavour]))
        raise BackendError(
            f"{MODULES[flavour]} {library.__version__} is too old, {oldest} is needed; "
            f"install it with: {INSTALL[flavour]}"
        )
    return library


def logger_of(library: ModuleType) -> Any:
    """The process-wide logger of a library, which accepts only one; it collects what goes wrong."""
    with _lock:
        if library.__name__ not in _loggers:
            _loggers[library.__name__] = _make_logger(library)
        return _loggers[library.__name__]


@contextmanager
def nvidia_messages(library: ModuleType) -> Iterator[list[str]]:
    """Collect the library's own error messages during a block; one block at a time in the process."""
    with _lock:
        messages: list[str] = logger_of(library).errors
        messages.clear()
        yield messages


def _make_logger(library: ModuleType) -> Any:
    worst = library.ILogger.Severity.ERROR

    class Logger(library.ILogger):  # type: ignore[name-defined, misc]
        """Keeps errors; warnings and chatter are dropped, because nobody can act on them."""

        def __init__(self) -> None:
            library.ILogger.__init__(self)
            self.errors: list[str] = []

        def log(self, severity: Any, message: str) -> None:
            # Severities count upwards from INTERNAL_ERROR = 0.
            if int(severity) <= int(worst):
                self.errors.append(message.strip())

    return Logger()
