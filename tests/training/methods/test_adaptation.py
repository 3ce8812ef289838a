from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from mer_live.training.learning.data import Labelled, Unlabelled
from mer_live.training.methods import make_method
from mer_live.training.methods.adaptation.base import linear_svm, principal_directions
from mer_live.training.methods.adaptation.gfk import geodesic_map
from mer_live.training.methods.adaptation.iw_svm import importance
from mer_live.training.methods.adaptation.mean_matching import bounded_qp
from mer_live.training.methods.adaptation.regeneration import regenerating_weights, regenerator
from mer_live.training.methods.adaptation.stm import StmConfig, selected
from mer_live.training.methods.adaptation.tca import transfer_components
from mer_live.training.methods.adaptation.tkl import fitted_spectrum

METHODS = ("iw-svm", "tca", "gfk", "subspace-alignment", "stm", "tkl", "tsrg", "drfs-t", "drls")
RAW = {"feature": "raw"}


def shifted(seed: int) -> tuple[Labelled, Unlabelled, np.ndarray]:
    """Three classes in a plane; in the target they are turned a little and everything is moved aside."""
    rng = np.random.default_rng(seed)
    corners = 2.5 * np.stack([np.cos([0, 2.1, 4.2]), np.sin([0, 2.1, 4.2])], 1)
    y = np.arange(60) % 3

    def clips(turn: float, move: float) -> np.ndarray:
        c, s = np.cos(turn), np.sin(turn)
        plane = corners[y] @ np.array([[c, s], [-s, c]]) + move + rng.normal(0, 0.7, (60, 2))
        return np.concatenate([plane, move + rng.normal(0, 0.3, (60, 10))], 1)

    source, target = clips(0, 0), clips(0.3, 1.5)
    who = np.array([f"s/{k}" for k in range(60)])
    return Labelled({"v": source}, y, who), Unlabelled({"v": target}), y


def covariate(seed: int) -> tuple[Labelled, Unlabelled, np.ndarray]:
    """The classes' border bends; the target lies where a part of the source lies."""
    rng = np.random.default_rng(seed)

    def clips(n: int, low: float) -> tuple[np.ndarray, np.ndarray]:
        x = rng.uniform(low, 3, n)
        h = rng.uniform(-3, 3, n)
        border = np.where(x > 0, 1.5 - x, -1.5 - x)
        return np.stack([x, h], 1), (h > border).astype(np.int64) * 2

    xs, ys = clips(150, -3)
    xt, yt = clips(80, 0.5)
    return Labelled({"v": xs}, ys, np.array(["s/1"] * 150)), Unlabelled({"v": xt}), yt


Problem = tuple[Labelled, Unlabelled, np.ndarray]


def accuracy(
    name: str, problem: Problem, settings: dict[str, Any] | None = None, adapt: bool = True
) -> float:
    train, target, y = problem
    model = make_method(name, {**RAW, **(settings or {})})
    model.fit(train, target if adapt else None)
    p = model.predict(target.inputs)
    assert p.shape == (len(y), 3)
    assert np.allclose(p.sum(1), 1, atol=1e-5)
    return float((p.argmax(1) == y).mean())


def spurious(seed: int) -> tuple[Labelled, Unlabelled, np.ndarray]:
    """In the source three more values tell the class; in the target they stand still, one of them elsewhere."""
    rng = np.random.default_rng(seed)
    corners = 2.5 * np.stack([np.cos([0, 2.1, 4.2]), np.sin([0, 2.1, 4.2])], 1)
    y = np.arange(60) % 3
    plane = [corners[y] + rng.normal(0, 1.5, (60, 2)) for _ in range(2)]
    source = np.concatenate([plane[0], 2 * np.eye(3)[y] + rng.normal(0, 0.5, (60, 3))], 1)
    target = np.concatenate([plane[1], rng.normal([2.0, 0, 0], 0.2, (60, 3))], 1)
    who = np.array([f"s/{k}" for k in range(60)])
    return Labelled({"v": source}, y, who), Unlabelled({"v": target}), y


# Weights choose among source clips and cannot move one; TKL keeps what the target varies in.
SHIFTS = {"iw-svm": covariate, "stm": covariate, "tkl": spurious}


