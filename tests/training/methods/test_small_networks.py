from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mer_live.engines.representation.represent import mirror_crops
from mer_live.training.learning.data import Labelled
from mer_live.training.methods import make_method
from mer_live.training.methods.atnet import warped
from mer_live.training.methods.capsulenet import Capsulenet, CapsulenetConfig


def twelve(name: str, shape: tuple[int, ...], seed: int = 0) -> Labelled:
    """Flow that turns with the class, or a face of noise with a bright spot (in flow: a band) whose height tells it."""
    rng = np.random.default_rng(seed)
    y = np.arange(12) % 3
    if name == "flow" and shape[0] > 28:  # DSSN does not see where to skin moves, but where it does
        x = 128 + rng.normal(0, 12, (12, *shape))
        for k, c in enumerate(y):
            x[k, 20 * c : 20 * c + 20] += 60
    elif shape[-1] == 3:
        x = 128 + rng.normal(0, 12, (12, *shape))
        x[..., 0] += 60 * np.cos(2.1 * y)[:, None, None]
        x[..., 1] += 60 * np.sin(2.1 * y)[:, None, None]
    else:
        x = 100 + rng.normal(0, 15, (12, *shape))
        third = shape[0] // 3
        for k, c in enumerate(y):
            x[k, c * third : (c + 1) * third, shape[1] // 4 : -shape[1] // 4] += 80
    who = np.array([f"d/{k // 3}" for k in range(12)])
    return Labelled({name: np.clip(x, 0, 255).astype(np.uint8)}, y, who)


@pytest.mark.parametrize(
    ("method", "name", "shape", "settings"),
    [
        ("off-apexnet", "flow", (28, 28, 3), {"epochs": 40, "lr": 1e-3}),
        ("dual-inception", "flow", (28, 28, 3), {"epochs": 12, "lr": 5e-4, "batch": 6}),
        ("dssn", "flow", (64, 64, 3), {"epochs": 40, "lr": 3e-4, "size": 64}),
        (
            "capsulenet",
            "apex",
            (96, 96),
            {"epochs": 40, "lr": 3e-3, "decay": 1.0, "size": 96, "kernel": 5, "width": 8},
        ),
        ("micro-attention", "apex", (224, 224), {"iterations": 60, "widths": (4, 8, 8, 16), "lr": 0.05}),
    ],
)
def test_overfits_twelve_clips(method: str, name: str, shape: tuple[int, ...], settings: Any) -> None:
    train = twelve(name, shape)
    model = make_method(method, settings)
    assert model.wants() == {name: shape}
    model.fit(train, seed=0)
    p = model.predict(train.inputs)
    assert p.sum(1) == pytest.approx(1, abs=1e-5)
    assert (p.argmax(1) == train.labels).all()
    short = {key: 1 if key in ("epochs", "iterations") else value for key, value in settings.items()}
    again = make_method(method, short)
    again.fit(train, seed=0)
    first = again.predict(train.inputs)
    again.fit(train, seed=0)
    assert np.array_equal(first, again.predict(train.inputs))


def test_defaults_are_the_papers() -> None:
    assert make_method("capsulenet").config.upper == 0.99
    assert make_method("dual-inception").config.batch == 3
    micro = make_method("micro-attention").config
    assert (micro.lr, micro.iterations, micro.batch) == (0.01, 2500, 16)


def test_dssn_refuses_flow_in_which_it_cannot_tell_rest() -> None:
    train = twelve("flow", (64, 64, 3))
    train = Labelled({"flow": train.inputs["flow"].astype(np.float32)}, train.labels, train.subjects)
    with pytest.raises(ValueError, match="8 bits"):
        make_method("dssn", {"size": 64, "epochs": 1}).fit(train)


def test_capsule_augmentation_stays_an_image_and_leaves_prediction_alone() -> None:
    model = Capsulenet(CapsulenetConfig(size=96, kernel=5, width=4, epochs=1))
    train = twelve("apex", (96, 96))
    changed = model.augment(train.inputs, np.random.default_rng(0))["apex"]
    assert changed.shape == (12, 96, 96)
    assert changed.min() >= 0
    assert changed.max() <= 255
    assert not np.allclose(changed, train.inputs["apex"])
    model.fit(train)
    assert np.array_equal(model.predict(train.inputs), model.predict(train.inputs))


def test_warp_turns_and_moves() -> None:
    image = np.zeros((9, 9), np.float32)
    image[2, 4] = 1
    assert warped(image, 0, np.array([1.0, 2.0]))[4, 5] == 1
    assert warped(image, 90, np.zeros(2))[4, 2] == pytest.approx(1, abs=1e-6)
    assert mirror_crops(image[None].astype(np.uint8))[0, 2, 4] == 1


def test_capsule_lengths_reach_the_margins() -> None:
    train = twelve("apex", (96, 96))
    settings = {"epochs": 30, "lr": 3e-3, "decay": 1.0, "size": 96, "kernel": 5, "width": 8}
    model: Any = make_method("capsulenet", settings)
    model.fit(train)
    with torch.no_grad():
        lengths = model.network(*model.tensors(train.inputs).values()).exp().numpy()
    true = lengths[np.arange(12), train.labels]
    assert true.mean() > 0.6
    assert (lengths.sum(1) - true).mean() / 2 < 0.5
    assert model.report.losses[-1]["margin"] < 0.5 * model.report.losses[0]["margin"]
