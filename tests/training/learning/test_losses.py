from __future__ import annotations

import math

import pytest
import torch

from mer_live.training.learning.losses import (
    MADTN_BANDWIDTHS,
    SilentLossError,
    assert_every_term_acts,
    gaussian_kernel,
    margin_loss,
    mmd2,
    total,
)


def naive_mmd2(s: torch.Tensor, t: torch.Tensor) -> float:
    """MADTN eq. 7 written as its sums."""

    def k(x: torch.Tensor, y: torch.Tensor) -> float:
        return sum(math.exp(-float(((x - y) ** 2).sum()) / (2 * d * d)) for d in MADTN_BANDWIDTHS)

    n, m = len(s), len(t)
    a = sum(k(s[i], s[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    b = sum(k(t[i], t[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    return a + b - 2 * sum(k(x, y) for x in s for y in t) / (n * m)


def test_mmd_is_equation_7() -> None:
    g = torch.Generator().manual_seed(0)
    s = torch.randn(5, 3, generator=g, dtype=torch.float64)
    t = torch.randn(4, 3, generator=g, dtype=torch.float64) + 1
    assert float(mmd2(s, t)) == pytest.approx(naive_mmd2(s, t), rel=1e-10)


def test_mmd_is_unbiased_and_grows_with_the_distance() -> None:
    g = torch.Generator().manual_seed(1)
    same = [float(mmd2(torch.randn(32, 4, generator=g), torch.randn(32, 4, generator=g))) for _ in range(200)]
    assert abs(sum(same) / 200) < 0.01  # a biased estimate would be positive throughout
    assert min(same) < 0
    s, t = torch.randn(32, 4, generator=g), torch.randn(32, 4, generator=g)
    values = [float(mmd2(s, t + shift)) for shift in (0, 1, 3)]
    assert values == sorted(values)


def test_kernel_of_equal_rows_has_a_finite_gradient() -> None:
    x = torch.ones(3, 2, requires_grad=True)
    gaussian_kernel(x, x).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    with pytest.raises(ValueError, match="two samples"):
        mmd2(torch.ones(1, 2), torch.ones(3, 2))


def test_a_term_that_does_nothing_is_refused() -> None:
    w = torch.nn.Parameter(torch.ones(2))
    good = (w**2).sum()
    assert_every_term_acts({"ce": (1.0, good), "off": (0.0, torch.tensor(3.0))}, [w])
    with pytest.raises(SilentLossError, match="mmd"):
        assert_every_term_acts({"ce": (1.0, good), "mmd": (2.0, torch.tensor(3.0))}, [w])
    with pytest.raises(SilentLossError, match="relation"):
        assert_every_term_acts({"relation": (0.1, (w * 0).sum())}, [w])
    with pytest.raises(SilentLossError, match="NaN"):
        assert_every_term_acts({"log": (0.1, (w * float("nan")).sum())}, [w])
    assert float(total({"a": (2.0, good), "b": (0.0, good)})) == pytest.approx(4.0)
    with pytest.raises(ValueError, match="weight 0"):
        total({"a": (0.0, good)})


def test_margin_loss_by_hand_and_its_gradient() -> None:
    lengths = torch.tensor([[0.8, 0.3, 0.05], [0.95, 0.95, 0.0]], dtype=torch.float64)
    labels = torch.tensor([0, 2])
    first = (0.9 - 0.8) ** 2 + 0.5 * (0.3 - 0.1) ** 2
    second = 0.9**2 + 2 * 0.5 * (0.95 - 0.1) ** 2
    assert float(margin_loss(lengths, labels, 0.9, 0.1)) == pytest.approx((first + second) / 2)
    lengths = torch.rand(
        4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    ).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: margin_loss(x, torch.tensor([0, 1, 2, 0]), 0.99, 0.01), lengths)
