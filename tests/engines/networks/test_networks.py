from __future__ import annotations

import pytest
import torch
from support.random_bundles import CONFIGS, random_network, samples_of

from mer_live.engines.networks import NAMES, build
from mer_live.engines.networks.plain import PlainTrunk, alexnet, vgg16
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


@pytest.mark.parametrize(
    ("trunk", "count", "shapes"),
    [
        # torchvision's AlexNet and VGG-16 without their classifiers, with one input channel instead of three
        (alexnet(), 61_100_840 - 4_097_000 - 2 * 121 * 64, [(64, 15), (192, 7), (256, 3)]),
        (vgg16(), 138_357_544 - 4_097_000 - 2 * 9 * 64, [(64, 64), (128, 32), (256, 16), (512, 8), (512, 4)]),
    ],
)
def test_plain_trunks(trunk: PlainTrunk, count: int, shapes: list[tuple[int, int]]) -> None:
    assert parameters(trunk) == count
    assert trunk.feature_size == 4096
    small = (alexnet if len(shapes) == 3 else vgg16)(width=2, hidden=5).eval()
    x = torch.rand(2, 1, 64, 64)
    maps = small.maps(x)
    assert [tuple(m.shape) for m in maps] == [(2, c // 32, side, side) for c, side in shapes]
    assert small(x).shape == (2, 5)
    torch.testing.assert_close(small(x), small.pooled(maps[-1]))


@pytest.mark.parametrize(
    ("settings", "count", "feature_size"),
    [
        ({}, 1_727_962 - 650 - 2 * 9 * 16 + 195, 64),
        ({"depth": 38}, 560_432 + 195, 64),
        ({"trunk": "resnet50"}, 23_508_032 - 2 * 49 * 64 + 3 * 2049, 2048),
    ],
)
def test_sizes_of_sa_at(settings: dict[str, object], count: int, feature_size: int) -> None:
    network = build("sa-at", settings)
    assert parameters(network) == count
    assert network.feature_size == feature_size
    # "all weights are initialized from a zero-centered normal distribution with a deviation of 0.02"
    assert float(network.trunk.stages[-1][-1].conv1.weight.std()) == pytest.approx(0.02, rel=0.1)


def test_style_comes_before_the_trunk() -> None:
    network = random_network("sa-at")
    apex = torch.rand(2, 1, 64, 64) * 255
    faces = network.faces(apex)
    assert float(faces.abs().max()) <= 1
    torch.testing.assert_close(network.features(apex), network.pooled(network.maps(faces)[-1]))
    torch.nn.init.constant_(network.style.layers[-1].bias, 0.5)
    assert not torch.equal(network.faces(apex), faces)
    plain = build("sa-at", {"depth": 8})
    torch.testing.assert_close(plain.faces(apex), apex / 127.5 - 1)


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