@pytest.mark.parametrize("name", METHODS)
def test_adapting_is_better_than_not_adapting(name: str) -> None:
    problems = [SHIFTS.get(name, shifted)(seed) for seed in range(8)]
    settings = {"damping": 1.5} if name == "tkl" else {}
    with_, without = (np.mean([accuracy(name, p, settings, a) for p in problems]) for a in (True, False))
    assert with_ > without


def test_without_a_target_they_are_one_linear_svm() -> None:
    train, target, _ = shifted(0)
    answers = []
    for name in METHODS:
        model: Any = make_method(name, RAW)
        assert model.adapts
        with pytest.raises(RuntimeError, match="fit comes"):
            model.predict(target.inputs)
        model.fit(train, None, seed=3)
        answers.append(model.predict(target.inputs))
    assert all(np.array_equal(answers[0], other) for other in answers)
    peer = make_method("svm", {"kernel": "linear", "c": 1.0 / 12})  # its rows are sqrt(12) longer
    peer.fit(train)
    assert np.allclose(answers[0].argmax(1), peer.predict(target.inputs).argmax(1))


@pytest.mark.parametrize("name", METHODS)
def test_same_domain_is_left_working(name: str) -> None:
    train, _, y = shifted(0)
    assert accuracy(name, (train, Unlabelled(train.inputs), y)) > 0.9


