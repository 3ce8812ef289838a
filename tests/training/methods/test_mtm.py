from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from mer_live.engines.networks import build
from mer_live.engines.networks.minet import MinetNetwork, MinetNetworkConfig, interval_features
from mer_live.training.evaluation.evaluate import EvaluationRequest, evaluate
from mer_live.training.evaluation.material import gather, training_side
from mer_live.training.evaluation.protocols import make_split
from mer_live.training.learning.data import Labelled
from mer_live.training.learning.macro import macro_side
from mer_live.training.learning.pretrain import PretrainConfig, load, pretrain, save
from mer_live.training.learning.settings import apply_settings
from mer_live.training.methods import make_method
from mer_live.training.methods.mtm.method import ABLATIONS, Mtm, MtmConfig
from mer_live.training.prepared.index import write_index
from mer_live.training.prepared.prepared_set import PreparedSet

SIZE = 32
TINY = MtmConfig(
    epochs=1,
    pretrain_epochs=1,
    batch=6,
    lr=3e-3,
    width=4,
    steps=4,
    size=SIZE,
    intervals=2,
    frames="difference",
)


def draw(count: int, strength: float, seed: int = 0) -> tuple[dict[str, NDArray[Any]], NDArray[np.int64]]:
    """Faces of noise on which a spot appears and vanishes; its place tells the class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    still = rng.integers(60, 120, (count, 1, SIZE, SIZE)).astype(np.float32)
    frames = np.repeat(still, 4, 1)
    for k, label in enumerate(labels):
        for t, amount in enumerate((0.0, 0.7, 1.0, 0.3)):
            frames[k, t, 4 + 8 * label : 12 + 8 * label, 8:24] += strength * amount
    frames = np.clip(frames + rng.normal(0, 1, frames.shape), 0, 255).astype(np.uint8)
    return {"apex": frames[:, 2], "frames": frames}, labels


def write(folder: Path, strength: float, people: list[str], each: int = 3, dataset: str = "synth") -> Path:
    inputs, labels = draw(len(people) * each, strength, len(people))
    folder.mkdir()
    for name, array in inputs.items():
        np.save(folder / f"{name}.npy", array)
    rows = [
        {"key": f"{dataset}/{k}", "dataset": dataset, "subject": people[k // each], "label": int(label)}
        for k, label in enumerate(labels)
    ]
    write_index(folder, rows)
    return folder


@pytest.fixture
def macro(tmp_path: Path) -> Path:
    return write(tmp_path / "macro", 100, [f"m{k}" for k in range(4)])


def labelled(count: int, strength: float = 40, seed: int = 0) -> Labelled:
    inputs, labels = draw(count, strength, seed)
    return Labelled(inputs, labels, np.array([f"synth/{k // 3}" for k in range(count)]))


def test_paper_sized_network() -> None:
    network = build("minet")
    trunk = 11_170_240  # ResNet-18 on one channel, without its classifier
    assert sum(p.numel() for p in network.parameters()) == 2 * trunk + 1024 * 3 + 3
    assert network.feature_size == 1024
    assert network.input_names == ("apex", "frames")


def test_streams_and_their_shapes() -> None:
    network = MinetNetwork(MinetNetworkConfig(width=4, intervals=2)).eval()
    apex, frames = torch.rand(2, 1, SIZE, SIZE) * 255, torch.rand(2, 5, 1, SIZE, SIZE)
    spatial, temporal = network.streams(apex, frames)
    assert spatial.shape == (2, 32)
    assert temporal.shape == (2, 2, 32)
    z = network.features(apex, frames)
    torch.testing.assert_close(z, torch.cat([spatial, temporal.mean(1)], 1))
    assert network(apex, frames).shape == (2, 3)
    # f of each frame alone, then every second one averaged.
    alone = torch.stack([network.temporal(frames[:, t]) for t in range(5)], 1)
    torch.testing.assert_close(temporal[:, 0], alone.mean(1))
    torch.testing.assert_close(temporal[:, 1], (alone[:, 0] + alone[:, 2] + alone[:, 4]) / 3)


def test_sampling_intervals_by_hand() -> None:
    frames = torch.arange(8.0).reshape(1, 8, 1)
    assert interval_features(frames, 3).flatten().tolist() == [3.5, 3.0, 2.0]
    with pytest.raises(ValueError, match="16 frames"):
        interval_features(frames, 4)


def test_difference_frames_do_not_see_a_still_face() -> None:
    network = MinetNetwork(MinetNetworkConfig(width=4, frames="difference")).eval()
    apex, frames = torch.zeros(1, 1, SIZE, SIZE), torch.rand(1, 1, 1, SIZE, SIZE).repeat(1, 8, 1, 1, 1)
    torch.testing.assert_close(network(apex, frames), network(apex, torch.zeros_like(frames)))


def test_it_overfits_twelve_clips(macro: Path) -> None:
    model = Mtm(replace(TINY, macro=str(macro), epochs=12, pretrain_epochs=12))
    train = labelled(12)
    model.fit(train, seed=0)
    assert (model.predict(train.inputs).argmax(1) == train.labels).all()
    assert model.report is not None
    assert set(model.report.losses[0]) == {
        "cross_entropy", "spatial", "relation", "temporal", "contrast", "total"
    }  # fmt: skip


@pytest.mark.parametrize("name", ABLATIONS)
def test_every_loss_acts_on_minet_or_is_off(name: str, macro: Path) -> None:
    on = {"spatial", "relation", "temporal", "contrast"} - set(ABLATIONS[name])
    model = Mtm(apply_settings(replace(TINY, macro=str(macro)), ABLATIONS[name]))
    model.fit(labelled(12), seed=0)
    assert model.report is not None
    assert set(model.report.losses[0]) == on | {"cross_entropy", "total"}
    assert model.network is not None
    assert model.network.config.intervals == (2 if "relation" in on else 1)
    # The same step once more, by hand: each loss that is on moves MiNet's weights, not only its own head's.
    x = model.tensors(labelled(6).inputs)
    terms = model.terms(model.network.train(), x, torch.tensor([0, 1, 2, 0, 1, 2]), None)
    assert set(terms) == on | {"cross_entropy"}
    for weight, value in terms.values():
        found = torch.autograd.grad(
            value, list(model.network.parameters()), retain_graph=True, allow_unused=True
        )
        assert weight > 0
        assert any(g is not None and bool(g.abs().sum() > 0) for g in found)


def test_spatial_discriminator_pulls_minet_towards_manet(macro: Path) -> None:
    """The gradient that MiNet gets from L_s is the reverse of the discriminator's own."""
    model = Mtm(apply_settings(replace(TINY, macro=str(macro)), ABLATIONS["L_c + L_s"]))
    model.fit(labelled(12), seed=0)
    guide = model._guide
    assert guide is not None
    feature = torch.zeros(6, 32, requires_grad=True)
    value = guide.terms(feature, torch.zeros(6, 1, 32), torch.zeros(6, 64), torch.zeros(6).long())["spatial"][
        1
    ]
    (reverse,) = torch.autograd.grad(value, feature)
    plain = torch.zeros(6, 32, requires_grad=True)
    loss = (
        torch.nn.functional.softplus(guide.heads["spatial"](plain)).sum() / 12
    )  # -log(1 - D), mean over n + m
    (direct,) = torch.autograd.grad(loss, plain)
    torch.testing.assert_close(reverse, -direct, rtol=1e-3, atol=1e-8)  # the schedule has ended at 1


