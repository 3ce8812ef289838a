"""What a backend is: opens a bundle, checks inputs, answers with logits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.bundle import Bundle

if TYPE_CHECKING:
    from torch import Tensor

Arrays = Mapping[str, NDArray[np.float32]]


class Runner(Protocol):
    """A network of one bundle on one backend; a context manager, used by one thread at a time.

    ``infer`` takes one float32 array (B, ...) per input of the card, all of one B >= 1, and returns new
    arrays that the caller owns: ``{"logits": (B, C) float32}``. Wrong names, shapes or dtypes raise
    ValueError. The constructor has run the network once, so the first call is no slower than later ones.
    """

    backend: str
    """Name of the backend really used."""
    why: str
    """One line: why this backend."""

    def infer(self, inputs: Arrays) -> dict[str, NDArray[np.float32]]:
        """Logits of a batch."""
        ...

    def infer_tensors(self, inputs: Mapping[str, Tensor]) -> NDArray[np.float32]:
        """Logits (B, C) of inputs that lie on a device; a backend that runs there takes them where they are. Waits.

        The device's current stream is the one that made the inputs.
        """
        ...

    def close(self) -> None:
        """Free what the backend holds; a second call does nothing."""
        ...

    def __enter__(self) -> Runner: ...

    def __exit__(self, *exc: object) -> None: ...


class RunnerBase:
    """Input check, warm-up and context manager, the same for every backend.

    A backend implements ``_run`` and ``_free``, sets ``backend``, and calls ``_warm_up`` when it is ready.
    """

    backend = ""

    def __init__(self, bundle: Bundle) -> None:
        self.card = bundle.card
        self.why = ""
        self._closed = False

    def infer(self, inputs: Arrays) -> dict[str, NDArray[np.float32]]:
        """See ``Runner``."""
        if self._closed:
            raise ValueError(f"the {self.backend} runner of {self.card.name} is closed")
        return {"logits": self._run(self._checked(inputs))}

    def infer_tensors(self, inputs: Mapping[str, Tensor]) -> NDArray[np.float32]:
        """See ``Runner``; a backend of the CPU takes them from host memory."""
        return self.infer({name: tensor.cpu().numpy() for name, tensor in inputs.items()})["logits"]

    def close(self) -> None:
        """See ``Runner``."""
        if not self._closed:
            self._closed = True
            self._free()

    def __enter__(self) -> RunnerBase:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _run(self, inputs: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Checked, contiguous inputs -> logits (B, C) in an array that nobody else holds."""
        raise TypeError(f"{type(self).__name__} must define _run")

    def _free(self) -> None:
        """Free the backend's objects."""

    def _warm_up(self) -> None:
        """Run once with zeros, so that lazy compilation and first allocations are paid here."""
        self.infer({i.name: np.zeros((1, *i.shape), np.float32) for i in self.card.inputs})

    def _checked(self, inputs: Arrays) -> dict[str, NDArray[np.float32]]:
        names = [i.name for i in self.card.inputs]
        if set(inputs) != set(names):
            raise ValueError(f"{self.card.name} takes inputs {names}, got {sorted(inputs)}")
        batch = len(inputs[names[0]])
        checked = {}
        for wanted in self.card.inputs:
            array = inputs[wanted.name]
            if array.shape != (batch, *wanted.shape) or array.dtype != np.float32 or batch < 1:
                raise ValueError(
                    f"{self.card.name}: input {wanted.name} must be (B, {', '.join(map(str, wanted.shape))}) "
                    f"float32 with one B >= 1 for all inputs, got {array.shape} {array.dtype}"
                )
            checked[wanted.name] = np.ascontiguousarray(array)
        return checked
