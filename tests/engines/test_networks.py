from __future__ import annotations

import pytest
import torch
from random_bundles import CONFIGS, random_network, samples_of

from mer_live.engines.networks import NAMES, build
from mer_live.engines.networks.resnet import ResNet10


def parameters(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize("name", NAMES)
def test_logits_are_classify_of_features(name: str) -> None:
    network = random_network(name)
    inputs = [torch.from_numpy(samples_of(network)[n]) for n in network.input_names]
    with torch.no_grad():
        features = network.features(*inputs)
        logits = network(*inputs)
    assert features.shape == (3, network.feature_size)
    assert logits.shape == (3, 3)
    torch.testing.assert_close(network.classify(features), logits)
    assert network.name == name


def test_sizes_of_the_papers() -> None:
    assert parameters(build("madtn")) == 1_701_443  # stated in MadtnConfig
    assert build("madtn").feature_size == 256
    assert parameters(build("ststnet")) < 2_000
    assert parameters(build("atnet")) == pytest.approx(8.3e6, rel=0.01)
    assert build("atnet").feature_size == 1024


@pytest.mark.parametrize(
    ("variant", "names"), [("spatial", ("apex",)), ("temporal", ("adm",)), ("fusion", ("apex", "adm"))]
)
def test_atnet_variants(variant: str, names: tuple[str, ...]) -> None:
    network = random_network("atnet", variant=variant)
    assert network.input_names == names
    inputs = [torch.from_numpy(samples_of(network)[n]) for n in names]
    features = network.features(*inputs)
    # eq. 7: each stream has length one
    for part in features.split(8, dim=1):
        torch.testing.assert_close(part.norm(dim=1), torch.ones(3))


def test_resnet_maps() -> None:
    network = ResNet10((4, 6, 8, 10)).eval()
    gray = torch.rand(2, 1, 224, 224) * 255
    assert network.maps(gray).shape == (2, 10, 7, 7)
    assert (network.maps(gray) >= 0).all()
    torch.testing.assert_close(network(gray), network.maps(gray).mean(dim=(2, 3)))


def test_a_zero_window_gives_finite_features() -> None:
    network = random_network("atnet", variant="temporal")
    assert torch.isfinite(network(torch.zeros(1, 64, 128))).all()


@pytest.mark.parametrize("name", NAMES)
def test_every_weight_gets_a_gradient(name: str) -> None:
    network = random_network(name).train()
    inputs = [torch.from_numpy(samples_of(network)[n]) for n in network.input_names]
    network(*inputs).square().sum().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


def test_unknown_names_and_keys_are_refused() -> None:
    with pytest.raises(ValueError, match="network 'resnet' is unknown; take one of madtn"):
        build("resnet")
    with pytest.raises(ValueError, match="unknown key 'width'"):
        build("madtn", {"width": 3})
    assert build("madtn", CONFIGS["madtn"]).config.widths == (4, 6, 8)
