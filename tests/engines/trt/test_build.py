from __future__ import annotations

import errno
import logging
import os
import resource
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from support.random_bundles import random_bundle
from typer.testing import CliRunner

from mer_live.engines.bundle import Bundle, file_sha256, list_bundles, load_bundle
from mer_live.engines.cli import app
from mer_live.engines.errors import BackendError, EngineError
from mer_live.engines.trt import build as build_module
from mer_live.engines.trt import file as engine_file
from mer_live.engines.trt.build import build_engine, engine_key, ensure_engine
from mer_live.engines.trt.file import EngineKey, Precision, list_engines, read_engine, read_header
from mer_live.engines.trt.library import installed_flavours, load_flavour
from mer_live.engines.trt.onnx import engine_model, half_error, run_onnx, sample_inputs, to_half

rtx = pytest.mark.skipif(
    "rtx" not in installed_flavours(), reason='tensorrt-rtx is missing: pip install "mer-live[rtx]"'
)
CAPABILITIES = ("8.0", "8.6", "8.9", "12.0")
KEY = EngineKey("madtn", "0" * 64, "fp32", "rtx", "1.7.1", "8.9")


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests say the same on a machine with a GPU."""
    monkeypatch.setattr(build_module, "present_gpu", lambda *_: None)


def write(folder: Path, key: EngineKey = KEY, data: bytes = b"engine" * 1000) -> Path:
    return engine_file.write_engine(folder, key, data, "not checked")


@pytest.mark.slow
@rtx
@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("name", list_bundles())
def test_every_bundle_compiles_for_every_capability(name: str, precision: Precision, tmp_path: Path) -> None:
    bundle = load_bundle(name)
    for capability in CAPABILITIES:
        key = engine_key(bundle, precision, "rtx", capability)
        engine = build_engine(bundle, key, tmp_path)
        assert engine.header.key == key
        assert (key.onnx_sha256, key.precision) == (bundle.card.sha256, precision)
        assert key.version == load_flavour("rtx").__version__
        assert read_engine(engine.path, key)[1] == engine.data
        assert "no GPU of compute capability" in engine.header.parity
    assert len(list(tmp_path.iterdir())) == len(CAPABILITIES)


@rtx
@pytest.mark.parametrize("name", ["ststnet", "minet"])
def test_other_networks_compile(name: str, tmp_path: Path) -> None:
    bundle = random_bundle(name)
    build_engine(bundle, engine_key(bundle, "fp16", "rtx", "8.9"), tmp_path)


@pytest.mark.parametrize("name", ["madtn", "atnet", "ststnet", "minet"])
def test_half_model_agrees_with_the_float_one(name: str) -> None:
    bundle = random_bundle(name)
    inputs = sample_inputs(bundle, 3, seed=4)
    expected = run_onnx(bundle.onnx_path.read_bytes(), inputs)
    folded, half = engine_model(bundle, "fp32"), engine_model(bundle, "fp16")
    np.testing.assert_allclose(run_onnx(folded, inputs), expected, atol=1e-4)
    assert half_error(run_onnx(half, inputs), expected) < 1.0
    types = {t.data_type for t in onnx.load_model_from_string(half).graph.initializer}
    assert TensorProto.FLOAT not in types
    assert len(half) < 0.7 * len(folded)


def test_nan_is_never_parity() -> None:
    assert half_error(np.array([np.nan], np.float32), np.zeros(1, np.float32)) == np.inf


def test_weight_too_large_for_half_is_refused() -> None:
    with pytest.raises(EngineError, match=r"big is too large for fp16; build with --precision fp32"):
        to_half(_model("Mul", constant=1e6).SerializeToString())


def test_bundle_that_half_precision_spoils_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(build_module, "half_error", lambda *_: 3.0)
    monkeypatch.setattr(build_module, "load_flavour", lambda _: type("rtx", (), {"__version__": "1.7.1"}))
    with pytest.raises(EngineError, match="loses too much in half precision"):
        build_engine(random_bundle("madtn"), replace(KEY, precision="fp16"), tmp_path)


# Files


def test_name_says_what_it_is_and_differs_with_every_field() -> None:
    assert KEY.filename.startswith("madtn-fp32-rtx-1.7.1-sm89-")
    others = [
        replace(KEY, onnx_sha256="1" * 64),
        replace(KEY, precision="fp16"),
        replace(KEY, flavour="tensorrt"),
        replace(KEY, version="1.7.2"),
        replace(KEY, compute_capability="12.0"),
        replace(KEY, max_batch=4),
        replace(KEY, system="windows-amd64"),
    ]
    assert len({k.filename for k in [KEY, *others]}) == 1 + len(others)


def test_written_engine_reads_back(tmp_path: Path) -> None:
    path = write(tmp_path)
    header, data = read_engine(path, KEY)
    assert data == b"engine" * 1000
    assert read_header(path) == header
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("where", [0.5, 0.99])
def test_damaged_file_is_refused(tmp_path: Path, where: float) -> None:
    path = write(tmp_path)
    content = bytearray(path.read_bytes())
    content[int(len(content) * where)] ^= 1
    path.write_bytes(content)
    with pytest.raises(EngineError, match=r"damaged .*build it again"):
        read_engine(path, KEY)


@pytest.mark.parametrize("keep", [5, 100, -1])
def test_truncated_file_is_refused(tmp_path: Path, keep: int) -> None:
    path = write(tmp_path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(EngineError, match=r"damaged|not an engine"):
        read_engine(path, KEY)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.engine"
    with pytest.raises(EngineError, match="cannot be read"):
        read_engine(path)
    path.write_bytes(b"something else")
    with pytest.raises(EngineError, match="not an engine of mer-live"):
        read_engine(path)


def test_wrong_key_and_wrong_version_are_refused_by_name(tmp_path: Path) -> None:
    path = write(tmp_path)
    with pytest.raises(EngineError, match="onnx_sha256"):
        read_engine(path, replace(KEY, onnx_sha256="1" * 64))
    with pytest.raises(EngineError, match=r"version '1\.7\.1' instead of '1\.8\.0'"):
        read_engine(path, replace(KEY, version="1.8.0"))


def test_disk_that_refuses_leaves_nothing(tmp_path: Path, small_files: None) -> None:
    with pytest.raises(EngineError, match=r"cannot be written to .*free space, or name another folder"):
        write(tmp_path, data=bytes(1 << 20))
    assert list(tmp_path.iterdir()) == []


def test_full_disk_keeps_the_old_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, data=b"old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(engine_file.os, "fsync", full)
    with pytest.raises(EngineError, match="No space left on device"):
        write(tmp_path, data=b"new")
    assert read_engine(path)[1] == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def small_files() -> Iterator[None]:
    """The kernel refuses files over 64 KiB, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


