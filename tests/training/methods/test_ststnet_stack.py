from __future__ import annotations

import numpy as np
import pytest
import torch

from mer_live.benchmarks.folds import plain_stack
from mer_live.engines.networks import build
from mer_live.engines.networks.ststnet import StstnetNetwork
from mer_live.training.learning.data import Labelled
from mer_live.training.methods.ststnet.loop import priorities, train_stack
from mer_live.training.methods.ststnet.method import Ststnet, StstnetConfig
from mer_live.training.methods.ststnet.stack import Batch, StstnetStack


def pool(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Images with an unmoving background: there every window's values tie."""
    g = torch.Generator().manual_seed(seed)
    x = torch.full((n, 3, 28, 28), 0.5)
    x[:, :, 4:18, 6:20] = torch.rand(n, 3, 14, 14, generator=g)
    return x, torch.randint(0, 3, (n,), generator=g)


def network(seed: int, dropout: float = 0.0) -> StstnetNetwork:
    torch.manual_seed(seed)
    made = build("ststnet", {"dropout": dropout})
    assert isinstance(made, StstnetNetwork)
    return made


@pytest.mark.parametrize("falling", [False, True])
def test_the_gradient_is_autograds(falling: bool) -> None:
    """Also with negative scales, where the lowest value of a window becomes its maximum.

    Two values of a window that differ in their last bits may swap, and with them where the convolution's gradient
    goes: that is a part of it (.03 at most, of 80 draws), never most of it. The rest differs by 2e-4 at most.
    """
    x, y = pool(19)
    plain = network(1)
    with torch.no_grad():
        for stream in plain.streams:
            stream[2].bias += 0.3  # type: ignore[index]
            if falling:
                stream[2].weight[::2] *= -1.5  # type: ignore[index]
    stack = StstnetStack([plain, network(5)], x, 0.0)
    rows = np.arange(2, 19)
    (loss, _), (got, _) = stack.gradient([Batch(rows, y[2:]), Batch(rows[3:], y[5:])])
    plain.train()
    expected = torch.nn.functional.cross_entropy(plain(x[2:]), y[2:])
    expected.backward()
    assert loss == pytest.approx(expected.item(), rel=1e-4)
    g_weight, g_scale, g_shift, g_fc, g_bias = stack.parts(got)
    want = [torch.cat([s[0].weight.grad.flatten(1) for s in plain.streams])]  # type: ignore[index]
    want += [torch.cat([getattr(s[2], n).grad for s in plain.streams]) for n in ("weight", "bias")]  # type: ignore[index]
    want += [plain.classifier.weight.grad.view(g_fc.shape), plain.classifier.bias.grad]  # type: ignore[union-attr]
    error = [
        float((a - b).norm() / b.norm())
        for a, b in zip([g_weight[:, :27], g_scale, g_shift, g_fc, g_bias], want, strict=True)
    ]
    assert error[0] < 0.1
    assert max(error[1:]) < 2e-3


def test_running_statistics_and_adam_follow_torch() -> None:
    x, y = pool(24)
    plain, stacked = network(2), network(2)
    optimizer = torch.optim.Adam(plain.parameters(), lr=1e-3)
    stack = StstnetStack([stacked], x, 1e-3)
    for step in range(4):
        rows = np.sort(np.random.default_rng(step).permutation(24)[:13])
        stack.step([Batch(rows, y[rows])])
        plain.train()
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(plain(x[rows]), y[rows]).backward()
        optimizer.step()
    (result,) = stack.unpack()
    plain.eval()
    with torch.no_grad():
        assert torch.allclose(result(x), plain(x), atol=5e-3)
    for name, value in plain.state_dict().items():
        assert torch.allclose(result.state_dict()[name].float(), value.float(), atol=8e-3), name


def test_grouping_changes_nothing_and_a_fold_sees_its_own_rows_only() -> None:
    """Trained alone, in company, or with everyone else's clips replaced by noise: the same weights."""
    x, y = pool(30)
    rows = [np.arange(0, 20), np.arange(5, 30), np.arange(0, 25)]

    def run(which: list[int], images: torch.Tensor, labels: torch.Tensor) -> list[torch.Tensor]:
        nets = [network(7, dropout=0.5) for _ in which]
        pooled = np.unique(np.concatenate([rows[k] for k in which]))
        trained, _ = train_stack(
            nets,
            images[pooled],
            labels[pooled],
            [np.searchsorted(pooled, rows[k]) for k in which],
            pooled,
            order_seed=3,
            seeds=[10 + k for k in which],
            epochs=2,
            batch=12,
            lr=1e-3,
        )
        return [torch.cat([p.flatten() for p in n.parameters()]).detach() for n in trained]

    together = run([0, 1, 2], x, y)
    for k in range(3):
        assert torch.allclose(run([k], x, y)[0], together[k], atol=2e-3)
    noisy, other = x.clone(), y.clone()
    noisy[20:] = torch.rand(10, 3, 28, 28)
    other[20:] = (other[20:] + 1) % 3
    assert torch.equal(run([0, 1], noisy, other)[0], together[0])


def test_a_clip_keeps_its_place_whoever_else_is_there() -> None:
    names = np.arange(50)
    whole, some = priorities(names, 1, 7), priorities(names[::3], 1, 7)
    assert np.array_equal(whole[::3], some)
    assert not np.array_equal(whole, priorities(names, 1, 8))
    assert not np.array_equal(whole, priorities(names, 2, 7))


def test_stacked_and_plain_agree_without_dropout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ststnet, "build", lambda self: build("ststnet", {"dropout": 0.0}))
    x, y = pool(30)
    images = (x.permute(0, 2, 3, 1).numpy() * 255).astype(np.uint8)
    who = np.array([f"d/{k // 3}" for k in range(30)])
    train = Labelled({"flow": images}, y.numpy(), who)
    config = StstnetConfig(epochs=4, batch=30, lr=1e-3)
    plain = Ststnet(config)
    plain.fit(train.take(np.arange(24)), seed=5)
    stacked = [Ststnet(config), Ststnet(config)]
    rows = [np.arange(24), np.arange(6, 30)]
    Ststnet.fit_many(stacked, train, rows, np.arange(30), seeds=[5, 6], order_seed=0)
    a, b = plain.predict(train.inputs), stacked[0].predict(train.inputs)
    assert np.abs(a - b).max() < 0.02
    assert stacked[0].report is not None
    assert plain.report is not None
    losses = [[e["total"] for e in m.report.losses] for m in (plain, stacked[0]) if m.report]
    assert np.allclose(losses[0], losses[1], atol=0.02)


