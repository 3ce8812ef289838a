from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from support.random_bundles import random_bundle, random_network, samples_of
from support.tolerances import assert_close

from mer_live.engines import runners
from mer_live.engines.bundle import Bundle, list_bundles, load_bundle
from mer_live.engines.errors import BackendError
from mer_live.engines.networks import NAMES, build
from mer_live.engines.runners import BACKENDS, open_runner
from mer_live.training.export.bundle import round_weights

CPU_BACKENDS = ("openvino", "onnxruntime", "torch")
ENGINES = Path(__file__).resolve().parents[3] / "engines"


@pytest.mark.slow
@pytest.mark.parametrize("backend", CPU_BACKENDS)
@pytest.mark.parametrize("name", NAMES)
def test_runner_equals_the_network_it_was_exported_from(name: str, backend: str) -> None:
    network = random_network(name)
    round_weights(network)
    samples = samples_of(network, count=5, seed=9)
    with torch.inference_mode():
        expected = network(*[torch.from_numpy(samples[n]) for n in network.input_names]).numpy()
    with open_runner(random_bundle(name), backend) as runner:
        assert runner.backend == backend
        batch = runner.infer(samples)["logits"]
        singles = [runner.infer({n: a[k : k + 1] for n, a in samples.items()})["logits"] for k in range(5)]
    assert batch.dtype == np.float32
    assert_close("runner-torch", batch, expected)
    assert_close("batch-single", np.concatenate(singles), batch)


@pytest.mark.parametrize("name", list_bundles())
def test_shipped_bundles_agree_on_every_backend(name: str) -> None:
    bundle = load_bundle(name)
    network = build(bundle.card.network.name, bundle.card.network.config)
    specs = {i.name: i.representation for i in bundle.card.inputs}
    samples = samples_of(network, seed=3, specs=specs)
    results = {}
    for backend in CPU_BACKENDS:
        with open_runner(bundle, backend) as runner:
            results[backend] = runner.infer(samples)["logits"]
    assert_close("runner-torch", results["openvino"], results["torch"])
    assert_close("runner-torch", results["onnxruntime"], results["torch"])


@pytest.mark.parametrize("backend", CPU_BACKENDS)
def test_the_caller_owns_what_it_gets(backend: str) -> None:
    network = build("madtn", random_bundle("madtn").card.network.config)
    first, second = samples_of(network, seed=1), samples_of(network, seed=2)
    with open_runner(random_bundle("madtn"), backend) as runner:
        kept = runner.infer(first)["logits"]
        before = kept.copy()
        runner.infer(second)
        np.testing.assert_array_equal(kept, before)
        kept[:] = 0  # writable
        np.testing.assert_array_equal(runner.infer(first)["logits"], before)


@pytest.mark.parametrize("backend", CPU_BACKENDS)
def test_wrong_inputs_are_refused_by_name(backend: str) -> None:
    good = np.zeros((2, 3, 112, 112), np.float32)
    with open_runner(random_bundle("madtn"), backend) as runner:
        for bad in (
            {},
            {"apex": good},
            {"motion": good[:, :, :50]},
            {"motion": good[0]},
            {"motion": good[:0]},
            {"motion": good.astype(np.float64)},
        ):
            with pytest.raises(ValueError, match="madtn"):
                runner.infer(bad)
        turned = np.asfortranarray(good + 1)
        np.testing.assert_array_equal(
            runner.infer({"motion": turned})["logits"], runner.infer({"motion": good + 1})["logits"]
        )
    runner.close()
    with pytest.raises(ValueError, match="closed"):
        runner.infer({"motion": good})


def test_inputs_of_different_batches_are_refused() -> None:
    samples = samples_of(random_network("atnet"))
    samples["adm"] = samples["adm"][:1]
    with (
        open_runner(random_bundle("atnet"), "onnxruntime") as runner,
        pytest.raises(ValueError, match="one B"),
    ):
        runner.infer(samples)