def test_macro_people_of_the_test_fold_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people = ["anna", "bert", "cleo"]
    micro, macro = (
        write(tmp_path / "micro", 40, people),
        write(tmp_path / "both", 100, ["anna", "bert", "dora"]),
    )
    prepared = PreparedSet.open(micro)
    settings = {"macro": str(macro), "size": SIZE, "steps": 4}
    material = gather(prepared, make_split("loso", prepared), "mtm", settings)
    for fold in material.folds:
        train = training_side(material, fold)
        assert train.barred == set(prepared.subjects[fold.test])
        assert train.take(np.arange(2)).barred == train.barred
        side = macro_side(macro, make_method("mtm", settings).wants(), train.barred)
        left = {"synth/anna", "synth/bert", "synth/dora"} - train.barred
        assert set(side.subjects) == left
    with pytest.raises(ValueError, match="only people of the test fold"):
        macro_side(macro, {"apex": None}, set(PreparedSet.open(macro).subjects))
    used: list[Labelled] = []
    real = Mtm._pretrained

    def spy(self: Mtm, data: Labelled, seed: int, inner: float) -> Any:
        used.append(data)
        return real(self, data, seed, inner)

    monkeypatch.setattr(Mtm, "_pretrained", spy)
    tiny = {k: getattr(TINY, k) for k in ("epochs", "pretrain_epochs", "batch", "width", "intervals")}
    report = evaluate(EvaluationRequest(micro, "loso", "mtm", settings={**tiny, **settings}))
    assert report["folds"] == 3
    for micro_data, macro_data in zip(used[::2], used[1::2], strict=True):
        assert len(set(micro_data.subjects)) == 2
        assert not set(macro_data.subjects) & micro_data.barred


