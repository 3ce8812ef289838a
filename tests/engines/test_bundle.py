from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mer_live.engines import bundle as bundle_module
from mer_live.engines.bundle import NOT_VALIDATED, Card, InputCard, NetworkCard, list_bundles, load_bundle
from mer_live.engines.errors import BundleError
from mer_live.engines.representation.specs import AdmSpec, ApexSpec

MODEL_BYTES = b"a model"


def card(**changes: Any) -> Card:
    plain = Card(
        name="tiny",
        version="1.0",
        network=NetworkCard("atnet", {"variant": "fusion"}),
        inputs=(InputCard("apex", (1, 224, 224), ApexSpec()), InputCard("adm", (64, 128), AdmSpec())),
        classes=("negative", "positive", "surprise"),
        data="drawn clips",
        licence="Apache-2.0",
        attribution="nobody",
        sha256=hashlib.sha256(MODEL_BYTES).hexdigest(),
        scores={"synthetic test": {"uf1": 0.5}},
        papers=("Peng et al. 2019",),
    )
    return replace(plain, **changes)


def write(folder: Path, the_card: Card) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(MODEL_BYTES)
    (folder / "card.json").write_text(the_card.to_json(), encoding="utf-8")
    return folder


def test_card_survives_json() -> None:
    for told in (card(), card(flows=("farneback",), scores={"farneback flow": {"uf1": 0.5}})):
        assert Card.from_json(told.to_json()) == told
    assert card().validation == NOT_VALIDATED


def test_bundle_is_loaded_from_a_folder(tmp_path: Path) -> None:
    folder = write(tmp_path / "a b", card())
    for where in (folder, str(folder)):
        bundle = load_bundle(where)
        assert bundle.card == card()
        assert bundle.onnx_path.read_bytes() == MODEL_BYTES


def test_bundle_is_loaded_by_shipped_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle_module, "_zoo", lambda: tmp_path / "zoo")
    assert list_bundles() == []
    write(tmp_path / "zoo" / "tiny", card())
    (tmp_path / "zoo" / "unfinished").mkdir()
    assert list_bundles() == ["tiny"]
    assert load_bundle("tiny").card.name == "tiny"
    with pytest.raises(BundleError, match=r"'nano' is neither a shipped name \(tiny\) nor a folder"):
        load_bundle("nano")


@pytest.mark.parametrize("name", list_bundles())
def test_shipped_bundles_are_whole(name: str) -> None:
    bundle = load_bundle(name)
    assert bundle.card.name == name
    assert NOT_VALIDATED in bundle.card.validation
    assert bundle.card.scores
    assert bundle.card.attribution


def test_missing_file(tmp_path: Path) -> None:
    folder = write(tmp_path / "b", card())
    (folder / "model.onnx").unlink()
    with pytest.raises(BundleError, match=r"model\.onnx is missing"):
        load_bundle(folder)


def test_changed_model(tmp_path: Path) -> None:
    folder = write(tmp_path / "b", card())
    (folder / "model.onnx").write_bytes(MODEL_BYTES + b"!")
    with pytest.raises(BundleError, match="is not the model its card describes"):
        load_bundle(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"licens": "x"}, "unknown key 'licens'"),
        ({"classes": "negative"}, "card.classes: expected a list"),
        ({"inputs": [{"name": "apex", "shape": [1], "representation": {"name": "apx"}}]}, "representation"),
        (
            {"inputs": [{"name": "apex", "shape": [1], "representation": {"name": "apex", "px": 1}}]},
            "unknown key 'px'",
        ),
        ({"format": 2}, "upgrade mer-live"),
        ({"flows": ["farneback"]}, "permits farneback flow, of which card.scores has no 'farneback flow'"),
    ],
)
def test_bad_card(tmp_path: Path, change: dict[str, object], message: str) -> None:
    folder = write(tmp_path / "b", card())
    data = json.loads((folder / "card.json").read_text()) | change
    (folder / "card.json").write_text(json.dumps(data))
    with pytest.raises(BundleError, match=message):
        load_bundle(folder)


def test_card_that_is_no_json(tmp_path: Path) -> None:
    folder = write(tmp_path / "b", card())
    (folder / "card.json").write_text("{")
    with pytest.raises(BundleError, match="cannot be used"):
        load_bundle(folder)


def test_the_live_modules_need_no_training_library() -> None:
    heavy = [
        "torch",
        "onnx",
        "pandas",
        "matplotlib",
        "skimage",
        "scipy",
        "sklearn",
        "openvino",
        "onnxruntime",
        "tensorrt",
    ]
    code = (
        "import sys\n"
        "import mer_live.engines.representation.represent, mer_live.engines.bundle\n"
        "import mer_live.engines.runners, mer_live.engines.networks\n"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
