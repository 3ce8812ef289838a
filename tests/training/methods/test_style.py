"""Style aggregation: CycleGAN's losses by hand, its pool, and two styles that become one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from mer_live.engines.networks.style import StyleGenerator
from mer_live.training.methods.sa_at.style import losses
from mer_live.training.methods.sa_at.style.discriminator import PatchDiscriminator
from mer_live.training.methods.sa_at.style.pool import ImagePool
from mer_live.training.methods.sa_at.style.styles import style_features, styles_of
from mer_live.training.methods.sa_at.style.train import StyleConfig, train_style


def two_styles(n: int = 24, side: int = 32) -> tuple[np.ndarray, np.ndarray]:
    """Bright-edged discs on gray; those of style 1 are dark and flat."""
    rng = np.random.default_rng(0)
    v, u = np.mgrid[:side, :side]
    images, styles = [], np.arange(n) % 3 % 2
    for style in styles:
        x, y, r = *rng.uniform(10, side - 10, 2), rng.uniform(5, 9)
        face = 120 + 80 * (np.hypot(u - x, v - y) < r) + rng.normal(0, 3, (side, side))
        images.append(np.clip(face * (0.4 if style else 1), 0, 255).astype(np.uint8))
    return np.stack(images), styles


def test_losses_by_hand() -> None:
    real, fake = torch.tensor([1.0, 0.5]), torch.tensor([0.0, 0.5])
    assert float(losses.adversarial(fake)) == pytest.approx((1 + 0.25) / 2)
    assert float(losses.discrimination(real, fake)) == pytest.approx(0.5 * (0.125 + 0.125))
    assert float(losses.cycle(torch.tensor([1.0, -1.0]), torch.tensor([0.5, 1.0]))) == pytest.approx(1.25)
    assert float(losses.identity(torch.tensor([0.0, 2.0]), torch.tensor([1.0, 2.0]))) == pytest.approx(0.5)


def test_gradients_are_finite_differences() -> None:
    g = torch.Generator().manual_seed(0)
    a, b = (torch.randn(2, 3, generator=g, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert gradcheck(losses.adversarial, (a,))
    for loss in (losses.discrimination, losses.cycle, losses.identity):
        assert gradcheck(loss, (a, b))


def test_sizes_are_cyclegans() -> None:
    def count(network: torch.nn.Module) -> int:
        return sum(p.numel() for p in network.parameters())

    # The authors' networks for three colours have 11,378,179 and 2,764,737; ours take one gray channel,
    # which leaves out 2 planes of the first layer, and 2 planes and biases of the generator's last.
    assert count(StyleGenerator(64, 9)) == 11_378_179 - 2 * 49 * 64 - 2 * (49 * 64 + 1)
    assert count(PatchDiscriminator(64, 3)) == 2_764_737 - 2 * 16 * 64
    assert PatchDiscriminator(4, 3)(torch.zeros(2, 1, 64, 64)).shape == (2, 1, 6, 6)
    assert PatchDiscriminator(4, 2)(torch.zeros(2, 1, 64, 64)).shape == (2, 1, 14, 14)


def test_a_generator_begins_as_the_identity_and_stays_in_range() -> None:
    generator = StyleGenerator(2, 1)
    face = torch.rand(2, 1, 24, 24) * 2 - 1
    assert torch.equal(generator(face), face)
    torch.nn.init.normal_(generator.layers[-1].weight)  # type: ignore[arg-type]
    moved = generator(face)
    assert moved.shape == face.shape
    assert moved.abs().max() <= 1
    assert not torch.equal(moved, face)


def test_a_patch_sees_seventy_pixels() -> None:
    face = torch.zeros(1, 1, 160, 160, requires_grad=True)
    network = PatchDiscriminator(2, 3)
    scores = network(face)
    scores[0, 0, 9, 9].backward()
    assert face.grad is not None
    rows = torch.nonzero(face.grad[0, 0].abs().sum(1))
    assert int(rows.max() - rows.min()) + 1 == 70


def test_pool_gives_old_faces_back() -> None:
    pool = ImagePool(3, np.random.default_rng(0))
    first = torch.arange(3.0)[:, None]
    assert torch.equal(pool.exchange(first), first)
    assert len(pool) == 3
    seen = [float(v) for k in range(3, 60) for v in pool.exchange(torch.tensor([[float(k)]]))]
    assert len(pool) == 3
    news = [value == k for k, value in enumerate(seen, 3)]
    assert 0.3 < np.mean(news) < 0.7
    assert all(value <= k for k, value in enumerate(seen, 3))
    assert len(set(seen)) == len(seen)  # each old face leaves the pool when it is shown
    off = ImagePool(0, np.random.default_rng(0))
    assert torch.equal(off.exchange(first), first)
    assert len(off) == 0


def test_databases_are_styles_and_clusters_where_there_is_one() -> None:
    images, styles = two_styles()
    people = np.array([f"{'smic' if style else 'samm'}/{k}" for k, style in enumerate(styles)])
    assert (styles_of(images, people, 0) == styles).all()  # 0 is the larger one
    assert (styles_of(images, np.array(["a/1"] * len(images)), 0) == styles).all()
    assert not styles_of(np.repeat(images[:1], 5, 0), np.array(["a/1"] * 5), 0).any()
    assert style_features(images).shape == (24, 3)


@pytest.mark.slow
def test_two_styles_become_one() -> None:
    """GANs swing: one run may end badly on one processor, so the middle one of three seeds is judged.

    Of eight seeds with one thread, two with two and six without any vectors beyond SSE, the gap that was left was
    .003 to .6 of the first one.
    """
    images, styles = two_styles(side=24)
    config = StyleConfig(width=4, blocks=1, critic_width=8, critic_layers=1, steps=80)
    fits = [fit for seed in range(3) if (fit := train_style(images, styles, config, seed)) is not None]
    assert len(fits) == 3
    fit = fits[0]
    assert set(fit.losses[0]) == {"adversarial", "cycle", "identity", "discrimination"}
    assert fit.losses[0]["cycle"] == fit.losses[0]["identity"] == 0  # both generators begin as the identity
    assert not any(p.requires_grad for p in fit.generator.parameters())
    x = torch.from_numpy(images.astype(np.float32))[:, None] / 127.5 - 1
    with torch.no_grad():
        made = [each.generator(x) for each in fits]

    def gap(faces: torch.Tensor) -> float:
        means = faces.mean(dim=(1, 2, 3)).numpy()
        return float(abs(means[styles == 0].mean() - means[styles == 1].mean()))

    assert np.median([gap(y) for y in made]) < 0.75 * gap(x)
    # the shape stays: discs are where they were
    alike = [
        np.mean([np.corrcoef(a.flatten(), b.flatten())[0, 1] for a, b in zip(x, y, strict=True)])
        for y in made
    ]
    assert np.median(alike) > 0.7
    short = replace(config, steps=3)
    once, again = (train_style(images, styles, short, 1) for _ in range(2))
    assert once is not None
    assert again is not None
    assert again.losses == once.losses
    assert train_style(images, np.zeros(len(images), np.int64), config, 0) is None
