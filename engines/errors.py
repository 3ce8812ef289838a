"""What can be wrong with a bundle, an engine or a backend; each message says what to install or to change."""


class BundleError(ValueError):
    """A bundle cannot be found, read or trusted; the message says what to do."""


class BackendError(RuntimeError):
    """A backend cannot be used here; the message says what to install or to change."""


class EngineError(RuntimeError):
    """An engine cannot be built, read or trusted; the message says what to do."""