@pytest.mark.parametrize("seed", range(4))
def test_bounded_qp_is_the_minimum(seed: int) -> None:
    """No feasible way leads down from it. The problem is convex: what is left to gain is at most that slope, of
    which 180 draws left 2e-8."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(8, 5))
    k, linear = root @ root.T, 5 * rng.normal(size=8)
    for low, high in ((0, 100), (3, 4), (9, 9.5)):
        s = bounded_qp(k, linear, 1.5, low, high)
        assert low - 1e-6 <= s.sum() <= high + 1e-6
        assert -1e-6 <= s.min() <= s.max() <= 1.5 + 1e-6
        slope = k @ s - linear
        rows, ends = np.array([np.ones(8), -np.ones(8)]), [high, -low]
        lowest = linprog(slope, A_ub=rows, b_ub=ends, bounds=[(0, 1.5)] * 8).fun
        assert slope @ s - lowest < 1e-4 * max(1.0, abs(s @ k @ s / 2 - linear @ s))


def test_bounds_that_nothing_meets_are_refused() -> None:
    with pytest.raises(ValueError, match="8 weights"):
        bounded_qp(np.eye(8), np.ones(8), 1.0, 9, 10)


def test_importance_is_large_where_the_target_is() -> None:
    rng = np.random.default_rng(0)
    source = np.concatenate([rng.normal(0, 1, (40, 3)), rng.normal(6, 1, (40, 3))])
    weights = importance(source, rng.normal(6, 1, (30, 3)), bound=10)
    assert weights[40:].mean() > 10 * weights[:40].mean()


def test_transfer_components_meet_their_constraint_and_close_the_gap() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, 6))
    x[30:] += 3
    k = x @ x.T
    w = transfer_components(k, 30, 4, 1e-3)
    h = np.eye(50) - 1 / 50
    assert np.allclose(w.T @ k @ h @ k @ w, np.eye(w.shape[1]), atol=1e-6)
    z = k @ w
    gap = np.linalg.norm(z[:30].mean(0) - z[30:].mean(0)) / z.std()
    assert gap < 0.05 * np.linalg.norm(x[:30].mean(0) - x[30:].mean(0)) / x.std()


def test_geodesic_kernel_is_the_integral_along_the_way() -> None:
    rng = np.random.default_rng(0)
    ps, pt = (np.linalg.qr(rng.normal(size=(9, 3)))[0] for _ in range(2))
    f = geodesic_map(ps, pt)
    u, cosine, vt = np.linalg.svd(ps.T @ pt)
    theta = np.arccos(cosine)
    a, b = ps @ u, (pt @ vt.T - ps @ u * cosine) / np.sin(theta)
    ts = (np.arange(2000) + 0.5) / 2000
    way = [a * np.cos(t * theta) + b * np.sin(t * theta) for t in ts]
    assert np.allclose(f @ f.T, np.mean([p @ p.T for p in way], axis=0), atol=1e-6)
    assert np.allclose(way[0].T @ way[0], np.eye(3), atol=1e-9)  # every point of the way is a basis
    # No way to go: the kernel is the projection onto the subspace.
    still = geodesic_map(ps, ps)
    assert np.allclose(still @ still.T, ps @ ps.T)


def test_alignment_with_itself_changes_nothing() -> None:
    x = np.random.default_rng(0).normal(size=(20, 6))
    mean, p = principal_directions(x, 3)
    assert np.allclose(p.T @ p, np.eye(3))
    assert np.allclose((x - mean) @ p @ (p.T @ p), (x - mean) @ p)
    assert principal_directions(x, 99)[1].shape == (6, 6)


def test_stm_trusts_the_badly_classified_less_than_mean_matching_does() -> None:
    train, target, _ = covariate(0)
    x, flipped = train.inputs["v"], train.labels.copy()
    wrong = np.flatnonzero(x[:, 0] > 1)[:6]
    flipped[wrong] = 2 - flipped[wrong]
    matched = importance(x, target.inputs["v"], 10.0)
    blind = selected(x, flipped, target.inputs["v"], StmConfig(weight=1e9))
    assert blind == pytest.approx(matched, abs=1e-3)  # the loss has no say
    wary = selected(x, flipped, target.inputs["v"], StmConfig(weight=0.05))
    assert wary[wrong].mean() < 0.5 * matched[wrong].mean()


def test_spectrum_is_damped_and_recovers_an_admissible_one() -> None:
    rng = np.random.default_rng(0)
    phi = np.linalg.qr(rng.normal(size=(12, 4)))[0]
    wanted = np.array([8.0, 4.0, 1.5, 1.0])
    found = fitted_spectrum(phi, phi @ np.diag(wanted) @ phi.T, damping=1.2)
    assert found == pytest.approx(wanted)
    damped = fitted_spectrum(phi, phi @ np.diag(wanted[::-1]) @ phi.T, damping=2.0)
    assert (damped[:-1] >= 2.0 * damped[1:] - 1e-9).all()
    assert (damped >= 0).all()


def test_regeneration_reproduces_its_own_domain_and_matches_the_means() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(30, 5)), rng.normal(size=(25, 5)) + 2
    regenerate = regenerator(a, b, a, match=100.0, sparsity=1e-6)
    plain = regenerator(a, b, a, match=0.0, sparsity=1e-6)
    assert np.allclose(plain(a), a, atol=1e-2)
    gap = [np.linalg.norm(f(a).mean(0) - f(b).mean(0)) for f in (plain, regenerate)]
    assert gap[1] < 0.1 * gap[0]


def test_regeneration_is_the_minimum_of_its_objective() -> None:
    rng = np.random.default_rng(1)
    a, b, wanted = rng.normal(size=(6, 3)), rng.normal(size=(5, 3)) + 1, rng.normal(size=(6, 2))
    both = np.concatenate([a, b])
    ka, kb = both @ a.T, both @ b.T
    gap = (ka.mean(1) - kb.mean(1))[:, None]

    def objective(p: np.ndarray) -> float:
        fit = ((wanted.T - p.T @ ka) ** 2).sum()
        return float(fit + 3.0 * ((p.T @ gap) ** 2).sum() + 0.5 * np.abs(p).sum())

    p = regenerating_weights(ka, kb, wanted, match=3.0, sparsity=0.5)
    assert (p == 0).any()
    best = objective(p)
    for _ in range(300):
        assert objective(p + 1e-2 * rng.normal(size=p.shape)) >= best - 1e-4


def test_one_class_and_one_target_clip() -> None:
    train, target, _ = shifted(0)
    one = train.take(np.flatnonzero(train.labels == 2))
    for name in METHODS:
        if name == "drls":  # a regression, it answers what is largest
            continue
        model = make_method(name, RAW)
        model.fit(one, target)
        assert (model.predict(target.inputs).argmax(1) == 2).all(), name
    with pytest.raises(ValueError, match="at least two target clips"):
        make_method("tca", RAW).fit(train, Unlabelled({"v": target.inputs["v"][:1]}))


def test_weights_of_the_linear_svm_count() -> None:
    rows = np.array([[0.0], [1.0], [2.0], [3.0]])
    labels = np.array([0, 2, 0, 2])
    weights = np.array([1.0, 1e-6, 1e-6, 1.0])
    assert linear_svm(rows, labels, 10.0, weights)(np.array([[0.2], [2.8]])).argmax(1).tolist() == [0, 2]