# Keeping and rebuilding


@rtx
def test_kept_engine_is_used_and_a_damaged_one_rebuilt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bundle = random_bundle("madtn")
    key = engine_key(bundle, "fp32", "rtx", "8.9")
    built: list[EngineKey] = []
    compile_onnx = build_module.compile_onnx

    def counted(model: bytes, library: object, wanted: EngineKey) -> bytes:
        built.append(wanted)
        return compile_onnx(model, library, wanted)  # type: ignore[arg-type]

    monkeypatch.setattr(build_module, "compile_onnx", counted)
    first = ensure_engine(bundle, key, tmp_path)
    assert ensure_engine(bundle, key, tmp_path).data == first.data
    assert built == [key]
    first.path.write_bytes(first.path.read_bytes()[:-10])
    with caplog.at_level(logging.WARNING):
        again = ensure_engine(bundle, key, tmp_path)
    assert "damaged" in caplog.text
    assert read_engine(again.path, key)[1] == again.data
    # The same name holding another key, as after a hand-made copy.
    other = replace(key, onnx_sha256="1" * 64)
    write(tmp_path, other).replace(again.path)
    assert ensure_engine(bundle, key, tmp_path).header.key == key
    assert built == [key] * 3


@rtx
def test_key_of_another_version_is_not_built(tmp_path: Path) -> None:
    bundle = random_bundle("madtn")
    key = replace(engine_key(bundle, "fp32", "rtx", "8.9"), version="1.0.0")
    with pytest.raises(EngineError, match=r"asks for rtx 1\.0\.0"):
        build_engine(bundle, key, tmp_path)


