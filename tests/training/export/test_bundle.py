from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from support.random_bundles import random_bundle, random_network, samples_of, specs_of

from mer_live.engines.bundle import Bundle, load_bundle
from mer_live.engines.networks.base import Network
from mer_live.engines.onnx_weights import read_weights
from mer_live.engines.parity import parity_error
from mer_live.training.export import bundle as export
from mer_live.training.export.bundle import ExportError, export_bundle, round_weights

FIELDS: dict[str, Any] = {"name": "x", "version": "1", "data": "d", "licence": "l", "attribution": "a"}


def fast_export(network: Network, out: Path, **changes: Any) -> Bundle:
    arguments = (
        {"specs": specs_of(network), "samples": samples_of(network), "out_dir": out} | FIELDS | changes
    )
    return export_bundle(network, **arguments)


@pytest.fixture
def no_exporter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the finished ONNX of the random MADTN instead of running torch's exporter again."""
    model = random_bundle("madtn").onnx_path
    monkeypatch.setattr(export, "write_onnx", lambda network, samples, path: shutil.copy(model, path))


def test_bundle_on_disk() -> None:
    bundle = random_bundle("atnet")
    assert sorted(p.name for p in bundle.path.iterdir()) == ["card.json", "model.onnx"]
    card = load_bundle(bundle.path).card
    assert [i.name for i in card.inputs] == ["apex", "adm"]
    assert card.inputs[0].shape == (1, 224, 224)
    assert card.network.config["widths"] == [4, 6, 8, 8]
    assert "spontaneous" in card.validation
    assert bundle.path.stat().st_mode & 0o777 == 0o755


def test_lstm_stays_one_operator_and_the_batch_is_free() -> None:
    model = onnx.load(str(random_bundle("atnet").onnx_path))
    operators = [node.op_type for node in model.graph.node]
    assert operators.count("LSTM") == 1
    assert "Loop" not in operators
    assert all(i.type.tensor_type.shape.dim[0].dim_param for i in model.graph.input)
    assert model.opset_import[0].version == 20


def test_the_file_tells_nothing_about_this_machine() -> None:
    for name in ("madtn", "atnet"):
        content = random_bundle(name).onnx_path.read_bytes()
        assert str(Path(export.__file__).resolve().parents[2]).encode() not in content
        assert b"site-packages" not in content


def test_weights_are_stored_in_half_precision_and_read_back_whole() -> None:
    network = random_network("atnet")
    path = random_bundle("atnet").onnx_path
    stored = {t.name: t.data_type for t in onnx.load(str(path)).graph.initializer}
    assert stored["classifier.weight.f16"] == onnx.TensorProto.FLOAT16
    assert stored["classifier.bias"] == onnx.TensorProto.FLOAT
    round_weights(network)
    state = {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
    weights = read_weights(path)
    assert set(weights) == set(state)
    for key, value in state.items():
        np.testing.assert_array_equal(weights[key], value.numpy(), err_msg=key)


@pytest.mark.usefixtures("no_exporter")
def test_the_network_itself_is_left_as_it_was(tmp_path: Path) -> None:
    network = random_network("madtn").train()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    fast_export(network, tmp_path / "b", scores={"uf1": 0.5})
    assert network.training
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())
    assert all(p.requires_grad for p in network.parameters())
    assert load_bundle(tmp_path / "b").card.scores == {"uf1": 0.5}


@pytest.mark.usefixtures("no_exporter")
def test_a_difference_is_refused_and_nothing_is_left_behind(tmp_path: Path) -> None:
    other = random_network("madtn", seed=5)  # not the network that the ONNX file holds
    with pytest.raises(ExportError, match="onnxruntime differs from torch by"):
        fast_export(other, tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("no_exporter")
def test_an_old_bundle_survives_a_failed_export_and_yields_to_a_good_one(tmp_path: Path) -> None:
    out = tmp_path / "b"
    fast_export(random_network("madtn"), out)
    with pytest.raises(ExportError):
        fast_export(random_network("madtn", seed=5), out, version="2")
    assert load_bundle(out).card.version == "1"
    fast_export(random_network("madtn"), out, version="3")
    assert load_bundle(out).card.version == "3"
    assert [p.name for p in tmp_path.iterdir()] == ["b"]


def test_a_folder_that_is_no_bundle_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(ValueError, match="is no bundle"):
        fast_export(random_network("madtn"), tmp_path)
    assert (tmp_path / "thesis.txt").exists()


def test_samples_must_fit(tmp_path: Path) -> None:
    network = random_network("madtn")
    samples = samples_of(network)
    for bad in (
        {"motion": samples["motion"][:1]},
        {"motion": samples["motion"].astype(np.float64)},
        {"motion": samples["motion"][:, :1]},
        {"apex": samples["motion"]},
    ):
        with pytest.raises(ValueError, match="samples"):
            fast_export(network, tmp_path / "b", samples=bad)
    with pytest.raises(ValueError, match="one spec"):
        fast_export(network, tmp_path / "b", specs=[])


def test_parity_error() -> None:
    expected = np.array([[1.0, -2.0]], np.float32)
    assert parity_error(expected, expected) == 0.0
    assert parity_error(expected + np.float32(1e-3), expected) < 1.0
    assert parity_error(expected + np.float32(1e-2), expected) > 1.0
    assert parity_error(np.array([[np.nan, 0]], np.float32), expected) == np.inf
    with pytest.raises(ValueError, match="compare"):
        parity_error(expected[0], expected)
