"""Attention transfer (Zagoruyko, Komodakis, ICLR 2017) as SA-AT states it (Zhou, Mao, Xue 2019, eqs. 2-4)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

BETA_ELEMENTS = 1000.0
"""Default beta times the number of elements of a map, as in Zagoruyko and Komodakis; SA-AT gives none."""


def attention(maps: Tensor) -> Tensor:
    """(B, J, H, W) feature maps -> (B, H, W), the sum over channels of |A^j| (eq. 2)."""
    return maps.abs().sum(dim=1)


def attention_transfer(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean over the batch of || Q_S / ||Q_S|| - Q_T / ||Q_T|| ||_2 (second term of eq. 4, one stage).

    ============  =======================================================================
    student       (B, J, H, W) feature maps of one stage
    teacher       (B, K, H', W') of the stage it is to attend like; no gradient is needed
    returns       scalar in 0..2; Q = vec(`attention`), so channels need not agree
    ============  =======================================================================

    A teacher's attention of another size is averaged over (or repeated to) the student's H x W.
    """
    mine, wanted = attention(student), attention(teacher)
    if wanted.shape[1:] != mine.shape[1:]:
        wanted = F.adaptive_avg_pool2d(wanted, (mine.shape[1], mine.shape[2]))
    difference = F.normalize(mine.flatten(1)) - F.normalize(wanted.flatten(1))  # (B, H W)
    # The norm, not its square; torch takes 0 for its gradient where both agree.
    distance: Tensor = torch.linalg.vector_norm(difference, dim=1)
    return distance.mean()


def attention_terms(
    student: Sequence[Tensor], teacher: Sequence[Tensor], stages: Sequence[int], beta: float = 0.0
) -> dict[str, tuple[float, Tensor]]:
    """Terms of eq. 4, one a stage: name -> (beta / 2, value).

    Args:
        student: Maps of all stages of the student.
        teacher: Maps of all stages of the teacher; its last stage belongs to the student's last.
        stages: Numbers of the student's stages to compare, from 1.
        beta: Weight; 0 takes `BETA_ELEMENTS` / (H W) of each stage.

    Raises:
        ValueError: A stage that one of the two does not have.
    """
    shift = len(teacher) - len(student)
    terms = {}
    for stage in stages:
        if not (1 <= stage <= len(student) and stage + shift >= 1):
            raise ValueError(
                f"attention is to be transferred at stage {stage}, but the student has {len(student)} "
                f"stages and the teacher {len(teacher)}: choose among those that both have"
            )
        mine = student[stage - 1]
        weight = beta or BETA_ELEMENTS / (mine.shape[2] * mine.shape[3])
        terms[f"attention{stage}"] = (
            weight / 2,
            attention_transfer(mine, teacher[stage - 1 + shift].detach()),
        )
    return terms
