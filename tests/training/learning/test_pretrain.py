"""Macro-expression pretraining: weights with their provenance, and what begins with them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from mer_live.engines.networks import build
from mer_live.realtime.types import CLASSES
from mer_live.training.cli.main import app
from mer_live.training.evaluation.material import gather
from mer_live.training.evaluation.protocols import make_split
from mer_live.training.learning.augment import shake
from mer_live.training.learning.data import Labelled
from mer_live.training.learning.pretrain import PretrainConfig, load, pretrain, save, start_from
from mer_live.training.methods import make_method
from mer_live.training.methods.atnet import Atnet
from mer_live.training.prepare.config import parse_representations
from mer_live.training.prepared.index import save_array, write_index
from mer_live.training.prepared.prepared_set import PreparedSet
from mer_live.training.synthesis.prepared_set import SynthSet, render_set

SMALL = {"depth": "8", "width": "4", "stem_stride": "4", "init_std": "0"}
NARROW = {"variant": "spatial", "widths": "2,2,2,2"}


@pytest.fixture(scope="module")
def macro(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six people, whose class is bright in its third of the picture; sequences of two frames as well."""
    folder, n = tmp_path_factory.mktemp("macro"), 36
    rng = np.random.default_rng(0)
    labels = np.arange(n) % 3
    images = rng.integers(0, 60, (n, 48, 48))
    for k, c in enumerate(labels):
        images[k, c * 16 : c * 16 + 16] += 90
    save_array(folder / "apex.npy", images.astype(np.uint8))
    save_array(folder / "frames.npy", np.stack([images] * 2, 1).astype(np.uint8))
    rows = [
        {"key": f"m/{k}", "dataset": "m", "subject": k // 6, "label": CLASSES[c]}
        for k, c in enumerate(labels)
    ]
    write_index(folder, rows)
    return folder


def test_it_learns_and_says_where_from(macro: Path, tmp_path: Path) -> None:
    how = PretrainConfig(epochs=30, batch=12, lr=0.01, held_fraction=0.3)  # 1.0 with each of five seeds
    made = pretrain("sa-at", SMALL, PreparedSet.open(macro), how, barred=["m/002"])
    told = made.provenance
    assert told["scores"]["uf1"] > 0.8
    trained, held = set(told["data"]["trained_on"]), set(told["scores"]["subjects"])
    assert not trained & held
    assert len(trained | held) == 5
    assert "m/002" not in trained | held
    assert told["network"]["config"]["depth"] == 8
    read = load(save(made, tmp_path / "w"))
    assert read.provenance["config"]["epochs"] == 30
    assert len(read.provenance["data"]["samples"]) == 64
    for name, value in made.network.state_dict().items():
        assert torch.equal(value, read.network.state_dict()[name])
    with pytest.raises(ValueError, match="only people who must not"):
        pretrain("sa-at", SMALL, PreparedSet.open(macro), how, barred=[f"m/{k:03d}" for k in range(6)])


def test_weights_are_checked(macro: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"weights\.pt is missing"):
        load(tmp_path)
    made = pretrain("sa-at", SMALL, PreparedSet.open(macro), PretrainConfig(epochs=1, held_fraction=0))
    assert made.provenance["scores"] == {}
    folder = save(made, tmp_path / "w")
    with pytest.raises(ValueError, match=r"do not fit streams.apex.\*"):
        start_from(build("atnet", {"variant": "temporal"}), folder, "streams.apex.")
    note = folder / "weights.json"
    note.write_text(note.read_text().replace('"sha256": "', '"sha256": "0'))
    with pytest.raises(ValueError, match=r"is not what weights\.json"):
        load(folder)


@pytest.mark.parametrize(
    ("network", "settings"),
    [("atnet", NARROW), ("minet", {"width": "2", "intervals": "1"}), ("sa-at", SMALL)],
)
def test_any_network_can_be_pretrained(network: str, settings: dict[str, str], macro: Path) -> None:
    how = PretrainConfig(epochs=1, batch=12, size=32)
    made = pretrain(network, settings, PreparedSet.open(macro), how)
    assert made.provenance["inputs"]["apex"] == [32, 32]
    assert made.provenance["inputs"].get("frames", [2, 32, 32]) == [2, 32, 32]
    once_more = pretrain(network, settings, PreparedSet.open(macro), how)
    for a, b in zip(made.network.parameters(), once_more.network.parameters(), strict=True):
        assert torch.equal(a, b)


def test_atnet_begins_with_the_spatial_stream(macro: Path, tmp_path: Path) -> None:
    made = pretrain("atnet", {"variant": "spatial"}, PreparedSet.open(macro), PretrainConfig(epochs=0))
    folder = save(made, tmp_path / "w")
    model = make_method("atnet", {"variant": "fusion", "spatial_weights": str(folder)})
    assert isinstance(model, Atnet)
    begun, state = model.build().state_dict(), made.network.state_dict()
    mine = [name for name in begun if name.startswith("streams.apex.")]
    assert mine
    assert all(torch.equal(begun[name], state[name]) for name in mine)
    train = Labelled({"adm": np.zeros((2, 64, 128), np.float32)}, np.array([0, 1]), np.array(["a/1", "a/2"]))
    with pytest.raises(ValueError, match="do not fit"):
        make_method("atnet", {"variant": "temporal", "spatial_weights": str(folder)}).fit(train)


def test_folds_hang_on_the_weights_not_on_their_folder(macro: Path, tmp_path: Path) -> None:
    prepared, folder = PreparedSet.open(macro), tmp_path / "w"
    split = make_split("holdout", prepared)
    settings = {"variant": "spatial", "spatial_weights": str(folder)}
    prints = set()
    for seed in (0, 1):
        save(pretrain("atnet", NARROW, prepared, PretrainConfig(epochs=1, seed=seed)), folder)
        prints |= {gather(prepared, split, "atnet", settings).fingerprint for _ in range(2)}
    assert len(prints) == 2


def test_command(macro: Path, tmp_path: Path) -> None:
    args = ["pretrain", "--data", str(macro), "--out", str(tmp_path / "w"), "--train", "epochs=1"]
    done = CliRunner().invoke(app, [*args, *[f"--set={k}={v}" for k, v in SMALL.items()]])
    assert done.exit_code == 0, done.output
    assert "uf1" in json.loads(done.stdout.splitlines()[-1])
    assert load(tmp_path / "w").network.config.width == 4
    wrong = CliRunner().invoke(app, [*args, "--set", "colour=blue"])
    assert wrong.exit_code == 2
    assert "unknown setting 'colour'" in wrong.output


def test_frames_of_a_sequence_move_alike() -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (3, 16, 16)).astype(np.uint8)
    moved = shake(images, np.random.default_rng(1), 10, 3)
    assert moved.shape == images.shape
    assert moved.dtype == np.uint8
    assert not np.array_equal(moved, images)
    sequence = shake(np.stack([images] * 5, 1), np.random.default_rng(1), 10, 3)
    assert all(np.array_equal(sequence[:, t], moved) for t in range(5))
    colours = shake(np.stack([images] * 3, -1), np.random.default_rng(1), 10, 3)
    assert all(np.array_equal(colours[..., c], moved) for c in range(3))


def test_stills_are_the_apex_of_clips(faces: Path, tmp_path: Path) -> None:
    """Apex frames alone are rendered as stills: larger expressions change the face more."""
    specs = parse_representations("apex:size=64")
    request = SynthSet(faces, kind="macro", clips=3, representations=specs)
    stills = PreparedSet.open(render_set(request, tmp_path / "macro"))
    assert stills.array("apex").shape == (3, 64, 64)
    assert sorted(stills.labels) == [0, 1, 2]
    strength = stills.index["intensity_px"].astype(float)
    assert ((strength >= 4) & (strength <= 12)).all()