@rtx
def test_without_a_gpu_a_capability_must_be_named() -> None:
    with pytest.raises(EngineError, match=r"no NVIDIA GPU here .*--compute-capability"):
        engine_key(random_bundle("madtn"), "fp32", "rtx")
    with pytest.raises(EngineError, match=r"has no compute capability 9\.0; it has .*8\.9"):
        engine_key(random_bundle("madtn"), "fp32", "rtx", "9.0")


def test_tensorrt_builds_only_for_the_gpu_here(monkeypatch: pytest.MonkeyPatch) -> None:
    library = type("tensorrt", (), {"__version__": "11.4.0"})
    monkeypatch.setattr(build_module, "load_flavour", lambda _: library)
    with pytest.raises(EngineError, match=r"only for the GPU in this machine .*--flavour rtx"):
        engine_key(random_bundle("madtn"), "fp32", "tensorrt", "8.9")


@pytest.mark.skipif("tensorrt" in installed_flavours(), reason="tensorrt is installed here")
def test_missing_library_gives_the_line_to_install() -> None:
    with pytest.raises(BackendError, match=r'pip install "mer-live\[gpu\]"'):
        load_flavour("tensorrt")


@rtx
def test_unsupported_layer_gives_nvidias_message(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    folder.mkdir()
    model = _model("Det")
    onnx.save_model(model, str(folder / "model.onnx"))
    good = random_bundle("madtn")
    card = replace(good.card, sha256=file_sha256(folder / "model.onnx"))
    bundle = Bundle(folder, card)
    with pytest.raises(EngineError, match=r"rtx cannot take madtn: .*Det"):
        build_engine(bundle, engine_key(bundle, "fp32", "rtx", "8.9"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_unreadable_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no protobuf")
    with pytest.raises(EngineError, match="ONNX Runtime cannot read"):
        engine_model(Bundle(tmp_path, random_bundle("madtn").card), "fp32")


# The command


@rtx
def test_command_builds_lists_inspects_and_verifies(tmp_path: Path) -> None:
    folder, out = str(random_bundle("madtn").path), str(tmp_path)
    call = CliRunner().invoke
    arguments = ["build", folder, "--compute-capability", "8.9", "--compute-capability", "12.0", "--out", out]
    done = call(app, [*arguments, "--precision", "fp16"])
    assert done.exit_code == 0, done.output
    file = next(str(path) for path, _ in list_engines(tmp_path) if "sm89" in path.name)
    listing = call(app, ["list", "--out", out]).output
    assert listing.count("madtn fp16, rtx") == 2
    assert "unusable" not in listing
    assert "1..8" in call(app, ["inspect", file]).output
    verified = call(app, ["verify", file, folder])
    assert verified.exit_code == 0
    assert "checksum and key fit" in verified.output
    wrong = call(app, ["verify", file, str(random_bundle("ststnet").path)])
    assert wrong.exit_code == 4
    assert "built for another key" in wrong.output


def test_command_tells_errors_in_one_line(tmp_path: Path) -> None:
    call = CliRunner().invoke
    missing = call(app, ["build", str(tmp_path / "none")])
    assert missing.exit_code == 4
    assert "neither a shipped name" in missing.output
    assert call(app, ["inspect", str(tmp_path / "none.engine")]).exit_code == 4
    assert "No engines in" in call(app, ["list", "--out", str(tmp_path)]).output
    write(tmp_path, replace(KEY, version="0.1"))
    (tmp_path / "bad.engine").write_bytes(b"x")
    listing = call(app, ["list", "--out", str(tmp_path)]).output
    assert "unusable: needs rtx 0.1" in listing
    assert "not an engine of mer-live" in listing


def _model(op: str, constant: float = 1.0) -> onnx.ModelProto:
    """(B, 4, 4) -> ``op`` -> logits, in ONNX."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 4, 4])
    y = helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)
    big = helper.make_tensor("big", TensorProto.FLOAT, [1], [constant])
    inputs = ["x"] if op == "Det" else ["x", "big"]
    graph = helper.make_graph([helper.make_node(op, inputs, ["logits"])], "g", [x], [y], [big])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
