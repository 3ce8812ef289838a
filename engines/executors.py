"""Where folds and recordings are computed: this process, local processes, a Ray cluster. The numbers are the same."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

M = TypeVar("M")
J = TypeVar("J")
R = TypeVar("R")


def usable_cores() -> int:
    """Processors that this process may use; macOS and Windows only tell how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class ExecutorError(RuntimeError):
    """The place where jobs run failed, not a job; what is done is kept."""


class Executor(Protocol):
    """Runs ``function(material, job)`` for each job and yields (job, result) as they finish."""

    def run(
        self,
        function: Callable[[M, J], R],
        material: M,
        jobs: Sequence[J],
        lost: Callable[[J], R] | None = None,
    ) -> Generator[tuple[J, R]]:
        """Yield in the order of completion; closing the generator stops what is running.

        ``lost`` tells what stands for a job whose worker died every time; without it that is an ExecutorError.
        """


@dataclass(frozen=True, slots=True)
class LocalExecutor:
    """Processes on this machine; with one job at a time and no retries everything stays in this process."""

    jobs: int = 1
    retries: int = 0
    """How often a job is run again after its worker died; an error of the job itself is not retried."""

    def run(
        self,
        function: Callable[[M, J], R],
        material: M,
        jobs: Sequence[J],
        lost: Callable[[J], R] | None = None,
    ) -> Generator[tuple[J, R]]:
        """Yield (job, result) in the order of completion.

        Raises:
            ExecutorError: A worker process died, more often than ``retries`` allows.
        """
        if self.jobs < 1:
            raise ValueError(f"--jobs must be at least 1, got {self.jobs}")
        if not self.retries and (self.jobs == 1 or len(jobs) < 2):
            for job in jobs:
                yield job, function(material, job)
            return
        # A few beyond the workers keeps them busy; the rest waits here, where it can be cancelled.
        waiting = list(reversed(jobs))
        suspects: list[tuple[J, int]] = []
        """Jobs that ran when a worker died, and how often: they run alone, so that the next death has one cause."""
        with _one_thread_each():
            while waiting or suspects:
                pool = _pool(min(self.jobs, len(waiting) or 1), function, material)
                running: dict[Future[Any], tuple[J, int]] = {}
                try:
                    while waiting or suspects or running:
                        if suspects and not running:
                            future = pool.submit(_work, suspects[-1][0])
                            running[future] = suspects.pop()
                        while waiting and not suspects and len(running) < self.jobs + 1:
                            future = pool.submit(_work, waiting[-1])
                            running[future] = waiting.pop(), 0
                        done = wait(running, return_when=FIRST_COMPLETED).done
                        for future in (one for one in done if not _died(one)):
                            yield running.pop(future)[0], future.result()
                        if any(_died(one) for one in done):
                            break
                except BrokenProcessPool:  # before it took the next job
                    pass
                finally:
                    _stop(pool)
                for future, (job, deaths) in running.items():
                    if future.done() and not _died(future):
                        yield job, future.result()
                    elif deaths < self.retries:
                        suspects.append((job, deaths + 1))
                    elif lost is None:
                        raise ExecutorError(
                            "a worker process died, perhaps out of memory: use fewer --jobs and go on with --resume"
                        )
                    else:
                        yield job, lost(job)