def test_manet_may_come_from_pretraining(tmp_path: Path) -> None:
    people = ["anna", "bert", "cleo", "dora", "emil"]
    macro = write(tmp_path / "macro", 100, people)
    how = PretrainConfig(epochs=1, batch=6, held_fraction=0)
    network = {"width": 4, "frames": "difference", "intervals": 2}
    folder = save(pretrain("minet", network, PreparedSet.open(macro), how), tmp_path / "weights")
    model = Mtm(replace(TINY, macro=str(macro), manet_weights=str(folder)))
    model.fit(labelled(6), seed=0)
    guide = model._guide
    assert guide is not None
    x = model.tensors(macro_side(macro, model.wants()).inputs)
    with torch.no_grad():
        expected = load(folder).network.eval().streams(x["apex"], x["frames"])[0]  # type: ignore[operator]
    torch.testing.assert_close(guide.spatial, expected, rtol=1e-3, atol=1e-4)
    with pytest.raises(ValueError, match="who is to be tested"):
        model.fit(replace(labelled(6), barred=frozenset({"synth/anna"})))
    with pytest.raises(ValueError, match="pretrain that"):
        Mtm(replace(TINY, macro=str(macro), manet_weights=str(folder), width=8)).fit(labelled(6))


def test_without_macro_expressions_it_says_what_to_do() -> None:
    with pytest.raises(ValueError, match="macro=FOLDER"):
        Mtm(TINY).fit(labelled(6))
    off = apply_settings(TINY, ABLATIONS["L_c"])
    Mtm(off).fit(labelled(6))


def test_one_seed_decides_everything(macro: Path) -> None:
    config = replace(TINY, macro=str(macro), augment=True, dropout=0.3, cosine=True)

    def run(seed: int, noise: int) -> np.ndarray:
        torch.manual_seed(noise)
        model = Mtm(config)
        model.fit(labelled(12), seed=seed)
        return model.predict(labelled(6, seed=1).inputs)

    assert np.array_equal(run(0, 1), run(0, 2))
    assert not np.array_equal(run(0, 1), run(1, 1))


def test_augmentation_moves_all_frames_of_a_clip_alike() -> None:
    inputs, _ = draw(8, 40)
    inputs["apex"] = inputs["frames"][:, 0]
    moved = Mtm(replace(TINY, augment=True)).augment(inputs, np.random.default_rng(0))
    assert np.array_equal(moved["frames"][:, 0], moved["apex"])
    assert not np.array_equal(moved["apex"], inputs["apex"])
    assert np.array_equal(Mtm(TINY).augment(inputs, np.random.default_rng(0))["apex"], inputs["apex"])


def test_stored_frames_of_another_size_are_resized(tmp_path: Path) -> None:
    folder = write(tmp_path / "D", 40, ["a", "b"])
    frames = np.load(folder / "frames.npy")
    small = PreparedSet.open(folder).array("frames", (4, 16, 16))
    assert small.shape == (6, 4, 16, 16)
    assert abs(float(small[0, 1].mean()) - float(frames[0, 1].mean())) < 1
    with pytest.raises(ValueError, match="map another array"):
        PreparedSet.open(folder).array("frames", (8, 16, 16))
