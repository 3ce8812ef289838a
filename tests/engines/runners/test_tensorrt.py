"""TensorRT's calls, as far as a machine without a GPU can prove them.

``tensorrt_11_4.json`` holds the signatures that the bindings wheel tensorrt-cu13-bindings 11.4.0.106 gives for
itself, read from its own docstrings; the library behind it cannot be installed without NVIDIA's index.
"""

from __future__ import annotations

import ast
import json
import re
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from support import fake_tensorrt
from support.random_bundles import random_bundle, random_network, samples_of
from support.tolerances import assert_close

from mer_live.engines.errors import BackendError, EngineError
from mer_live.engines.runners import open_runner, tensorrt
from mer_live.engines.runners.base import RunnerBase
from mer_live.engines.runners.tensorrt import TensorRtRunner
from mer_live.engines.trt import build as build_module
from mer_live.engines.trt.build import build_engine
from mer_live.engines.trt.file import EngineKey, read_header
from mer_live.engines.trt.gpu import Gpu
from mer_live.engines.trt.library import INSTALL, installed_flavours, load_flavour
from mer_live.engines.trt.onnx import engine_model, half_error, sample_inputs
from mer_live.engines.trt.session import EngineSession

ENGINES = Path(tensorrt.__file__).parents[1]
CALLERS = ("build.py", "session.py", "library.py")
SIGNATURES: dict[str, list[str]] = json.loads(
    (Path(__file__).parent / "tensorrt_11_4.json").read_text(encoding="utf-8")
)["signatures"]
RTX_ONLY = {"num_compute_capabilities", "set_compute_capability", "ComputeCapability"}
OURS = {
    "Severity",
    "ERROR",
    "errors",
    "size",
    "clear",
    "append",
    "flavour",
    "path",
    "name",
    "key",
    "device",
} | {
    "version",
    "data",
    "infer",
    "enqueue",
    "type",
    "numpy",
}
"""Names that the same files use of torch, of Python and of themselves."""
REMOVED = (
    "EXPLICIT_BATCH",
    "max_workspace_size",
    ".build_engine(",
    "execute_async_v2",
    "get_binding",
    "num_bindings",
    "platform_has_fast",
    "Calibrator",
    "BuilderFlag.FP16",
    "BuilderFlag.INT8",
)
rtx = pytest.mark.skipif("rtx" not in installed_flavours(), reason="tensorrt-rtx is missing")


def session_of(name: str) -> EngineSession:
    data = engine_model(random_bundle(name), "fp32")
    return EngineSession(fake_tensorrt.library(), data, torch.device("cpu"))


def runner_of(name: str) -> TensorRtRunner:
    """The runner past its search for a GPU, on host memory."""
    bundle = random_bundle(name)
    runner = TensorRtRunner.__new__(TensorRtRunner)
    RunnerBase.__init__(runner, bundle)
    runner._start(fake_tensorrt.library(), engine_model(bundle, "fp32"), torch.device("cpu"))
    return runner


# Against the real interfaces


@rtx
def test_the_two_flavours_agree_on_every_call() -> None:
    library = load_flavour("rtx")
    for name, signatures in SIGNATURES.items():
        owner, member = name.split(".")
        documented = str(getattr(getattr(library, owner), member).__doc__)
        here = re.sub(r"tensorrt(_rtx)?_bindings\.tensorrt(_rtx)?\.", "", documented)
        if signatures:
            assert any(signature in here for signature in signatures), f"{name} differs"


@rtx
def test_every_name_used_of_tensorrt_exists_in_11_4() -> None:
    library = load_flavour("rtx")
    classes = [value for value in vars(library).values() if isinstance(value, type)]
    theirs = {name for c in classes for name in vars(c) if not name.startswith("_")}
    theirs |= {c.__name__ for c in classes}
    known = {part for name in SIGNATURES for part in name.split(".")} | RTX_ONLY
    for file in CALLERS:
        tree = ast.parse((ENGINES / "trt" / file).read_text(encoding="utf-8"))
        used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert used & theirs <= known | OURS, file


