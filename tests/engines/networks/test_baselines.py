from __future__ import annotations

import pytest
import torch
from support.random_bundles import random_network

from mer_live.engines.networks import build
from mer_live.engines.networks.capsulenet import route, squash
from mer_live.engines.networks.dssn import STILL


@pytest.mark.parametrize(
    ("name", "count", "features"),
    [
        # 2 (6 x 26 + 16 x 151), 1568 x 1024, 1024 x 1024, 1024 x 3, with biases
        ("off-apexnet", 2_664_475, 1024),
        # 2 x (1,284 + 10,336) in the inception blocks, 6272 x 1024, 1024 x 3, with biases
        ("dual-inception", 6_449_867, 1024),
        # 2 (96 x 122 + 256 x 1201), 43264 x 3, with biases
        ("dssn", 768_131, 43_264),
        ("capsulenet", 13_836_224, 48),
        # ResNet-10 4,897,794, units 3 (64^2 + 128^2 + 256^2 + 512^2), classifier 1,539
        ("micro-attention", 5_943_813, 512),
    ],
)
def test_parameters_and_shapes(name: str, count: int, features: int) -> None:
    network = build(name).eval()
    assert sum(p.numel() for p in network.parameters()) == count
    assert network.feature_size == features
    side = getattr(network.config, "size", 224)
    x = torch.rand(1, 3 if network.input_names == ("flow3",) else 1, side, side)
    with torch.no_grad():
        assert network.features(x).shape == (1, features)
        assert network(x).shape == (1, 3)


def test_streams_look_at_one_component_each_and_never_at_the_strain() -> None:
    for name in ("off-apexnet", "dual-inception"):
        network = random_network(name)
        flow3 = torch.rand(2, 3, 28, 28)
        other = flow3.clone()
        other[:, 2] = 0
        torch.testing.assert_close(network(flow3), network(other))
        other[:, 0] = 1 - other[:, 0]
        assert not torch.allclose(network(flow3), network(other))


def test_dssn_sees_how_far_and_how_unevenly_skin_moved_but_not_where_to() -> None:
    network = random_network("dssn")
    flow3 = torch.rand(2, 3, 67, 67)
    turned = flow3.clone()
    turned[:, 0] = 2 * STILL - flow3[:, 1]
    turned[:, 1] = flow3[:, 0]
    torch.testing.assert_close(network(turned), network(flow3))
    turned[:, 2] = 1 - flow3[:, 2]
    assert not torch.allclose(network(turned), network(flow3))
    with pytest.raises(ValueError, match="35 px"):
        build("dssn", {"size": 28})


def test_squash_keeps_the_direction() -> None:
    s = torch.tensor([[3.0, 4.0], [0.0, 0.0]])
    torch.testing.assert_close(squash(s), torch.tensor([[0.6, 0.8], [0.0, 0.0]]) * 25 / 26)


def test_routing_by_hand() -> None:
    # Two capsules, two classes, one dimension. Round 1: equal shares.
    votes = torch.tensor([[[[2.0], [2.0]], [[2.0], [-2.0]]]], dtype=torch.float64)  # (1, C, N, 1)
    torch.testing.assert_close(route(votes, 1)[0, :, 0], torch.tensor([0.8, 0.0], dtype=torch.float64))
    # Round 2: v = (0.8, 0), so both agree 1.6 with class 0 and 0 with class 1.
    share = torch.tensor(1.6, dtype=torch.float64).exp() / (1 + torch.tensor(1.6, dtype=torch.float64).exp())
    s = 2 * share + 2 * share
    torch.testing.assert_close(route(votes, 2)[0, 0, 0], s * s / (1 + s * s))
    assert float(route(votes, 3)[0, 0, 0]) > float(route(votes, 2)[0, 0, 0])


def test_capsule_probabilities_are_shares_of_lengths() -> None:
    network = random_network("capsulenet")
    x = torch.rand(2, 1, 224, 224) * 255
    with torch.no_grad():
        lengths = network.features(x).reshape(2, 3, 16).norm(dim=2)
        torch.testing.assert_close(network(x).softmax(1), lengths / lengths.sum(1, keepdim=True))
    assert (lengths < 1).all()
    with pytest.raises(ValueError, match="smaller kernel"):
        build("capsulenet", {"size": 112})
    assert build("capsulenet", {"size": 96, "kernel": 5}).feature_size == 48


def test_attention_without_a_preference_scales_and_changes_nothing_else() -> None:
    # With all mixing weights 0 every mask is 1/2: each block's map grows by half, which BatchNorm undoes.
    network = random_network("micro-attention")
    x = torch.rand(2, 1, 224, 224) * 255
    with torch.no_grad():
        before = network.features(x)
        for unit in network.units:  # type: ignore[union-attr]
            unit.mix.weight.zero_()
        one = network.units[0](torch.ones(1, 4, 2, 2), (torch.rand(1, 4, 2, 2),) * 3)  # type: ignore[index]
        assert not torch.allclose(network.features(x), before)
    torch.testing.assert_close(one, torch.full((1, 4, 2, 2), 1.5))
    torch.testing.assert_close(network.features(x).norm(dim=1), torch.ones(2))
