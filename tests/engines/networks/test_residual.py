from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from mer_live.engines.networks.residual import (
    BasicBlock,
    Bottleneck,
    PaddedShortcut,
    cifar_resnet,
    resnet18,
    resnet50,
)


def parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def test_parameter_counts_are_the_published_ones() -> None:
    """torchvision's and the CIFAR paper's totals, less the classifier (and its 10 classes x 64)."""
    assert parameters(resnet18(3)) == 11_689_512 - 513_000
    assert parameters(resnet50(3)) == 25_557_032 - 2_049_000
    assert parameters(cifar_resnet(20, 3)) == 269_722 - 650
    assert parameters(cifar_resnet(110, 3)) == 1_727_962 - 650
    # one gray channel: two filter planes fewer
    assert parameters(cifar_resnet(110)) == 1_727_962 - 650 - 2 * 9 * 16
    stages = [12 * 2304 + 12 * 32, 4608 + 11 * 9216 + 12 * 64, 18_432 + 11 * 36_864 + 12 * 128]
    assert parameters(cifar_resnet(38)) == 144 + 32 + sum(stages)


@pytest.mark.parametrize(
    ("trunk", "size", "shapes"),
    [
        (resnet18(width=4), 64, [(4, 16), (8, 8), (16, 4), (32, 2)]),
        (resnet50(width=4), 64, [(16, 16), (32, 8), (64, 4), (128, 2)]),
        (cifar_resnet(14, width=4), 32, [(4, 32), (8, 16), (16, 8)]),
        (cifar_resnet(14, 2, width=4, stem_stride=4), 32, [(4, 8), (8, 4), (16, 2)]),
    ],
)
def test_shapes(trunk: torch.nn.Module, size: int, shapes: list[tuple[int, int]]) -> None:
    trunk.eval()
    x = torch.rand(2, trunk.conv1.in_channels, size, size)
    maps = trunk.maps(x)
    assert [tuple(m.shape) for m in maps] == [(2, c, side, side) for c, side in shapes]
    assert trunk.widths == tuple(c for c, _ in shapes)
    assert all((m >= 0).all() for m in maps)
    torch.testing.assert_close(trunk(x), maps[-1].mean(dim=(2, 3)))
    assert trunk(x).shape == (2, trunk.feature_size)


def test_a_block_whose_branch_is_zero_is_its_shortcut() -> None:
    x = torch.rand(2, 3, 4, 4)
    padded = PaddedShortcut(2, 2)(x)
    assert padded.shape == (2, 5, 2, 2)
    assert torch.equal(padded[:, :3], x[:, :, ::2, ::2])
    assert not padded[:, 3:].any()
    for block, after in (
        (BasicBlock(3, 5, 2, padded=True), 5),
        (BasicBlock(3, 3), 3),
        (Bottleneck(3, 2, 2), 8),
    ):
        last = block.bn3 if isinstance(block, Bottleneck) else block.bn2
        torch.nn.init.zeros_(last.weight)
        block.eval()
        assert block(x).shape[1] == after
        torch.testing.assert_close(block(x), F.relu(block.shortcut(x)))


def test_depth_must_be_6n_plus_2() -> None:
    with pytest.raises(ValueError, match=r"6n \+ 2 layers .* not 100"):
        cifar_resnet(100)
