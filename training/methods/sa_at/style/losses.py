"""CycleGAN's losses (Zhu, Park, Isola, Efros, ICCV 2017), each as the paper's section 3 and 5.2 give it."""

from __future__ import annotations

from torch import Tensor


def adversarial(fake_scores: Tensor) -> Tensor:
    """Generator's side, least squares: mean of (D(G(x)) - 1)^2; scores of any shape."""
    return (fake_scores - 1).square().mean()


def discrimination(real_scores: Tensor, fake_scores: Tensor) -> Tensor:
    """Discriminator's side: half of mean (D(y) - 1)^2 + mean D(G(x))^2 (the half: section 7.1)."""
    return 0.5 * ((real_scores - 1).square().mean() + fake_scores.square().mean())


def cycle(face: Tensor, back: Tensor) -> Tensor:
    """Mean |F(G(x)) - x|: there and back again must be the same face (eq. 2)."""
    return (back - face).abs().mean()


def identity(face: Tensor, styled: Tensor) -> Tensor:
    """Mean |G(y) - y|: a face that has the style already must stay as it is (section 5.2)."""
    return (styled - face).abs().mean()
