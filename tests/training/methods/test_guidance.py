from __future__ import annotations

import math

import pytest
import torch
from torch.autograd import gradcheck

from mer_live.training.methods.mtm.guidance import (
    Head,
    contrastive_loss,
    domain_loss,
    relation_loss,
    reversal_strength,
    reverse_gradient,
)

D = torch.float64


def draw(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=D, requires_grad=True)


def test_reversal_is_the_identity_forwards_and_the_negative_backwards() -> None:
    x = torch.tensor([1.0, -2.0], dtype=D, requires_grad=True)
    y = reverse_gradient(x, 0.5)
    assert torch.equal(y, x)
    (y**2).sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [-1.0, 2.0]  # -0.5 * 2x

    def along(step: float) -> float:
        with torch.no_grad():
            return float((reverse_gradient(x + step * torch.tensor([1.0, 0.0], dtype=D), 0.5) ** 2).sum())

    slope = (along(1e-6) - along(-1e-6)) / 2e-6
    assert float(x.grad[0]) == pytest.approx(-0.5 * slope)


def test_reversal_grows_from_0_to_1() -> None:
    assert reversal_strength(0) == 0
    assert reversal_strength(0.1) == pytest.approx((1 - math.exp(-1)) / (1 + math.exp(-1)))
    assert reversal_strength(1) == pytest.approx(1, abs=1e-4)


def test_domain_loss_is_equations_2_and_4() -> None:
    # D = 1/2 and 1/4 for micro, 3/4 for macro: -log(1/2), -log(3/4), -log(3/4)
    micro = torch.tensor([0.0, -math.log(3)], dtype=D)
    macro = torch.tensor([[math.log(3)]], dtype=D)
    assert float(domain_loss(micro, macro)) == pytest.approx((math.log(2) + 2 * math.log(4 / 3)) / 3)
    assert gradcheck(domain_loss, (draw(4), draw(2, 2, seed=1)))


def test_relation_loss_is_equation_3() -> None:
    # two clips of two intervals; probabilities of the true interval: 2/3, 1/2 and 1/2, 1/4
    logits = torch.tensor([[[math.log(2), 0], [0, 0]], [[0, 0], [math.log(3), 0]]], dtype=D)
    expected = (math.log(3 / 2) + 2 * math.log(2) + math.log(4)) / 4
    assert float(relation_loss(logits)) == pytest.approx(expected)
    assert gradcheck(relation_loss, (draw(3, 3, 3),))


def test_heads_are_four_layers() -> None:
    head = Head(6, 1, hidden=5)
    assert head(torch.zeros(2, 3, 6)).shape == (2, 3, 1)
    assert sum(p.numel() for p in head.parameters()) == 35 + 30 + 30 + 6
    along = Head(20, 3, hidden=8, convolutional=True)
    assert along(torch.zeros(2, 3, 20)).shape == (2, 3, 3)
    assert along(torch.zeros(2, 20)).shape == (2, 3)
    assert sum(p.numel() for p in along.parameters()) == (2 * 3 + 2) + (4 * 6 + 4) + (8 * 12 + 8) + (
        3 * 24 + 3
    )


def by_the_book(z_i: torch.Tensor, y_i: list[int], z_a: torch.Tensor, y_a: list[int], tau: float) -> float:
    """Equations 5-7 written as their sums."""

    def e(a: torch.Tensor, b: torch.Tensor) -> float:
        return math.exp(float(torch.dot(a, b) / (a.norm() * b.norm())) / tau)

    n = len(z_i)
    total = 0.0
    for j in range(n):
        d = sum(e(z_i[j], z_i[u]) for u in range(n)) + sum(e(z_i[j], z_a[u]) for u in range(len(z_a)))
        total += sum(math.log(e(z_i[j], z_i[k]) / d) for k in range(n) if k != j and y_i[k] == y_i[j])
        total += sum(math.log(e(z_i[j], z_a[k]) / d) for k in range(len(z_a)) if y_a[k] == y_i[j])
    return -total


def test_contrast_by_hand() -> None:
    # Anchors along x and y, of classes 0 and 1; macro of class 0 along x. tau = 1. Only the first anchor has
    # a positive, the macro sample: -log(e / (e + 1 + e)). Lengths do not matter.
    micro = torch.tensor([[2.0, 0.0], [0.0, 3.0]], dtype=D)
    macro = torch.tensor([[0.5, 0.0]], dtype=D)
    value = contrastive_loss(micro, torch.tensor([0, 1]), macro, torch.tensor([0]), 1.0)
    assert float(value) == pytest.approx(math.log((2 * math.e + 1) / math.e))


def test_contrast_is_equations_5_to_7() -> None:
    micro, macro = draw(6, 3), draw(4, 3, seed=1)
    y_i, y_a = [0, 1, 1, 2, 0, 0], [0, 2, 2, 1]

    def loss(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return contrastive_loss(a, torch.tensor(y_i), b, torch.tensor(y_a), 0.3)

    assert float(loss(micro, macro).detach()) == pytest.approx(
        by_the_book(micro.detach(), y_i, macro.detach(), y_a, 0.3)
    )
    assert gradcheck(loss, (micro, macro))
    # With two positives for everybody, the mean over positives is half of the sum.
    labels = torch.tensor([0, 0, 0])
    both = [contrastive_loss(micro[:3], labels, macro[:0], labels[:0], 1.0, p) for p in ("sum", "mean")]  # type: ignore[arg-type]
    assert float(both[0].detach()) == pytest.approx(2 * float(both[1].detach()))


def test_contrast_without_positives_or_a_class_is_defined() -> None:
    micro, macro = draw(3, 4), draw(2, 4, seed=1)
    for labels in ([0, 1, 2], [0, 0, 1]):
        value = contrastive_loss(micro, torch.tensor(labels), macro, torch.tensor([5, 5]), 0.07, "mean")
        (gradient,) = torch.autograd.grad(value, micro)
        assert torch.isfinite(value)
        assert torch.isfinite(gradient).all()
        assert (float(value.detach()) == 0) == (labels == [0, 1, 2])
    still = torch.zeros(2, 4, dtype=D, requires_grad=True)
    value = contrastive_loss(still, torch.tensor([0, 0]), macro, torch.tensor([0, 1]))
    assert torch.isfinite(torch.autograd.grad(value, still)[0]).all()
