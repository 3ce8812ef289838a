"""Which device a run takes, acted out for machines with and without a GPU."""

from __future__ import annotations

import pytest
import torch

from mer_live.engines.device import choice
from mer_live.engines.device.choice import choose_device
from mer_live.engines.errors import BackendError
from mer_live.engines.trt.gpu import Gpu


@pytest.fixture
def one_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu("test", "8.9")
    monkeypatch.setattr(choice, "present_gpu", lambda index=0: gpu if index == 0 else None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "present_gpu", lambda index=0: None)


@pytest.mark.usefixtures("one_gpu")
@pytest.mark.parametrize(
    ("faces", "fps", "backend", "name"),
    [
        (1, 30, "auto", "cpu"),
        (1, 200, "auto", "cpu"),
        (1, 240, "auto", "cuda:0"),
        (2, 30, "auto", "cuda:0"),
        (1, 30, "tensorrt", "cuda:0"),
    ],
)
def test_auto_takes_a_gpu_where_it_is_worth_it(faces: int, fps: float, backend: str, name: str) -> None:
    found = choose_device(faces=faces, fps=fps, backend=backend)
    assert found.name == name
    assert found.why


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu() -> None:
    found = choose_device(faces=4)
    assert (found.name, found.torch) == ("cpu", None)
    assert "no NVIDIA GPU" in found.why
    with pytest.raises(
        BackendError, match=r"--device cuda cannot be used: no NVIDIA GPU .* take --device cpu"
    ):
        choose_device("cuda")


@pytest.mark.usefixtures("one_gpu")
def test_asked_for() -> None:
    assert choose_device("cuda").name == "cuda:0"
    assert choose_device("cpu", faces=9).name == "cpu"
    assert choose_device("cpu-torch").torch == "cpu"
    with pytest.raises(BackendError, match="no GPU 3 here; take --device cuda"):
        choose_device("cuda:3")


@pytest.mark.usefixtures("one_gpu")
def test_a_torch_of_the_cpu_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BackendError, match="pip install"):
        choose_device("cuda")


@pytest.mark.parametrize(
    ("asked", "backend", "words"), [("gpu", "auto", "auto, cpu, cuda"), ("cpu", "tensorrt", "--device cuda")]
)
def test_options_that_make_no_sense(asked: str, backend: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        choose_device(asked, backend=backend)
