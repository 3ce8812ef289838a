from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from mer_live.engines.executors import ExecutorError, LocalExecutor


def square(marks: Path, job: int) -> int:
    """Job 3 kills its worker once, job 5 always; which job was begun is marked."""
    with (marks / str(job)).open("a") as mark:
        mark.write("x")
    if job == 5 or (job == 3 and (marks / "3").stat().st_size == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    return job * job


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("workers", [1, 2])
def test_jobs_whose_worker_died_run_again_and_one_that_always_kills_is_told(
    workers: int, tmp_path: Path
) -> None:
    jobs = range(9)
    found = list(LocalExecutor(workers, retries=2).run(square, tmp_path, jobs, lambda job: -job))
    assert sorted(job for job, _ in found) == list(jobs), "none is lost, none comes twice"
    assert dict(found) == {job: -5 if job == 5 else job * job for job in jobs}
    assert (tmp_path / "3").stat().st_size in (2, 3)  # it may have run beside a job that died
    with pytest.raises(ExecutorError, match="worker process died"):
        list(LocalExecutor(workers, retries=1).run(square, tmp_path, [5]))
    with pytest.raises(ExecutorError, match="worker process died"):
        list(LocalExecutor(2).run(square, tmp_path, [1, 5, 2]))


def test_one_job_at_a_time_stays_in_this_process() -> None:
    assert list(LocalExecutor().run(lambda _, job: os.getpid(), None, [1])) == [(1, os.getpid())]