@dataclass(frozen=True, slots=True)
class RayExecutor:
    """Tasks on a Ray cluster: the one at ``address``, or one on this machine that ends with the run.

    Ray's usage statistics are switched off, here and in what it starts: no byte leaves the cluster.
    """

    address: str | None = None
    jobs: int = 2
    """CPUs of a cluster that is started here."""
    retries: int = 3
    """How often a task is run again after its worker was lost; an error of the task itself is not retried."""
    gpus: int = 0
    """GPUs of each task; Ray shows a task its own ones and no others."""

    def run(
        self,
        function: Callable[[M, J], R],
        material: M,
        jobs: Sequence[J],
        lost: Callable[[J], R] | None = None,
    ) -> Generator[tuple[J, R]]:
        """Yield (job, result) in the order of completion.

        Raises:
            ExecutorError: Ray is not installed, no cluster answers, or a task lost all its workers.
        """
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        if (
            self.address and _has_ray_token()
        ):  # Ray looks for one of its own accord only where it finds the cluster
            os.environ.setdefault("RAY_AUTH_MODE", "token")
        try:
            import ray
        except ImportError as error:
            raise ExecutorError("--executor ray needs Ray: pip install 'mer-live[train,ray]'") from error
        mine = not ray.is_initialized()
        if mine:
            self._connect(ray)
        try:
            # Asking for one CPU per task also makes Ray set OMP_NUM_THREADS=1 in the worker.
            remote = ray.remote(num_cpus=1, num_gpus=self.gpus, max_retries=self.retries)(_call)
            shared = ray.put(material)
            running = {remote.remote(function, shared, job): job for job in jobs}
            while running:
                done, _ = ray.wait(list(running), num_returns=1)
                for reference in done:
                    job = running.pop(reference)
                    try:
                        result = ray.get(reference)
                    except ray.exceptions.WorkerCrashedError:
                        if lost is None:
                            raise
                        result = lost(job)
                    yield job, result
        except ray.exceptions.WorkerCrashedError as error:
            raise ExecutorError(
                f"a task lost its worker {self.retries + 1} times, perhaps out of memory: go on with --resume"
            ) from error
        except ray.exceptions.RayTaskError as error:
            raise error.cause if isinstance(error.cause, Exception) else error from None
        finally:
            if mine:
                ray.shutdown()

    def _connect(self, ray: Any) -> None:
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        try:
            if self.address:
                ray.init(address=self.address, **options)
            else:
                ray.init(address="local", num_cpus=self.jobs, include_dashboard=False, **options)
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            raise ExecutorError(
                f"no Ray cluster at {self.address or 'this machine'} ({error}): start one with 'ray start --head' "
                "and give its --address; if it wants a token, copy ~/.ray/auth_token from there"
            ) from error


def _has_ray_token() -> bool:
    """Whether this machine has a cluster's token where Ray keeps it."""
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH", "~/.ray/auth_token"))
    return "RAY_AUTH_TOKEN" in os.environ or path.expanduser().is_file()


def make_executor(
    name: str, *, jobs: int, address: str | None = None, retries: int = 0, gpus: int = 0
) -> Executor:
    """Return an executor by name, "local" or "ray"; ValueError for another name. Ray retries three times anyway.

    ``gpus``: of each job. Locally there is one GPU at a time, and so one job; Ray spreads jobs over several.
    """
    if name == "local":
        if address:
            raise ValueError("--address belongs to --executor ray")
        return LocalExecutor(1 if gpus else jobs, retries)
    if name == "ray":
        return RayExecutor(address, jobs, gpus=gpus)
    raise ValueError(f"unknown executor {name!r}: choose local or ray")


_ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_worker: list[Any] = []


@contextmanager
def _one_thread_each() -> Iterator[None]:
    """Workers have one thread each: jobs are the parallelism, and results must not depend on the number of cores."""
    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(_ONE_THREAD)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _pool(workers: int, function: Any, material: Any) -> ProcessPoolExecutor:
    # Threads of a forked torch can hang; a spawned process starts clean.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, context, initializer=_start_worker, initargs=(function, material))


def _start_worker(function: Any, material: Any) -> None:
    # Ctrl-C goes to the whole group; only the parent answers it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _worker[:] = [function, material]


def _end_with_parent() -> None:
    """A parent that was killed has told nobody: its workers would wait for jobs for ever."""
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


def _work(job: Any) -> Any:
    function, material = _worker
    return function(material, job)


def _call(function: Any, material: Any, job: Any) -> Any:
    return function(material, job)


def _died(future: Future[Any]) -> bool:
    return future.done() and isinstance(future.exception(), BrokenProcessPool)


def _stop(pool: ProcessPoolExecutor) -> None:
    """End the workers now: an interrupted run must not train on for minutes."""
    processes = list((getattr(pool, "_processes", None) or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()
