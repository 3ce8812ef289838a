from __future__ import annotations

import numpy as np
import pytest
import torch

from mer_live.engines.networks.atnet import AtnetNetwork
from mer_live.engines.representation.adm import mirror_adm
from mer_live.training.learning.data import Labelled, Unlabelled
from mer_live.training.learning.losses import SilentLossError
from mer_live.training.learning.settings import apply_settings, parse_settings
from mer_live.training.learning.trainer import derive, epoch_batches, oversample, seeded
from mer_live.training.methods import make_method, method_names
from mer_live.training.methods.atnet import Atnet, AtnetConfig
from mer_live.training.methods.madtn import Madtn, MadtnConfig
from mer_live.training.methods.ststnet.method import Ststnet, StstnetConfig
from mer_live.training.methods.svm import Svm


def clips(n: int, shape: tuple[int, ...], name: str, seed: int = 0, level: float = 60) -> Labelled:
    """Class c is bright in channel or third c: separable, with noise."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    x = rng.integers(0, 80, (n, *shape))
    for k, c in enumerate(y):
        if shape[-1] == 3:
            x[k, ..., c] += int(level)
        else:
            x[k, c * shape[0] // 3 : (c + 1) * shape[0] // 3] += int(level)
    return Labelled({name: x.astype(np.uint8)}, y, np.array([f"d/{k // 3}" for k in range(n)]))


def test_every_method_learns_a_separable_set() -> None:
    small = {
        "madtn": {"size": 32, "hidden": 32, "epochs": 5, "batch": 10, "lr": 1e-3},
        "ststnet": {"epochs": 20, "lr": 1e-2},
    }
    shapes = {"madtn": (32, 32, 3), "ststnet": (28, 28, 3), "svm": (6, 6, 3)}
    names = {"madtn": "motion", "ststnet": "flow", "svm": "anything"}
    for method, shape in shapes.items():
        train, test = clips(30, shape, names[method]), clips(30, shape, names[method], seed=1)
        model = make_method(method, small.get(method))
        model.fit(train, seed=0)
        p = model.predict(test.inputs)
        assert p.shape == (30, 3)
        assert np.allclose(p.sum(1), 1, atol=1e-5)
        assert (p.argmax(1) == test.labels).mean() > 0.9, method


def test_atnet_variants_and_recipes_train() -> None:
    rng = np.random.default_rng(0)
    y = np.array([0, 0, 1, 2])
    inputs = {
        "apex": rng.integers(0, 255, (4, 224, 224)).astype(np.uint8),
        "adm": rng.normal(size=(4, 64, 128)).astype(np.float32),
    }
    train = Labelled(inputs, y, np.array([f"d/{k}" for k in range(4)]))
    for variant, recipe in (("temporal", "as_coded"), ("fusion", "as_published")):
        config = AtnetConfig(variant=variant, recipe=recipe, epochs=1, iterations=2, batch=4, mirror=True)
        model = Atnet(config)
        model.fit(train, seed=1)
        assert model.predict(inputs).shape == (4, 3)
        assert model.report is not None
        assert len(model.report.losses) == 1
    assert set(Atnet(AtnetConfig(variant="spatial")).wants()) == {"apex"}


def test_atnet_mirrors_both_streams_or_none() -> None:
    model = Atnet(AtnetConfig(mirror=True, recipe="as_coded"))
    rng = np.random.default_rng(0)
    apex = rng.integers(0, 255, (40, 8, 8)).astype(np.uint8)
    adm = np.abs(rng.normal(size=(40, 64, 128))).astype(np.float32)
    result = model.augment({"apex": apex, "adm": adm}, np.random.default_rng(1))
    image = np.array([(a == b[:, ::-1]).all() for a, b in zip(result["apex"], apex, strict=True)])
    flow = np.array([np.array_equal(a, mirror_adm(b)) for a, b in zip(result["adm"], adm, strict=True)])
    assert 10 < image.sum() < 30
    assert (image == flow).all()


def test_one_seed_decides_everything_and_nothing_else_does() -> None:
    train = clips(24, (32, 32, 3), "motion", level=10)
    target = Unlabelled(clips(20, (32, 32, 3), "motion", seed=5).inputs)
    config = MadtnConfig(size=32, hidden=16, epochs=2, batch=8, dropout=0.3)

    def run(seed: int, noise: int) -> np.ndarray:
        torch.manual_seed(noise)
        np.random.seed(noise)
        model = Madtn(config)
        model.fit(train, target, seed=seed)
        return model.predict(train.inputs)

    assert np.array_equal(run(3, 0), run(3, 99))
    assert not np.array_equal(run(3, 0), run(4, 0))
    state = torch.random.get_rng_state()
    run(3, 7)
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    with seeded(5):
        torch.rand(3)
    assert torch.equal(torch.rand(1), expected)
    assert state.shape == torch.random.get_rng_state().shape


def test_mmd_pulls_the_domains_together() -> None:
    source = clips(20, (32, 32, 3), "motion")
    target = Unlabelled({"motion": 255 - clips(20, (32, 32, 3), "motion", seed=1).inputs["motion"]})
    gap = {}
    for weight in (0.0, 2.0):
        config = MadtnConfig(size=32, hidden=16, epochs=6, batch=10, mmd_weight=weight, rotation_deg=0)
        model = Madtn(config)
        model.fit(source, target, seed=0)
        assert model.network is not None
        assert model.report is not None
        assert ("mmd" in model.report.losses[0]) == bool(weight)
        with torch.no_grad():
            f = [model.network.features(model.tensors(d.inputs)["motion"]) for d in (source, target)]
        gap[weight] = float((f[0].mean(0) - f[1].mean(0)).norm() / f[0].std())
    assert gap[2.0] < 0.5 * gap[0.0]


def test_some_training_images_may_lack_the_offset() -> None:
    images = clips(40, (32, 32, 3), "motion", level=10).inputs
    model = Madtn(MadtnConfig(size=32, provisional=0.5, rotation_deg=0))
    shown = model.augment(images, np.random.default_rng(0))["motion"]
    without = ~shown[..., 2].any(axis=(1, 2))
    assert 10 < without.sum() < 30
    assert np.array_equal(shown[~without], images["motion"][~without])
    assert np.array_equal(shown[..., :2], images["motion"][..., :2])
    assert images["motion"][..., 2].any(axis=(1, 2)).all()  # the clips themselves stay whole


def test_light_changes_the_face_alone_and_a_shift_all() -> None:
    images = clips(12, (32, 32, 3), "motion").inputs
    model = Madtn(MadtnConfig(size=32, brightness=0.5, rotation_deg=0))
    shown = model.augment(images, np.random.default_rng(0))["motion"]
    assert np.array_equal(shown[..., [0, 2]], images["motion"][..., [0, 2]])
    assert not np.array_equal(shown[..., 1], images["motion"][..., 1])
    moved = Madtn(MadtnConfig(size=32, shift_px=3)).augment(images, np.random.default_rng(0))["motion"]
    assert (moved != images["motion"]).any(axis=(1, 2)).all()
    assert moved.any(axis=3).all()  # the border is repeated, no corner is black


def test_one_cycle_ends_at_rate_zero() -> None:
    model = Madtn(MadtnConfig(size=32, hidden=8, lr=1e-3, solver="one-cycle", weight_decay=0.1))
    network = model.build()
    solver = model.solver(network, 5, 2)
    assert isinstance(solver.optimizer, torch.optim.AdamW)
    assert solver.scheduler is not None
    assert solver.every == "step"
    for _ in range(10):
        solver.optimizer.step()
        solver.scheduler.step()
    assert solver.optimizer.param_groups[0]["lr"] < 1e-6
    assert isinstance(Madtn(MadtnConfig(size=32)).solver(network, 5, 2).optimizer, torch.optim.Adam)


@pytest.mark.parametrize("temporal_epochs", [0, 1])
def test_atnets_streams_may_be_trained_alone_and_then_stand_still(temporal_epochs: int) -> None:
    rng = np.random.default_rng(0)
    inputs = {
        "apex": rng.integers(0, 255, (6, 64, 64)).astype(np.uint8),
        "adm": np.abs(rng.normal(size=(6, 64, 128))).astype(np.float32),
    }
    train = Labelled(inputs, np.arange(6) % 3, np.array([f"d/{k}" for k in range(6)]))
    small = {"size": 64, "widths": (4, 4, 8, 8), "hidden": 8, "batch": 6, "epochs": 2}
    model = make_method("atnet", {**small, "spatial_epochs": 1, "temporal_epochs": temporal_epochs})
    assert isinstance(model, Atnet)
    model.fit(train, seed=1)
    assert model.network is not None
    assert len(model._begun) == 1 + temporal_epochs
    after = model.network.state_dict()
    for stream, alone in model._begun.items():
        kept = {k: v for k, v in alone.state_dict().items() if k.startswith("streams.")}
        assert kept
        assert all(k.startswith(f"streams.{stream}.") for k in kept)
        assert all(torch.equal(v, after[k]) for k, v in kept.items())  # batch norm's statistics too
    if temporal_epochs:
        begins = model.build()
        assert isinstance(begins, AtnetNetwork)
        x = model.tensors(train.inputs)
        with torch.no_grad():
            own = [model._begun[stream].eval()(x[stream]) for stream in x]
            assert torch.allclose(begins.eval()(*x.values()), sum(own) / 2, atol=1e-5)


def test_ablation_zeroes_channels_and_is_seen_at_prediction_too() -> None:
    model = Madtn(MadtnConfig(size=32, channels="onof-face"))
    x = model.tensors(clips(2, (32, 32, 3), "motion").inputs)["motion"]
    assert x[:, :2].abs().sum() > 0
    assert x[:, 2].abs().sum() == 0


def test_middle_frames_are_drawn_from_their_own_clip() -> None:
    own = np.zeros((4, 8, 8, 3), np.uint8)
    of = np.array([2, 0, 2, 0, 0])
    copies = np.stack([np.full((8, 8, 3), 10 * (row + 1), np.uint8) for row in of])
    train = Labelled(
        {"motion": own}, np.array([0, 1, 2, 0]), np.array(list("abcd")), {"motion": (copies, of)}
    )
    rng = np.random.default_rng(0)
    seen: dict[int, set[int]] = {k: set() for k in range(4)}
    for _ in range(50):
        for k, image in enumerate(Madtn(MadtnConfig(size=8)).draw(train, np.arange(4), rng)["motion"]):
            seen[k].add(int(image[0, 0, 0]))
    assert seen == {0: {0, 10}, 1: {0}, 2: {0, 30}, 3: {0}}
    left = train.take(np.array([3, 2]))
    assert left.copies["motion"][1].tolist() == [1, 1]


def test_early_stopping_uses_training_subjects_only() -> None:
    train = clips(36, (28, 28, 3), "flow", level=5)
    model = Ststnet(StstnetConfig(epochs=30, lr=0.05, inner_fraction=0.3, patience=3))
    model.fit(train, seed=0)
    assert model.report is not None
    assert model.report.epochs < 30
    with pytest.raises(ValueError, match="two"):
        model.fit(train.take(np.arange(3)), seed=0)


def test_settings() -> None:
    config = apply_settings(
        MadtnConfig(), parse_settings(["lr=1e-3", "bandwidths=1,2", "middle_frames=false"])
    )
    assert (config.lr, config.bandwidths, config.middle_frames) == (1e-3, (1.0, 2.0), False)
    with pytest.raises(ValueError, match="unknown setting 'learning_rate'"):
        make_method("madtn", {"learning_rate": "1"})
    with pytest.raises(ValueError, match="choose one of all"):
        make_method("madtn", {"channels": "red"})
    with pytest.raises(ValueError, match="unknown method"):
        make_method("magic")
    with pytest.raises(ValueError, match="KEY=VALUE"):
        parse_settings(["lr"])
    assert {"madtn", "atnet", "ststnet", "svm"} <= set(method_names())


def test_a_dead_mmd_is_refused_at_run_time() -> None:
    """A term cut off from the network stops training instead of silently doing nothing."""

    class Dead(Madtn):
        def terms(self, network, x, y, target):  # type: ignore[no-untyped-def]
            terms = super().terms(network, x, y, target)
            return {**terms, "mmd": (2.0, terms["mmd"][1].detach())}

    train = clips(8, (32, 32, 3), "motion")
    with pytest.raises(SilentLossError, match="mmd"):
        Dead(MadtnConfig(size=32, hidden=8, epochs=1)).fit(train, Unlabelled(train.inputs))


def test_svm_with_one_or_two_classes_and_no_input() -> None:
    train = clips(12, (4, 4, 3), "a")
    one, two = train.take(np.array([1, 4, 7])), train.take(np.flatnonzero(train.labels != 1))
    model = Svm()
    model.fit(one)
    assert (model.predict(train.inputs).argmax(1) == 1).all()
    model.fit(two)
    assert set(model.predict(two.inputs).argmax(1)) == {0, 2}
    with pytest.raises(ValueError, match="--input"):
        model.fit(Labelled({}, train.labels, train.subjects))


def test_batches_and_seeds() -> None:
    rng = np.random.default_rng(0)
    cut = epoch_batches(65, 32, rng)
    assert [len(b) for b in cut] == [32, 33]  # a batch of one would break batch norm
    assert sorted(np.concatenate(cut)) == list(range(65))
    labels = np.array([0] * 7 + [1] * 2 + [2])
    assert np.bincount(labels[oversample(labels, rng)]).tolist() == [7, 7, 7]
    assert derive(0, 1) != derive(0, 2) != derive(1, 2)


def test_svm_is_scikit_learns() -> None:
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    from sklearn.svm import SVC

    train, test = clips(40, (5, 5, 3), "a", level=8), clips(25, (5, 5, 3), "a", seed=2, level=8)
    for kernel in ("rbf", "linear", "poly"):
        model = make_method("svm", {"kernel": kernel, "c": "0.5"})
        model.fit(train)
        svc = SVC(C=0.5, kernel=kernel, degree=2, class_weight="balanced")
        peer = make_pipeline(StandardScaler(), svc)
        peer.fit(train.inputs["a"].reshape(40, -1).astype(float), train.labels)
        expected = peer.decision_function(test.inputs["a"].reshape(25, -1).astype(float)).argmax(1)
        assert (model.predict(test.inputs).argmax(1) == expected).all()