def test_auto_takes_the_first_that_works(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runners, "_tensorrt_obstacle", lambda: "no NVIDIA driver")
    with open_runner(random_bundle("madtn")) as runner:
        assert runner.backend == "openvino"
        assert runner.why == "no tensorrt: no NVIDIA driver"
    monkeypatch.setitem(sys.modules, "openvino", None)
    with open_runner(random_bundle("madtn")) as runner:
        assert runner.backend == "onnxruntime"
        assert "pip install openvino" in runner.why
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(BackendError, match=r"(?s)pip install openvino.*pip install onnxruntime"):
        open_runner(random_bundle("madtn"))


@pytest.mark.parametrize(
    ("backend", "module", "line"),
    [
        ("openvino", "openvino", "pip install openvino"),
        ("onnxruntime", "onnxruntime", "pip install onnxruntime"),
        ("torch", "torch", r'pip install "mer-live\[train\]"'),
        ("torch", "onnx", r'pip install "mer-live\[train\]"'),
    ],
)
def test_a_missing_library_names_the_line_to_type(
    monkeypatch: pytest.MonkeyPatch, backend: str, module: str, line: str
) -> None:
    bundle = random_bundle("madtn")
    monkeypatch.setitem(sys.modules, module, None)
    for name in ("mer_live.engines.networks.load", "mer_live.engines.onnx_weights"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(BackendError, match=line):
        open_runner(bundle, backend)


def test_unknown_backend_and_threads() -> None:
    with pytest.raises(BackendError, match="take one of auto, tensorrt, openvino"):
        open_runner(random_bundle("madtn"), "tvm")
    with pytest.raises(ValueError, match="threads"):
        open_runner(random_bundle("madtn"), threads=0)
    assert BACKENDS[0] == "auto"


@pytest.mark.parametrize("backend", CPU_BACKENDS)
def test_a_model_that_is_no_model(tmp_path: Path, backend: str) -> None:
    (tmp_path / "model.onnx").write_bytes(b"not a model")
    with pytest.raises(BackendError, match=r"model\.onnx"):
        open_runner(Bundle(tmp_path, random_bundle("madtn").card), backend)


def test_torch_refuses_weights_of_another_network(tmp_path: Path) -> None:
    other = Bundle(random_bundle("ststnet").path, random_bundle("madtn").card)
    with pytest.raises(BackendError, match="does not hold the weights of madtn"):
        open_runner(other, "torch")


def test_an_execution_provider_that_is_not_there_is_an_error() -> None:
    from mer_live.engines.runners.onnxruntime import OnnxRuntimeRunner

    with pytest.raises(BackendError, match="pip install onnxruntime-gpu"):
        OnnxRuntimeRunner(random_bundle("madtn"), provider="CUDAExecutionProvider")


def test_openvino_sends_nothing(tmp_path: Path) -> None:
    code = f"""
import socket, sys
def refuse(*args, **kwargs):
    print("network:", args)
    raise OSError("no network in this test")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from mer_live.engines.bundle import load_bundle
from mer_live.engines.runners import open_runner
open_runner(load_bundle({str(random_bundle("madtn").path)!r}), "openvino").close()
print("telemetry:", [m for m in sys.modules if m.startswith("openvino_telemetry.")])
"""
    # Under CI the vendor's telemetry is off anyway: the test must not lean on that.
    environment = {k: v for k, v in os.environ.items() if k not in ("CI", "GITHUB_ACTIONS", "TF_BUILD")}
    environment["HOME"] = str(tmp_path)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout.strip() == "telemetry: []"
    assert not (tmp_path / "intel").exists()


def test_openvino_is_imported_where_its_telemetry_is_barred_and_nowhere_else() -> None:
    root = ENGINES.parent
    sources = [p for d in ("engines", "realtime", "training", "benchmarks") for p in (root / d).rglob("*.py")]
    assert len(sources) > 20
    for path in sources:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {a.name.split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        names |= {str(n.module).split(".")[0] for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        assert "openvino" not in names or path == ENGINES / "runners" / "openvino.py", path
