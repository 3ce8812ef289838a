"""STSTNet's weights as one flat vector and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mer_live.engines.networks.ststnet import StstnetNetwork


def pack(network: StstnetNetwork) -> Tensor:
    """Convolutions of the three streams with their bias, batch norm scale and shift, classifier and its bias."""
    streams: list[Any] = list(network.streams)
    weight = torch.cat([torch.cat([s[0].weight.flatten(1), s[0].bias[:, None]], 1) for s in streams])
    norm = [torch.cat([s[2].weight for s in streams]), torch.cat([s[2].bias for s in streams])]
    parts = [weight, *norm, network.classifier.weight, network.classifier.bias]
    return torch.cat([p.detach().flatten() for p in parts]).clone()


@torch.no_grad()
def unpack(network: StstnetNetwork, parts: Sequence[Tensor], running: Tensor, steps: int) -> None:
    """Write the parts, and the running mean and variance (2, C), into the network."""
    weight, scale, shift, fc, bias = parts
    at = 0
    streams: list[Any] = list(network.streams)
    for conv, norm in ((s[0], s[2]) for s in streams):
        mine = slice(at, at + conv.out_channels)
        conv.weight.copy_(weight[mine, :27].reshape(conv.weight.shape))
        conv.bias.copy_(weight[mine, 27])
        norm.weight.copy_(scale[mine])
        norm.bias.copy_(shift[mine])
        norm.running_mean.copy_(running[0, mine])
        norm.running_var.copy_(running[1, mine])
        norm.num_batches_tracked.fill_(steps)
        at = mine.stop
    network.classifier.weight.copy_(fc.reshape(network.classifier.weight.shape))
    network.classifier.bias.copy_(bias)
