from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from support.folders import write_set

from mer_live.engines.executors import ExecutorError, LocalExecutor, RayExecutor
from mer_live.training.evaluation.evaluate import EvaluationRequest, evaluate
from mer_live.training.evaluation.material import FoldError, FoldMaterial, Job

ray = pytest.importorskip("ray", reason="Ray is an extra: pip install 'mer-live[ray]'")


class KillOnce:
    """Runs on Ray; the worker that gets a chosen job first is killed in the middle of it."""

    def __init__(self, marks: Path, meanwhile: Callable[[], None]) -> None:
        self.marks, self.meanwhile = marks, meanwhile

    def run(self, function: Callable[..., Any], material: FoldMaterial, jobs: Sequence[Job]) -> Iterator[Any]:
        marks, victims = self.marks, {jobs[0], jobs[-1]}

        def doomed(material: FoldMaterial, job: Job) -> tuple[Any, str, int]:
            mark = marks / f"{job.seed}-{job.folds[0]}"
            if job in victims and not mark.exists():
                mark.write_text(str(os.getpid()))
                os.kill(os.getpid(), signal.SIGKILL)
            return function(material, job), os.environ.get("RAY_USAGE_STATS_ENABLED", ""), os.getpid()

        for job, (result, statistics, pid) in RayExecutor(jobs=2).run(doomed, material, jobs):
            assert statistics == "0"
            self.meanwhile()
            if job in victims:
                killed = (marks / f"{job.seed}-{job.folds[0]}").read_text()
                assert killed != str(pid), "the fold was finished by another worker"
            yield job, result


@pytest.mark.slow
def test_a_two_worker_cluster_with_killed_workers_gives_the_local_scores(tmp_path: Path) -> None:
    data = write_set(tmp_path / "D", signal=10)
    wanted = EvaluationRequest(data, "loso", "svm", {"flow": "uvs28"}, seeds=(0, 1))
    marks = tmp_path / "marks"
    marks.mkdir()
    broken = EvaluationRequest(data, "loso", "svm", {"flow": "uvs28"}, {"c": -1.0})
    refused: list[str] = []

    def refuse() -> None:
        """An error of the fold itself is no lost worker: it arrives as it is, at once; on the cluster that runs."""
        if not refused:
            with pytest.raises(FoldError, match="fold casme2/00") as error:
                evaluate(broken, executor=RayExecutor(jobs=2))
            refused.append(str(error.value))

    remote = evaluate(wanted, out=tmp_path / "o", executor=KillOnce(marks, refuse))
    assert refused
    assert not ray.is_initialized()
    assert len(list(marks.iterdir())) == 2
    local = evaluate(wanted, executor=LocalExecutor(1))
    assert remote["scores"] == local["scores"]
    assert remote["confusion_per_seed"] == local["confusion_per_seed"]
    assert len(list((tmp_path / "o" / "folds").rglob("*.json"))) == 8
    assert os.environ["RAY_USAGE_STATS_ENABLED"] == "0"


def test_no_cluster_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(ExecutorError, match="ray start --head"):
        list(RayExecutor("127.0.0.1:1").run(len, [], [1]))  # type: ignore[arg-type]
