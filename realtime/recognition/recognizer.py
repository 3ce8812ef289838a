"""A clip -> the inputs that each bundle's card asks for -> probabilities, averaged over bundles."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mer_live.engines.bundle import Bundle, common_classes
from mer_live.engines.device.choice import DeviceChoice, choose_device
from mer_live.engines.errors import BackendError
from mer_live.engines.executors import usable_cores
from mer_live.engines.representation.clip import Clip
from mer_live.engines.representation.flow import Flow, make_flow
from mer_live.engines.representation.represent import frames_of, network_input, represent
from mer_live.engines.representation.specs import AdmSpec, RepresentationSpec
from mer_live.engines.runners import Runner, open_runner
from mer_live.engines.trt.file import Precision
from mer_live.realtime.config import LiveConfig
from mer_live.realtime.motion.cpu import CpuStage
from mer_live.realtime.motion.stage import FlowSpec, MotionStage

if TYPE_CHECKING:
    from mer_live.engines.device.inputs import DeviceInputs
    from mer_live.engines.device.rows import AdmRows

TOGETHER = 8
"""Clips that go through a device at once: the largest batch of the engines' profile."""


_BLANK = Clip(
    np.zeros((2, 224, 224), np.uint8), np.arange(2, dtype=np.int64), 0, 1, 1, np.zeros((2, 128), np.float32)
)


@dataclass(frozen=True, slots=True)
class Recognition:
    """What the engines say of one clip."""

    probs: NDArray[np.float32]
    """(C,) mean of the bundles' softmax probabilities."""
    stages_ns: tuple[tuple[str, int], ...]
    """(stage, nanoseconds): 'represent' until the last input is made, then the networks; of the clip's whole batch."""


@dataclass(slots=True)
class _Waiting:
    clip: Clip
    answer: Recognition | None = None
    error: Exception | None = None


