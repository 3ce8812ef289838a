"""A clip -> the inputs that each bundle's card asks for -> probabilities, averaged over bundles."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.bundle import Bundle
from mer_live.engines.representation.clip import Clip
from mer_live.engines.representation.flow import Flow, make_flow
from mer_live.engines.representation.represent import network_input, represent
from mer_live.engines.representation.specs import AdmSpec, FlowConfig, RepresentationSpec
from mer_live.engines.runners import Runner, open_runner


@dataclass(frozen=True, slots=True)
class Recognition:
    """What the engines say of one clip."""

    probs: NDArray[np.float32]
    """(3,) mean of the bundles' softmax probabilities."""
    stages_ns: tuple[tuple[str, int], ...]
    """(stage, nanoseconds): 'represent', then one entry a bundle."""


class Recognizer:
    """The engines of one run; a context manager, used by one thread at a time.

    ``recognize`` takes a clip of any origin: of `FacePath`, or cut by hand.
    """

    def __init__(self, bundles: Sequence[Bundle], backend: str = "auto", threads: int = 1) -> None:
        """Open a runner for each bundle.

        Raises BackendError when the backend cannot be used, and closes what was opened.
        """
        if not bundles:
            raise ValueError("At least one bundle is needed.")
        self._bundles = tuple(bundles)
        self._runners: list[Runner] = []
        self._flows: dict[FlowConfig, Flow] = {}
        specs = [wanted.representation for bundle in bundles for wanted in bundle.card.inputs]
        self._adm = next((spec for spec in specs if isinstance(spec, AdmSpec)), None)
        try:
            for bundle in bundles:
                self._runners.append(open_runner(bundle, backend=backend, threads=threads))
        except BaseException:
            self.close()
            raise
        self.backend = "+".join(dict.fromkeys(runner.backend for runner in self._runners))
        """The backends really used, joined by '+' where they differ."""
        self.why = self._runners[0].why
        """One line that says why this backend and not a better one."""

    @property
    def engine(self) -> str:
        """Bundle names joined by '+', as events carry them."""
        return "+".join(bundle.card.name for bundle in self._bundles)

    @property
    def adm(self) -> AdmSpec | None:
        """The ADM rows that clips should carry: those of the first bundle that wants them; None if none does."""
        return self._adm

    def recognize(self, clip: Clip) -> Recognition:
        """Probabilities for ``clip``; a representation shared by bundles is made once.

        ``clip.adm`` must be of ``adm``; a bundle that was trained with another has them made anew.
        """
        made: dict[RepresentationSpec, NDArray[np.float32]] = {}
        stages: list[tuple[str, int]] = []
        started = time.monotonic_ns()
        for bundle in self._bundles:
            for wanted in bundle.card.inputs:
                if (spec := wanted.representation) not in made:
                    known = (
                        replace(clip, adm=None) if isinstance(spec, AdmSpec) and spec != self._adm else clip
                    )
                    made[spec] = network_input(represent(known, spec, self._flow_of(spec)), spec)[None]
        stages.append(("represent", time.monotonic_ns() - started))
        total = np.zeros(3, np.float64)
        for bundle, runner in zip(self._bundles, self._runners, strict=True):
            started = time.monotonic_ns()
            inputs = {wanted.name: made[wanted.representation] for wanted in bundle.card.inputs}
            total += _softmax(runner.infer(inputs)["logits"][0])
            stages.append((bundle.card.name, time.monotonic_ns() - started))
        return Recognition((total / len(self._bundles)).astype(np.float32), tuple(stages))

    def _flow_of(self, spec: RepresentationSpec) -> Flow | None:
        config = getattr(spec, "flow", None)
        if config is None:
            return None
        if config not in self._flows:
            self._flows[config] = make_flow(config)
        return self._flows[config]

    def close(self) -> None:
        """Close every runner."""
        while self._runners:
            self._runners.pop().close()

    def __enter__(self) -> Recognizer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    exponent = np.exp(logits.astype(np.float64) - logits.max())
    return np.asarray(exponent / exponent.sum())
