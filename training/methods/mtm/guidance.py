"""The losses by which MaNet guides MiNet (Xia, Wang; IJCAI 2021, eqs. 2-7), and the heads two of them need."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradients[0], None


def reverse_gradient(x: Tensor, strength: float) -> Tensor:
    """``x`` itself; backwards its gradient times ``-strength`` (Ganin & Lempitsky 2015, eqs. 8-9)."""
    reversed_: Tensor = _Reversal.apply(x, strength)  # type: ignore[no-untyped-call]
    return reversed_


def reversal_strength(progress: float, gamma: float = 10.0) -> float:
    """Strength at ``progress`` 0..1 of the training: 2 / (1 + exp(-gamma p)) - 1 (Ganin & Lempitsky, sec. 4)."""
    return 2 / (1 + math.exp(-gamma * progress)) - 1


class Head(nn.Module):
    """Discriminator or relation classifier on a feature vector: (..., F) -> (..., outputs) logits.

    The paper: "three convolutional layers ending with a linear layer". The features that it is given are
    pooled vectors, on which a convolution is a full layer: three of them with LeakyReLU, then a linear one. With
    ``convolutional`` they are convolutions along the vector instead, which has no order that would mean anything.
    """

    def __init__(self, features: int, outputs: int, hidden: int = 64, *, convolutional: bool = False) -> None:
        super().__init__()
        widths = (
            (1, hidden // 4, hidden // 2, hidden) if convolutional else (features, hidden, hidden, hidden)
        )
        layers: list[nn.Module] = [nn.Unflatten(-1, (1, features))] if convolutional else []
        for before, after in pairwise(widths):
            layers.append(nn.Conv1d(before, after, 3, 2, 1) if convolutional else nn.Linear(before, after))
            layers.append(nn.LeakyReLU(0.2))
        if convolutional:
            layers.append(nn.Flatten())
        self.layers = nn.Sequential(
            *layers, nn.Linear(hidden * (-(-features // 8) if convolutional else 1), outputs)
        )

    def forward(self, features: Tensor) -> Tensor:
        """(..., F) -> (..., outputs)."""
        logits: Tensor = self.layers(features.flatten(0, -2))
        return logits.reshape(*features.shape[:-1], logits.shape[-1])


def domain_loss(micro: Tensor, macro: Tensor) -> Tensor:
    """Cross entropy of a domain discriminator, L_s and L_t (eqs. 2, 4); d = 1 is macro, the mean is taken.

    Args:
        micro: Any shape: logits of the discriminator for features of MiNet.
        macro: Any shape: the same for features of MaNet.
    """
    logits = torch.cat([micro.flatten(), macro.flatten()])
    domain = torch.cat([torch.zeros_like(micro.flatten()), torch.ones_like(macro.flatten())])
    return F.binary_cross_entropy_with_logits(logits, domain)


def relation_loss(logits: Tensor) -> Tensor:
    """Cross entropy of the relation classifier, L_sam (eq. 3); the mean is taken.

    Args:
        logits: (B, s_c, s_c), row k of a clip for the feature v(2^k), whose class is k.
    """
    batch, count, _ = logits.shape
    truth = torch.arange(count, device=logits.device).repeat(batch)
    return F.cross_entropy(logits.flatten(0, 1), truth)


def contrastive_loss(
    micro: Tensor,
    micro_labels: Tensor,
    macro: Tensor,
    macro_labels: Tensor,
    temperature: float = 0.07,
    positives: Literal["sum", "mean"] = "sum",
) -> Tensor:
    """Supervised contrastive loss with micro anchors, L_con (eqs. 5-7).

    =============  ============================================================================
    micro, macro   fused features z (n, D), (m, D); similarity is the cosine
    labels         (n,), (m,) int64
    positives      "sum" over an anchor's positives (eq. 6), or their "mean", as in the paper it
                   follows (Khosla et al. 2020), so that large batches do not weigh more
    =============  ============================================================================

    As printed, the sum over anchors is not divided by n, and D of eq. 7 holds the anchor itself. An anchor
    without a positive adds nothing.
    """
    z = F.normalize(micro, dim=1, eps=1e-6)
    both = torch.cat([z, F.normalize(macro, dim=1, eps=1e-6)])
    similarity = z @ both.T / temperature  # (n, n + m)
    log_ratio = similarity - similarity.logsumexp(dim=1, keepdim=True)
    positive = micro_labels[:, None] == torch.cat([micro_labels, macro_labels])[None]
    positive[:, : len(z)].fill_diagonal_(False)
    each = (log_ratio * positive).sum(1)
    if positives == "mean":
        each = each / positive.sum(1).clamp_min(1)
    return -each.sum()