class Recognizer:
    """The engines of one run; a context manager, used from any thread: clips take turns.

    ``recognize`` takes a clip of any origin: of `FacePath`, or cut by hand. On a device the clips that wait go
    together in the next batch; on the CPU inputs and networks are computed side by side.
    """

    def __init__(
        self,
        bundles: Sequence[Bundle],
        backend: str = "auto",
        threads: int = 1,
        *,
        device: DeviceChoice | None = None,
        precision: Precision = "fp32",
        faces: int = 1,
    ) -> None:
        """Open a runner for each bundle, and the device where one was chosen; ``faces``: followed at once on it.

        Raises BackendError when backend or device cannot be used, and closes what was opened; BundleError where the
        bundles' classes differ.
        """
        if not bundles:
            raise ValueError("At least one bundle is needed.")
        self.classes = common_classes(bundles)
        """What it decides between, in the order of the probabilities."""
        self.device = device
        self.precision = precision
        self._runners: list[Runner] = []
        self._opened: list[Runner] = []
        """The same in the order in which they were ready, those included that opened beside one that failed."""
        self._flows: dict[RepresentationSpec, Flow] = {}
        self._pool = ThreadPoolExecutor(min(len(bundles), usable_cores()), "mer-engine")
        self._turn = threading.Lock()
        self._queue: deque[_Waiting] = deque()
        self._inputs: DeviceInputs | None = None
        self._rows: AdmRows | None = None
        self._there: set[RepresentationSpec] = set()  # whose flow the device computes
        try:
            self._bundles = self._on_device(bundles, faces)
            where = None if device is None else (device.torch or "cpu")
            how = partial(open_runner, backend=backend, threads=threads, precision=precision, device=where)
            opened = [self._submit(self._open, how, bundle) for bundle in self._bundles]
            self._runners = [one.result() for one in opened]
            if self._inputs is not None:
                self._recognize([_BLANK])  # graphs are captured now, not while the first spot waits
        except BaseException:
            self.close()
            raise
        self.backend = "+".join(dict.fromkeys(runner.backend for runner in self._runners))
        """The backends really used, joined by '+' where they differ."""
        self.why = self._runners[0].why
        """One line that says why this backend and not a better one."""

    def _open(self, how: Callable[[Bundle], Runner], bundle: Bundle) -> Runner:
        runner = how(bundle)
        self._opened.append(runner)
        return runner

    def _submit(self, function: Callable[..., Any], *given: Any) -> Future[Any]:
        """Compute it, on the CPU beside what was submitted before."""
        if self._inputs is None:
            return self._pool.submit(function, *given)
        done: Future[Any] = Future()
        done.set_result(function(*given))
        return done

    def _on_device(self, bundles: Sequence[Bundle], faces: int) -> tuple[Bundle, ...]:
        """Open the device, if any; the bundles with the flow that it computes where their cards permit it."""
        name = None if self.device is None else self.device.torch
        if name is None:
            self._adm = _adm_of(bundles)
            return tuple(bundles)
        from mer_live.engines.device.device import Device
        from mer_live.engines.device.inputs import DeviceInputs, made_on_device, with_device_flow
        from mer_live.engines.device.rows import AdmRows

        bundles = tuple(with_device_flow(bundle) for bundle in bundles)
        specs = {wanted.representation for bundle in bundles for wanted in bundle.card.inputs}
        self._there = {spec for spec in specs if made_on_device(spec)}
        self._adm = _adm_of(bundles)
        try:
            opened = Device(name)
            self._inputs = DeviceInputs(opened, TOGETHER)
            if self._adm is not None and made_on_device(self._adm):
                self._rows = AdmRows(opened, self._adm, faces)
        except RuntimeError as error:  # torch's: no such device, no memory left on it
            raise BackendError(f"{name} cannot be used: {error}") from error
        return bundles

    @property
    def bundles(self) -> tuple[Bundle, ...]:
        """Whose probabilities are averaged."""
        return self._bundles

    @property
    def engine(self) -> str:
        """Bundle names joined by '+', as events carry them."""
        return "+".join(bundle.card.name for bundle in self._bundles)

    @property
    def adm(self) -> AdmSpec | None:
        """The ADM rows that clips should carry: those of the first bundle that wants them; None if none does."""
        return self._adm

    @property
    def line(self) -> str:
        """What computes, in one line: device, flow, engine, precision, and why."""
        where = "" if self.device is None else f"device {self.device.name} ({self.device.why}), "
        return f"{where}flow {self.flow}, {self.engine} on {self.backend} {self.precision} ({self.why})"

    @property
    def flow(self) -> str:
        """Which flow the networks see, and where it is computed, such as 'dis on the CPU'."""
        specs = [wanted.representation for bundle in self._bundles for wanted in bundle.card.inputs]
        places = (
            f"{flow.method} on the {'device' if spec in self._there else 'CPU'}"
            for spec in specs
            if (flow := getattr(spec, "flow", None)) is not None
        )
        return " and ".join(dict.fromkeys(places)) or "none"

    def looks_at(self, apex: int, offset: int | None, newest: int) -> Sequence[int]:
        """Positions of the crops that the networks see of a clip that begins at its onset; see `history.LooksAt`."""
        specs = {wanted.representation for bundle in self._bundles for wanted in bundle.card.inputs}
        if any(isinstance(spec, AdmSpec) and spec != self._adm for spec in specs):
            return range(newest + 1)
        return sorted({k for spec in specs for k in frames_of(spec, 0, apex, offset, newest)})

    def open_stage(
        self, size: int, tracked: FlowSpec, adm: AdmSpec | None, beside: bool = False
    ) -> MotionStage:
        """The motion stage for one more face: on the device where it makes the rows, else on the CPU (`CpuStage`)."""
        if self._rows is None or adm != self._rows.spec or self._rows.full:
            return CpuStage(size, tracked, adm, beside=beside)
        from mer_live.realtime.motion.cuda import CudaStage

        return CudaStage(size, tracked, self._rows)

    def recognize(self, clip: Clip) -> Recognition:
        """Probabilities for ``clip``; a representation shared by bundles is made once.

        ``clip.adm`` must be of ``adm``; a bundle that was trained with another has them made anew.
        """
        mine = _Waiting(clip)
        self._queue.append(mine)
        with self._turn:
            while mine.answer is None and mine.error is None:
                together = 1 if self._inputs is None else TOGETHER
                self._answer([self._queue.popleft() for _ in range(min(together, len(self._queue)))])
        if mine.error is not None:
            raise mine.error
        assert mine.answer is not None
        return mine.answer

    def _answer(self, taken: list[_Waiting]) -> None:
        try:
            found = self._recognize([one.clip for one in taken])
        except Exception as error:
            for one in taken:
                one.error = error
            return
        for one, answer in zip(taken, found, strict=True):
            one.answer = answer

    def _recognize(self, clips: list[Clip]) -> list[Recognition]:
        started = time.monotonic_ns()
        # What sees most takes longest: begun first, it is not what all wait for. A network may wait for its inputs,
        # since all inputs were begun before the first network.
        order = sorted(range(len(self._bundles)), key=lambda k: -_input_size(self._bundles[k]))
        wanted = [one.representation for k in order for one in self._bundles[k].card.inputs]
        made = {spec: self._submit(self._made, clips, spec) for spec in dict.fromkeys(wanted)}
        logits = {k: self._submit(self._infer, made, self._bundles[k], self._runners[k]) for k in order}
        wait(made.values())
        done = time.monotonic_ns()
        each = [_softmax(logits[k].result()) for k in range(len(self._bundles))]
        probs = np.mean(each, axis=0).astype(np.float32)
        stages = (("represent", done - started), (self.engine, time.monotonic_ns() - done))
        return [Recognition(row, stages) for row in probs]

    def _made(self, clips: list[Clip], spec: RepresentationSpec) -> Any:
        """(B, ...) one input of a network, an array or a tensor on the device."""
        if isinstance(spec, AdmSpec) and spec != self._adm:
            clips = [replace(clip, adm=None) for clip in clips]
        if self._inputs is not None:
            return self._inputs.make(clips, spec)
        if (config := getattr(spec, "flow", None)) is not None and spec not in self._flows:
            self._flows[spec] = make_flow(config)  # one each, since two may be at work at a time
        flow = self._flows.get(spec)
        return network_input(np.stack([represent(clip, spec, flow) for clip in clips]), spec)

    def _infer(
        self, made: dict[RepresentationSpec, Future[Any]], bundle: Bundle, runner: Runner
    ) -> NDArray[np.float32]:
        inputs = {wanted.name: made[wanted.representation].result() for wanted in bundle.card.inputs}
        if self._inputs is None:
            return runner.infer(inputs)["logits"]
        with self._inputs.device.on(self._inputs.stream):
            return runner.infer_tensors(inputs)

    def close(self) -> None:
        """Close every runner."""
        self._pool.shutdown(cancel_futures=True)
        self._runners.clear()
        while self._opened:
            self._opened.pop().close()

    def __enter__(self) -> Recognizer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def open_recognizer(
    bundles: Sequence[Bundle], backend: str, live: LiveConfig, *, sources: int = 1, fps: float = 30.0
) -> Recognizer:
    """Engines for so many sources of ``fps`` each, on the device that ``live`` asks for or that is worth it.

    Raises BackendError, BundleError, ValueError as `Recognizer` and `choose_device`.
    """
    faces = sources * live.faces
    wanted = "tensorrt" if live.precision == "fp16" and backend == "auto" else backend
    device = choose_device(live.device, faces=faces, fps=fps, backend=wanted)
    return Recognizer(bundles, backend, live.threads, device=device, precision=live.precision, faces=faces)


def _adm_of(bundles: Sequence[Bundle]) -> AdmSpec | None:
    specs = [wanted.representation for bundle in bundles for wanted in bundle.card.inputs]
    return next((spec for spec in specs if isinstance(spec, AdmSpec)), None)


def _input_size(bundle: Bundle) -> int:
    return sum(math.prod(wanted.shape) for wanted in bundle.card.inputs)


def _softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    exponent = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return np.asarray(exponent / exponent.sum(axis=1, keepdims=True))
