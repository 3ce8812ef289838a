"""SA-AT: attention transfer by hand, its switches, and a set small enough to be learnt by heart."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from mer_live.realtime.types import CLASSES
from mer_live.training.learning.data import Labelled
from mer_live.training.learning.pretrain import PretrainConfig, load, pretrain, save
from mer_live.training.methods import make_method
from mer_live.training.methods.sa_at.attention_transfer import attention, attention_terms, attention_transfer
from mer_live.training.methods.sa_at.method import SaAt
from mer_live.training.prepare.config import parse_representations
from mer_live.training.prepared.index import save_array, write_index
from mer_live.training.prepared.prepared_set import PreparedSet
from mer_live.training.synthesis.prepared_set import SynthSet, render_set

TINY = {
    "size": 32, "stem_stride": 2, "width": 4, "student": "resnet18", "epochs": 1, "batch": 6, "stages": (2, 3),
    "style_width": 2, "style_blocks": 1, "style_steps": 3, "init_std": 0.0,
}  # fmt: skip


def thirds(n: int, seed: int = 0, level: int = 90) -> Labelled:
    """Class c is bright in its third of the picture; people of two databases, one of them darker."""
    rng = np.random.default_rng(seed)
    y = np.arange(n) % 3
    x = rng.integers(0, 60, (n, 32, 32))
    for k, c in enumerate(y):
        x[k, c * 11 : c * 11 + 10] += level
        x[k] //= 1 + k % 2
    people = np.array([f"{'ab'[k % 2]}/{k // 4}" for k in range(n)])
    return Labelled({"apex": x.astype(np.uint8)}, y, people)


@pytest.fixture(scope="module")
def macro(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, clips = tmp_path_factory.mktemp("macro"), thirds(24, seed=3)
    save_array(folder / "apex.npy", clips.inputs["apex"])
    write_index(
        folder,
        [
            {"key": f"m/{k}", "dataset": "m", "subject": f"{k // 3}", "label": CLASSES[c]}
            for k, c in enumerate(clips.labels)
        ],
    )
    return folder


@pytest.fixture(scope="module")
def teacher(macro: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    settings = {"depth": 8, "width": 4, "stem_stride": 4, "init_std": 0}
    made = pretrain("sa-at", settings, PreparedSet.open(macro), PretrainConfig(epochs=8, batch=12, lr=0.01))
    return str(save(made, tmp_path_factory.mktemp("teacher")))


def test_attention_is_equation_2() -> None:
    maps = torch.tensor([[[[1.0, -2.0]], [[-3.0, 0.5]]]])  # (1, 2, 1, 2)
    assert attention(maps).tolist() == [[[4.0, 2.5]]]


def test_transfer_is_equation_4_by_hand() -> None:
    """Q_S = (3, 4) -> (0.6, 0.8); Q_T = (1, 0) -> (1, 0): the distance is sqrt(0.16 + 0.64)."""
    student = torch.tensor([[[[3.0, -1.0]], [[0.0, 3.0]]]])
    teacher = torch.tensor([[[[-1.0, 0.0]]]])
    assert float(attention_transfer(student, teacher)) == pytest.approx(math.sqrt(0.8))
    # the mean over a batch; scale and sign of a map do not matter
    both = attention_transfer(
        torch.cat([student, -2 * student]), torch.cat([teacher, 5 * student.sum(1, True)])
    )
    other = attention_transfer(student, student.sum(1, keepdim=True))
    assert float(both) == pytest.approx((math.sqrt(0.8) + float(other)) / 2)
    assert float(attention_transfer(student, 7 * student)) == pytest.approx(0, abs=1e-7)


def test_a_teacher_map_of_another_size_is_averaged() -> None:
    student = torch.tensor([[[[3.0, 4.0]]]])
    teacher = torch.tensor([[[[2.0, 4.0, 0.0, 0.0], [0.0, 2.0, 4.0, 4.0]]]])  # means of 2 x 2: 2 and 2
    expected = math.hypot(0.6 - math.sqrt(0.5), 0.8 - math.sqrt(0.5))
    assert float(attention_transfer(student, teacher)) == pytest.approx(expected)


def test_weights_and_stages() -> None:
    student = [torch.rand(2, 3, 4, 4), torch.rand(2, 5, 2, 2)]
    teacher = [torch.rand(2, 1, 8, 8), torch.rand(2, 4, 4, 4), torch.rand(2, 7, 2, 2)]
    terms = attention_terms(student, teacher, (1, 2))
    assert {k: w for k, (w, _) in terms.items()} == {"attention1": 1000 / 16 / 2, "attention2": 1000 / 4 / 2}
    # the last stages belong together
    torch.testing.assert_close(terms["attention1"][1], attention_transfer(student[0], teacher[1]))
    assert attention_terms(student, teacher, (2,), beta=3.0)["attention2"][0] == 1.5
    with pytest.raises(ValueError, match="stage 3, but the student has 2"):
        attention_terms(student, teacher, (3,))


def test_gradient_is_the_finite_difference() -> None:
    g = torch.Generator().manual_seed(0)
    student = torch.randn(2, 3, 3, 2, generator=g, dtype=torch.float64, requires_grad=True)
    teacher = torch.randn(2, 2, 6, 4, generator=g, dtype=torch.float64)
    assert gradcheck(lambda s: attention_transfer(s, teacher), (student,))
    # where both agree the distance has a kink; the gradient must not be NaN
    same = student.detach().clone().requires_grad_()
    attention_transfer(same, same.detach()).backward()
    assert same.grad is not None
    assert torch.isfinite(same.grad).all()


@pytest.mark.parametrize("variant", ["resnet", "resnet+sa", "resnet+at", "sa-at"])
def test_ablations(variant: str, teacher: str) -> None:
    train = thirds(12)
    model = make_method("sa-at", {**TINY, "variant": variant, "teacher_weights": teacher})
    assert isinstance(model, SaAt)
    model.fit(train, seed=1)
    p = model.predict(train.inputs)
    assert p.shape == (12, 3)
    assert model.report is not None
    assert model.network is not None
    styled = "sa" in variant
    assert (model.aggregation is not None) == styled == bool(model.network.config.style_width)
    if "at" in variant:
        assert {f"attention{k}" for k in (2, 3)} < set(model.report.losses[0])
        assert model.network.config.trunk == "resnet18"
        frozen = model.teacher
        assert frozen is not None
        assert not any(q.requires_grad for q in frozen.network.parameters())
    else:  # the teacher itself is what the paper tests
        assert model.report.losses == []
        assert model.network.config.depth == 8
        student = make_method(
            "sa-at", {**TINY, "variant": variant, "teacher_weights": teacher, "without_at": "student"}
        )
        assert isinstance(student, SaAt)
        student.fit(train, seed=1)
        assert student.teacher is None
        assert set(student.report.losses[0]) == {"cross_entropy", "total"}  # type: ignore[union-attr]
    if styled:
        # the generator is a part of what is exported, and stays as it was trained
        assert model.aggregation is not None
        for mine, trained in zip(
            model.network.style.parameters(), model.aggregation.generator.parameters(), strict=True
        ):  # type: ignore[attr-defined]
            assert torch.equal(mine, trained)


@pytest.mark.slow
def test_it_learns_twelve_micro_expressions_by_heart(teacher: str, faces: Path, tmp_path: Path) -> None:
    """Chance would know four. Four seeds with AVX-512 and three without any vectors beyond SSE knew all twelve."""
    specs = parse_representations("apex:size=48")
    rendered = PreparedSet.open(
        render_set(SynthSet(faces, split="test", clips=12, representations=specs), tmp_path / "set")
    )
    train = Labelled({"apex": np.asarray(rendered.array("apex"))}, rendered.labels, rendered.subjects)
    assert sorted(train.labels) == [0] * 4 + [1] * 4 + [2] * 4
    settings = {**TINY, "size": 48, "width": 8, "epochs": 40, "lr": 3e-3, "solver": "one-cycle"}
    model = make_method("sa-at", {**settings, "teacher_weights": teacher})
    model.fit(train, seed=0)
    assert (model.predict(train.inputs).argmax(1) == train.labels).sum() >= 10


def test_attention_comes_nearer_to_the_teachers(teacher: str) -> None:
    settings = {**TINY, "variant": "resnet+at", "teacher_weights": teacher, "epochs": 15, "lr": 1e-3}
    model = make_method("sa-at", settings)
    assert isinstance(model, SaAt)
    model.fit(thirds(12), seed=0)
    assert model.report is not None
    first, last = model.report.losses[0], model.report.losses[-1]
    assert sum(last[f"attention{k}"] for k in (2, 3)) < 0.8 * sum(first[f"attention{k}"] for k in (2, 3))


def test_weights_that_have_seen_the_test_people_are_refused(teacher: str) -> None:
    seen = load(teacher).provenance["data"]["trained_on"][0]
    train = replace(thirds(12), barred=frozenset([seen]))
    for settings in (
        {"teacher_weights": teacher},
        {"student_weights": teacher, "variant": "resnet", "without_at": "student"},
    ):
        model = make_method("sa-at", {**TINY, **settings})
        with pytest.raises(ValueError, match=f"have seen {seen}, who is to be tested"):
            model.fit(train)


def test_a_student_may_begin_with_macro_expressions(teacher: str, macro: Path, tmp_path: Path) -> None:
    settings = {"trunk": "resnet18", "width": 4, "init_std": 0}
    made = pretrain("sa-at", settings, PreparedSet.open(macro), PretrainConfig(epochs=1, batch=12))
    weights = str(save(made, tmp_path / "student"))
    model = make_method("sa-at", {**TINY, "teacher_weights": teacher, "student_weights": weights})
    begun, wanted = model.build().state_dict(), made.network.state_dict()
    assert all(torch.equal(begun[name], value) for name, value in wanted.items())
    with pytest.raises(ValueError, match="do not fit trunk"):
        make_method("sa-at", {**TINY, "width": 5, "student_weights": weights}).build()


def test_one_seed_decides(teacher: str) -> None:
    train = thirds(12)
    results = []
    for seed in (1, 1, 2):
        model = make_method("sa-at", {**TINY, "teacher_weights": teacher})
        model.fit(train, seed=seed)
        results.append(model.predict(train.inputs))
    assert np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def test_a_teacher_from_a_macro_set_and_none_at_all(macro: Path) -> None:
    settings = {
        **TINY,
        "teacher": "alexnet",
        "hidden": 8,
        "macro": str(macro),
        "teacher_epochs": 1,
        "size": 64,
    }
    model = make_method("sa-at", {**settings, "stages": (3, 4)})
    assert isinstance(model, SaAt)
    train = thirds(12)
    big = {"apex": np.repeat(np.repeat(train.inputs["apex"], 2, 1), 2, 2)}
    model.fit(Labelled(big, train.labels, train.subjects))
    assert model.teacher is not None
    assert model.teacher.network.config.trunk == "alexnet"
    with pytest.raises(ValueError, match="needs a teacher: --set teacher_weights=FOLDER"):
        make_method("sa-at", TINY).fit(train)