def test_with_the_same_order_and_dropout_torchs_own_layers_say_the_same() -> None:
    x, y = pool(30)
    said = []
    for make in (plain_stack(), StstnetStack):
        nets, _ = train_stack(
            [network(7, dropout=0.5), network(8, dropout=0.5)],
            x,
            y,
            [np.arange(24), np.arange(6, 30)],
            np.arange(30),
            order_seed=0,
            seeds=[1, 2],
            epochs=4,
            batch=12,
            lr=1e-3,
            make=make,
        )
        with torch.no_grad():
            said.append(torch.stack([n(x).softmax(1) for n in nets]))
    assert (said[0] - said[1]).abs().max() < 0.01


def test_dropout_is_seeded_per_fold_and_a_diverging_loss_is_named() -> None:
    x, y = pool(20)

    def run(seed: int, lr: float = 1e-3) -> torch.Tensor:
        nets, _ = train_stack(
            [network(1, dropout=0.3)],
            x,
            y,
            [np.arange(20)],
            np.arange(20),
            order_seed=0,
            seeds=[seed],
            epochs=1,
            batch=10,
            lr=lr,
        )
        return nets[0].classifier.weight.detach()

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))
    with pytest.raises(FloatingPointError, match="epoch"):
        run(1, lr=float("nan"))
