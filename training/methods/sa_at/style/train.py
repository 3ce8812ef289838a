"""Training the style aggregation: two generators and two patch discriminators against each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from mer_live.engines.networks.style import StyleGenerator
from mer_live.training.learning.checkpoint import here
from mer_live.training.learning.trainer import derive, seeded
from mer_live.training.methods.sa_at.style import losses
from mer_live.training.methods.sa_at.style.discriminator import PatchDiscriminator
from mer_live.training.methods.sa_at.style.pool import ImagePool


@dataclass(frozen=True, slots=True)
class StyleConfig:
    """Defaults train in a minute or two on one core; CycleGAN's own numbers stand beside them."""

    width: int = 8
    """Filters of the generators' first layer; 64."""
    blocks: int = 2
    """Their residual blocks; 9."""
    critic_width: int = 16
    """Filters of the discriminators' first layer; 64."""
    critic_layers: int = 2
    """3."""
    steps: int = 200
    """Batches; 200 epochs."""
    batch: int = 4
    """Faces of either style in a batch; 1."""
    lr: float = 1e-3
    """Adam, constant for the first half, then linearly to zero; 2e-4."""
    cycle_weight: float = 2.0
    identity_weight: float = 1.0
    """10 and 5: at those, generators that begin as the identity stay there, where both terms are zero."""
    pool: int = 50
    """Faces that the image pool of each discriminator keeps."""
    size: int = 112
    """Larger faces are shrunk to this side for training; the generator takes any size."""


@dataclass(frozen=True, slots=True)
class StyleFit:
    """A trained aggregation."""

    generator: StyleGenerator
    """Any style -> the aggregated one; frozen, in eval mode."""
    losses: list[dict[str, float]] = field(default_factory=list)
    """Per step: adversarial, cycle, identity, discrimination; both directions summed."""


class _Pair(nn.Module):
    """Generator into one style and the discriminator that guards it."""

    def __init__(self, config: StyleConfig, rng: np.random.Generator) -> None:
        super().__init__()
        self.generator = StyleGenerator(config.width, config.blocks)
        self.critic = PatchDiscriminator(config.critic_width, config.critic_layers)
        self.pool = ImagePool(config.pool, rng)


def train_style(
    faces: NDArray[Any], styles: NDArray[np.int64], config: StyleConfig, seed: int
) -> StyleFit | None:
    """Train on unlabelled faces; the seed decides everything.

    Args:
        faces: (N, S, S) gray 0..255, S a multiple of 4.
        styles: (N,) style of each; 0 is the one that all are brought to. Deviation: with more than two
            styles, all others are one domain of CycleGAN (Dong et al. train a pair for each).
        config: Sizes, steps and weights.
        seed: Initial weights and batches.

    Returns:
        None where all faces are of one style: there is nothing to aggregate.

    Raises:
        FloatingPointError: The losses became NaN.
    """
    target, others = np.flatnonzero(styles == 0), np.flatnonzero(styles != 0)
    if not len(target) or not len(others):
        return None
    images = torch.from_numpy(np.ascontiguousarray(faces, np.float32))[:, None] / 127.5 - 1
    if images.shape[-1] > config.size:
        images = F.interpolate(images, size=config.size, mode="area")
    images = images.to(here())
    rng = np.random.default_rng([seed, 7])
    with seeded(derive(seed, 7)):
        into, back = _Pair(config, rng), _Pair(config, rng)
    pairs = nn.ModuleList([into, back]).to(here())
    makers = [p for pair in (into, back) for p in pair.generator.parameters()]
    critics = [p for pair in (into, back) for p in pair.critic.parameters()]
    adams = [torch.optim.Adam(group, lr=config.lr, betas=(0.5, 0.999)) for group in (makers, critics)]
    schedules = [
        torch.optim.lr_scheduler.LambdaLR(adam, lambda step: min(1.0, 2 * (1 - step / config.steps)))
        for adam in adams
    ]
    history = []
    pairs.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for step in range(config.steps):
        x = images[rng.choice(others, config.batch)]
        y = images[rng.choice(target, config.batch)]
        values = _step(into, back, x, y, config, adams)
        for schedule in schedules:
            schedule.step()
        if not np.isfinite(list(values.values())).all():
            raise FloatingPointError(f"style aggregation: a loss is NaN in step {step}: lower its rate")
        history.append(values)
    generator = into.generator.to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return StyleFit(generator.eval().requires_grad_(False), history)


def generator_terms(
    into: _Pair, back: _Pair, x: Tensor, y: Tensor
) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """Losses of both generators on faces x of other styles and y of the target style, and G(x), F(y)."""
    styled, unstyled = into.generator(x), back.generator(y)
    terms = {
        "adversarial": losses.adversarial(into.critic(styled)) + losses.adversarial(back.critic(unstyled)),
        "cycle": losses.cycle(x, back.generator(styled)) + losses.cycle(y, into.generator(unstyled)),
        "identity": losses.identity(y, into.generator(y)) + losses.identity(x, back.generator(x)),
    }
    return terms, styled, unstyled


def _step(
    into: _Pair, back: _Pair, x: Tensor, y: Tensor, config: StyleConfig, adams: list[torch.optim.Adam]
) -> dict[str, float]:
    weights = {"adversarial": 1.0, "cycle": config.cycle_weight, "identity": config.identity_weight}
    makers, critics = adams
    with torch.autocast("cpu", torch.bfloat16):
        terms, styled, unstyled = generator_terms(into, back, x, y)
        total = torch.stack([weights[name] * value.float() for name, value in terms.items()]).sum()
    makers.zero_grad(set_to_none=True)
    total.backward()  # type: ignore[no-untyped-call]
    makers.step()
    with torch.autocast("cpu", torch.bfloat16):
        guilt = torch.stack(
            [
                losses.discrimination(pair.critic(real), pair.critic(pair.pool.exchange(fake))).float()
                for pair, real, fake in ((into, y, styled), (back, x, unstyled))
            ]
        ).sum()
    critics.zero_grad(set_to_none=True)
    guilt.backward()  # type: ignore[no-untyped-call]
    critics.step()
    return {name: float(value.detach()) for name, value in terms.items()} | {
        "discrimination": float(guilt.detach())
    }