def test_nothing_that_11_removed_is_used() -> None:
    files = list(ENGINES.rglob("*.py"))
    assert len(files) > 30
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert not [name for name in REMOVED if name in text], path


def test_fake_has_the_real_parameter_names() -> None:
    for owner, fake in (
        ("ICudaEngine", fake_tensorrt.Engine),
        ("IExecutionContext", fake_tensorrt.Context),
        ("Runtime", fake_tensorrt.Runtime),
    ):
        for name, signatures in SIGNATURES.items():
            if name.startswith(f"{owner}.") and signatures:
                method = getattr(fake, name.split(".")[1])
                count = method.__code__.co_argcount - (1 if method.__code__.co_argcount else 0)
                parameters = method.__code__.co_varnames[1 : 1 + count]
                assert all(f"{p}: " in signatures[0] for p in parameters), name


# Numbers


@pytest.mark.parametrize("name", ["madtn", "atnet", "ststnet"])
def test_runner_equals_onnx_runtime(name: str) -> None:
    samples = samples_of(random_network(name), count=19, seed=5)
    with open_runner(random_bundle(name), "onnxruntime") as reference:
        expected = reference.infer(samples)["logits"]
    with runner_of(name) as runner:
        got = runner.infer(samples)["logits"]  # 19 > 8: in three parts
        single = runner.infer({n: a[3:4] for n, a in samples.items()})["logits"]
    assert_close("runner-torch", got, expected)
    assert_close("runner-torch", single, expected[3:4])


def test_tensors_of_the_device_need_no_host_copy() -> None:
    """19 > 8: in three parts; the logits are the same as by way of host memory."""
    samples = samples_of(random_network("atnet"), count=19, seed=5)
    with runner_of("atnet") as runner:
        through_host = runner.infer(samples)["logits"]
        got = runner.infer_tensors({name: torch.from_numpy(array) for name, array in samples.items()})
    np.testing.assert_array_equal(got, through_host)


def test_the_caller_owns_what_it_gets() -> None:
    first, second = (samples_of(random_network("madtn"), seed=s) for s in (1, 2))
    with runner_of("madtn") as runner:
        kept = runner.infer(first)["logits"]
        before = kept.copy()
        runner.infer(second)
    np.testing.assert_array_equal(kept, before)


def test_addresses_stay_valid_and_shapes_are_set_only_when_they_change() -> None:
    session = session_of("madtn")
    context: Any = session._context
    assert context.addresses["motion"] == session.inputs["motion"].data_ptr()
    assert context.addresses["logits"] == session.logits.data_ptr()
    for batch in (1, 1, 4, 4, 4, 1):
        session.enqueue(batch, stream=77)
    assert context.shape_calls == 3
    assert context.streams == [77] * 6


def test_batch_out_of_range_is_refused() -> None:
    session = session_of("madtn")
    for batch in (0, 9):
        with pytest.raises(ValueError, match=r"1\.\.8"):
            session.enqueue(batch)


# Failures


def test_closed_runner_is_refused() -> None:
    runner = runner_of("madtn")
    runner.close()
    runner.close()
    with pytest.raises(ValueError, match="closed"):
        runner.infer(samples_of(random_network("madtn")))


def test_nvidias_own_message_comes_through() -> None:
    with runner_of("madtn") as runner:
        context: Any = runner._session._context
        context.fail = True
        with pytest.raises(
            BackendError, match="failed on madtn: TensorRT refused: Cask convolution execution"
        ):
            runner.infer(samples_of(random_network("madtn")))


def test_engine_that_cannot_be_loaded() -> None:
    with pytest.raises(EngineError, match=r"cannot be loaded: Serialization \(Magic tag does not match\)$"):
        EngineSession(fake_tensorrt.library(), b"rubbish", torch.device("cpu"))


