"""Loss terms that the papers add to cross entropy, and the check that none of them is silently dead."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

MADTN_BANDWIDTHS = (1.0, 2.0, 4.0, 8.0, 16.0)

Terms = Mapping[str, tuple[float, Tensor]]
"""Name of a term -> (weight, scalar value); the loss is the sum of weight x value."""


class SilentLossError(RuntimeError):
    """A term with a non-zero weight does not reach a single parameter."""


def gaussian_kernel(a: Tensor, b: Tensor, bandwidths: Sequence[float] = MADTN_BANDWIDTHS) -> Tensor:
    """Sum over bandwidths of exp(-|x - y|^2 / (2 delta^2)) (MADTN eq. 6).

    Args:
        a: (N, D) float.
        b: (M, D) float.
        bandwidths: The deltas.

    Returns:
        (N, M).
    """
    # |x - y|^2 by expansion: cdist's gradient is NaN where two rows coincide.
    square = (a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T
    square = square.clamp_min(0)
    return torch.stack([torch.exp(-square / (2 * delta * delta)) for delta in bandwidths]).sum(0)


def mmd2(source: Tensor, target: Tensor, bandwidths: Sequence[float] = MADTN_BANDWIDTHS) -> Tensor:
    """Unbiased estimate of the squared maximum mean discrepancy (MADTN eq. 7); it may be negative.

    Args:
        source: (N, D) features, N >= 2.
        target: (M, D) features, M >= 2.
        bandwidths: The deltas of the kernel.

    Raises:
        ValueError: Fewer than two samples in a domain.
    """
    n, m = len(source), len(target)
    if n < 2 or m < 2:
        raise ValueError(f"MMD needs two samples of each domain, got {n} and {m}: make the batch larger")
    ss, tt = gaussian_kernel(source, source, bandwidths), gaussian_kernel(target, target, bandwidths)
    st = gaussian_kernel(source, target, bandwidths)
    within = (ss.sum() - ss.diagonal().sum()) / (n * (n - 1)) + (tt.sum() - tt.diagonal().sum()) / (
        m * (m - 1)
    )
    return within - 2 * st.mean()


def margin_loss(lengths: Tensor, labels: Tensor, upper: float, lower: float, absent: float = 0.5) -> Tensor:
    """Margin loss of capsules (Sabour, Frosst, Hinton 2017, eq. 4), mean over the batch.

    Sum over classes of max(0, m+ - l)^2 for the true class and ``absent`` * max(0, l - m-)^2 for the others.

    Args:
        lengths: (B, C) of the class capsules.
        labels: (B,) class numbers.
        upper: m+.
        lower: m-.
        absent: Weight of the classes that are not there.
    """
    present = torch.nn.functional.one_hot(labels, lengths.shape[1])
    short, long = (upper - lengths).clamp_min(0) ** 2, (lengths - lower).clamp_min(0) ** 2
    return (present * short + absent * (1 - present) * long).sum(1).mean()


def total(terms: Terms) -> Tensor:
    """Return the weighted sum; terms of weight 0 are left out altogether."""
    values = [weight * value for weight, value in terms.values() if weight]
    if not values:
        raise ValueError("every loss term has weight 0: nothing would be learnt")
    return torch.stack(values).sum()


def assert_every_term_acts(terms: Terms, parameters: Iterable[torch.nn.Parameter]) -> None:
    """Check that each term with a non-zero weight has a non-zero, finite gradient somewhere.

    Raises:
        SilentLossError: It names the term.
    """
    trained = [p for p in parameters if p.requires_grad]
    for name, (weight, value) in terms.items():
        if not weight:
            continue
        if not value.requires_grad:
            raise SilentLossError(f"the loss term {name!r} has weight {weight:g} but depends on no parameter")
        gradients = torch.autograd.grad(value, trained, retain_graph=True, allow_unused=True)
        there = [g for g in gradients if g is not None]
        if not all(bool(torch.isfinite(g).all()) for g in there):
            raise SilentLossError(f"the loss term {name!r} has an infinite or NaN gradient in the first step")
        if not any(bool(g.count_nonzero()) for g in there):
            raise SilentLossError(
                f"the loss term {name!r} has weight {weight:g} but no gradient in the first step"
            )
