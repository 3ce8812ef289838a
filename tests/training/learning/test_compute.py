"""Training on another device, acted out with tensors that know their device and hold nothing; and going on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from mer_live.engines.errors import BackendError
from mer_live.engines.executors import LocalExecutor, RayExecutor, make_executor
from mer_live.training.learning import checkpoint as checkpoint_module
from mer_live.training.learning.compute import Compute, compute_on, computing
from mer_live.training.learning.data import Labelled
from mer_live.training.learning.losses import total
from mer_live.training.learning.trainer import Fit
from mer_live.training.methods import make_method
from mer_live.training.methods import network as network_module
from mer_live.training.methods.network import NetworkMethod

SMALL: dict[str, dict[str, Any]] = {
    "madtn": {"hidden": 8, "size": 28},
    "off-apexnet": {},
}


def clips_of(method: NetworkMethod, count: int = 12) -> Labelled:
    rng = np.random.default_rng(0)
    inputs = {
        name: (rng.random((count, *spec.shape)).astype(np.float32) if name == "adm" else None)
        for name, spec in method.specs().items()
    }
    for name, spec in method.specs().items():
        if inputs[name] is None:
            inputs[name] = rng.integers(0, 256, (count, *spec.shape)).astype(np.uint8)
    labels = np.arange(count, dtype=np.int64) % 3
    return Labelled(inputs, labels, np.array([f"s{k // 3}" for k in range(count)]))  # type: ignore[arg-type]


def test_a_step_on_a_gpu_mixes_no_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real losses of one batch on tensors that say they are on cuda: what stayed behind on the CPU is an error,
    and so is a value that the host reads. (Backward and batch norm know no such tensors.)"""
    method = make_method("madtn", SMALL["madtn"])
    assert isinstance(method, NetworkMethod)
    steps = []

    def one_step(network: torch.nn.Module, solver: Any, batches: Any, terms: Any, **more: Any) -> Fit:
        for module in network.modules():  # Module.to cannot swap such tensors
            for kept in (module._parameters, module._buffers):
                for key, value in kept.items():
                    if value is not None:
                        kept[key] = value.detach().to("cuda:0")
        with torch.no_grad():
            loss = total(terms(next(iter(batches()))))
        assert loss.device.type == "cuda"
        steps.append(loss)
        return Fit(1)

    monkeypatch.setattr(network_module, "train_network", one_step)
    monkeypatch.setattr(network_module, "here", lambda: torch.device("cuda:0"))
    monkeypatch.setattr(checkpoint_module, "here", lambda: torch.device("cuda:0"))
    network = method.build()
    monkeypatch.setattr(method, "build", lambda: network)
    with FakeTensorMode(allow_non_fake_inputs=True):
        method.fit(clips_of(method))
    assert len(steps) == 1


class StopError(Exception):
    """Ends a training half way, as a lost worker does."""


def weights_of(method: NetworkMethod) -> Sequence[np.ndarray]:
    assert method.network is not None
    return [value.numpy() for value in method.network.state_dict().values()]


def trained(name: str, compute: Compute, stop_after: int | None = None, **settings: Any) -> NetworkMethod:
    method = make_method(name, {**SMALL[name], "epochs": 5, "batch": 4, **settings})
    assert isinstance(method, NetworkMethod)
    method.progress = _stopper(stop_after) if stop_after else None
    with computing(compute, "fold"):
        method.fit(clips_of(method), seed=3)
    return method


def _stopper(after: int) -> Callable[[int, int, float], None]:
    def stop(epoch: int, epochs: int, loss: float) -> None:
        if epoch == after:
            raise StopError

    return stop


@pytest.mark.parametrize(
    "settings", [{}, {"solver": "one-cycle"}, {"inner_fraction": 0.3}], ids=["plain", "schedule", "early"]
)
def test_a_training_that_was_cut_off_ends_as_if_it_had_not_been(
    tmp_path: Path, settings: dict[str, Any]
) -> None:
    compute = Compute(checkpoints=tmp_path, every=2)
    whole = weights_of(trained("off-apexnet", Compute(), **settings))
    with pytest.raises(StopError):
        trained("off-apexnet", compute, stop_after=4, **settings)
    assert [file.name for file in tmp_path.rglob("*.pt")] == ["1.pt"]
    again = trained("off-apexnet", compute, **settings)
    assert again.report is not None
    for got, expected in zip(weights_of(again), whole, strict=True):
        np.testing.assert_array_equal(got, expected)
    # What is complete is not trained again.
    for got, expected in zip(weights_of(trained("off-apexnet", compute, **settings)), whole, strict=True):
        np.testing.assert_array_equal(got, expected)


def test_a_checkpoint_changes_nothing(tmp_path: Path) -> None:
    plain = weights_of(trained("off-apexnet", Compute()))
    kept = weights_of(trained("off-apexnet", Compute(checkpoints=tmp_path, every=1)))
    for got, expected in zip(kept, plain, strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is here")
def test_a_gpu_that_is_not_there_is_told() -> None:
    with pytest.raises(BackendError, match="take --device cpu"):
        compute_on("cuda")
    assert compute_on("cuda", elsewhere=True).device == "cuda:0"
    assert compute_on("cpu") == Compute()
    with pytest.raises(ValueError, match="cpu, cuda or cuda:N"):
        compute_on("gpu")


def test_a_gpu_trains_one_fold_at_a_time_and_ray_gives_each_its_own() -> None:
    assert make_executor("local", jobs=4, gpus=1) == LocalExecutor(1)
    assert make_executor("local", jobs=4) == LocalExecutor(4)
    assert make_executor("ray", jobs=4, gpus=1) == RayExecutor(None, 4, gpus=1)