def test_without_a_gpu_the_backend_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorrt, "load_flavour", lambda _: fake_tensorrt.library())
    monkeypatch.setattr(tensorrt, "installed_flavours", lambda: ["rtx"])
    monkeypatch.setattr(tensorrt, "present_gpu", lambda *_: None)
    with pytest.raises(BackendError, match="needs an NVIDIA GPU and its driver, and none is here"):
        open_runner(random_bundle("madtn"), "tensorrt")


def test_without_the_library_the_backend_gives_the_line_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorrt, "installed_flavours", list)
    with pytest.raises(BackendError, match=re.escape(INSTALL["tensorrt"])):
        open_runner(random_bundle("madtn"), "tensorrt")


def test_torch_without_cuda_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensorrt, "present_gpu", lambda *_: Gpu("test", "8.9"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BackendError, match="install the other one with: pip install"):
        tensorrt._torch_with_cuda()


@rtx
def test_rtx_refuses_to_load_without_a_driver() -> None:
    """The real library: its own words reach the user."""
    from mer_live.engines.trt.gpu import present_gpu

    if present_gpu() is not None:
        pytest.skip("a GPU is here")
    with pytest.raises(EngineError, match="cannot be loaded"):
        EngineSession(load_flavour("rtx"), b"rubbish" * 100, torch.device("cpu"))


# Parity before an engine is kept


@pytest.fixture
def with_gpu(monkeypatch: pytest.MonkeyPatch) -> EngineKey:
    """A build on a machine with a GPU, acted out: the fake library compiles and runs."""
    bundle = random_bundle("madtn")  # exported before torch is acted upon
    monkeypatch.setattr(build_module, "present_gpu", lambda *_: Gpu("test", "8.9"))
    monkeypatch.setattr(build_module, "load_flavour", lambda _: fake_tensorrt.library())
    monkeypatch.setattr(build_module, "compile_onnx", lambda model, *_: model)
    monkeypatch.setattr(torch, "device", lambda _: torch.zeros(0).device)
    return build_module.engine_key(bundle, "fp32", "tensorrt")


def test_engine_is_compared_before_it_is_kept(with_gpu: EngineKey, tmp_path: Path) -> None:
    engine = build_engine(random_bundle("madtn"), with_gpu, tmp_path)
    assert "engine agrees with ONNX Runtime" in read_header(engine.path).parity


def test_engine_that_differs_is_not_kept(
    with_gpu: EngineKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = fake_tensorrt.Context.execute_async_v3

    def wrong(self: fake_tensorrt.Context, stream_handle: int) -> bool:
        done = other(self, stream_handle)
        self._memory("logits", (1, 3))[...] += 0.1
        return done

    monkeypatch.setattr(fake_tensorrt.Context, "execute_async_v3", wrong)
    with pytest.raises(EngineError, match=r"differs from ONNX Runtime by .* not kept"):
        build_engine(random_bundle("madtn"), with_gpu, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_half_precision_engine_that_was_built_is_found_and_used(
    with_gpu: EngineKey, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = random_bundle("madtn")
    key = build_module.engine_key(bundle, "fp16", "tensorrt")
    build_engine(bundle, key, tmp_path)
    monkeypatch.setattr(build_module, "compile_onnx", lambda *_: pytest.fail("it was compiled again"))
    cuda = SimpleNamespace(device=lambda _: nullcontext())
    acted = SimpleNamespace(device=lambda _: torch.zeros(0).device, cuda=cuda)
    monkeypatch.setattr(tensorrt, "_torch_with_cuda", lambda: acted)
    monkeypatch.setattr(tensorrt, "load_flavour", lambda _: fake_tensorrt.library())
    samples = sample_inputs(bundle, 3, seed=4)
    with TensorRtRunner(bundle, precision="fp16", flavour="tensorrt", engine_folder=tmp_path) as runner:
        assert runner.engine == key
        got = runner.infer(samples)["logits"]
    with open_runner(bundle, "onnxruntime") as reference:
        assert half_error(got, reference.infer(samples)["logits"]) <= 1.0
