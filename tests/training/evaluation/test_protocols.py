from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from mer_live.realtime.types import CLASSES
from mer_live.training.datasets.published import CDMER, MEGC2019
from mer_live.training.evaluation.protocols import (
    ProtocolError,
    make_split,
)
from mer_live.training.learning.hold_back import disjoint_rows


@dataclass
class Sheet:
    keys: np.ndarray
    datasets: np.ndarray
    subjects: np.ndarray
    labels: np.ndarray
    index: dict[str, np.ndarray] = field(default_factory=dict)
    classes: tuple[str, ...] = CLASSES


def sheet(counts: dict[str, tuple[int | None, int, int, int]] | None = None) -> Sheet:
    keys, datasets, subjects, labels = [], [], [], []
    for name, (people, *classes) in (counts or MEGC2019).items():
        whole = [c for c, n in enumerate(classes) for _ in range(n)]
        namespace = "smic" if name.startswith("smic") else name
        for k, c in enumerate(whole):
            keys.append(f"{name}/{k}")
            datasets.append(name)
            subjects.append(f"{namespace}/{k % (people or 20):03d}")
            labels.append(c)
    return Sheet(np.array(keys), np.array(datasets), np.array(subjects), np.array(labels))


def rows(table: Sheet, mask: np.ndarray) -> Sheet:
    index = {k: v[mask] for k, v in table.index.items()}
    return Sheet(table.keys[mask], table.datasets[mask], table.subjects[mask], table.labels[mask], index)


def test_cde_is_68_folds_over_442_clips() -> None:
    split = make_split("cde", sheet())
    assert len(split.folds) == 68
    assert sum(len(f.test) for f in split.folds) == 442
    assert all(len(f.train) + len(f.test) == 442 for f in split.folds)
    total = {c: sum(d[c] for d in split.counts.values()) for c in ("negative", "positive", "surprise")}
    assert total == {"negative": 250, "positive": 109, "surprise": 83}
    assert split.counts["samm"] == {
        "clips": 133,
        "subjects": 28,
        "negative": 92,
        "positive": 26,
        "surprise": 15,
    }


def test_the_difference_is_named_and_partial_records_it() -> None:
    table = sheet()
    gone = np.ones(442, bool)
    gone[0] = False
    with pytest.raises(ProtocolError, match=r"smic-hs: 69 negative clips instead of 70\. .*--partial"):
        make_split("cde", rows(table, gone))
    split = make_split("cde", rows(table, gone), partial=True)
    assert split.differences == ("smic-hs: 69 negative clips instead of 70",)
    assert split.hash != make_split("cde", table).hash
    with pytest.raises(ProtocolError, match="samm: no clip at all instead of 133"):
        make_split("hde", rows(table, table.datasets != "samm"))
    one = table.subjects.copy()
    one[one == "samm/001"] = "samm/002"
    table.subjects = one
    with pytest.raises(ProtocolError, match="samm: 27 subjects instead of 28"):
        make_split("cde", table)


def test_the_hash_is_of_the_list_not_of_its_order() -> None:
    table = sheet()
    order = np.random.default_rng(0).permutation(442)
    assert make_split("cde", table).hash == make_split("cde", rows(table, order)).hash
    relabelled = sheet()
    relabelled.labels[[0, -1]] = relabelled.labels[[-1, 0]]
    changed = make_split("cde", relabelled, partial=True)
    assert changed.hash != make_split("cde", table).hash


def test_hde_tests_each_database_once() -> None:
    split = make_split("hde", sheet())
    assert [f.name for f in split.folds] == ["casme2", "samm", "smic-hs"]
    assert [len(f.test) for f in split.folds] == [145, 133, 164]


def test_cdmer_tasks_hand_out_targets() -> None:
    table = sheet(dict(CDMER))
    first, second = make_split("cdmer1", table), make_split("cdmer2", table)
    assert [f.name for f in first.folds] == ["H>V", "V>H", "H>N", "N>H", "V>N", "N>V"]
    assert [f.name for f in second.folds] == ["C>H", "H>C", "C>V", "V>C", "C>N", "N>C"]
    assert all(f.adapt for f in first.folds)
    assert {len(f.test) for f in first.folds} == {71, 164}
    assert set(first.counts) == {"smic-hs", "smic-vis", "smic-nir"}
    half = rows(table, np.isin(table.datasets, ["smic-hs", "smic-vis"]))
    assert [f.name for f in make_split("cdmer1", half, partial=True).folds] == ["H>V", "V>H"]


def test_cdmer_takes_the_72_negative_clips_of_the_public_sheet_and_says_so() -> None:
    table = sheet(dict(CDMER))
    negative = np.flatnonzero((table.datasets == "casme2") & (table.labels == 0))
    there = np.ones(len(table.keys), bool)
    there[negative[:1]] = False
    split = make_split("cdmer2", rows(table, there))
    assert split.differences == ("casme2: 72 negative clips instead of 73",)
    there[negative[:2]] = False
    with pytest.raises(ProtocolError, match="71 negative clips instead of 73"):
        make_split("cdmer2", rows(table, there))


def test_the_annotators_word_decides_per_protocol() -> None:
    """Fear is out of CDE's CASME II and negative in CDMER's; repression the other way round."""
    table = sheet({"casme2": (4, 8, 4, 4), "smic-hs": (4, 4, 4, 4)})
    words = np.array([""] * len(table.keys), dtype="U16")
    words[table.datasets == "casme2"] = ["Fear", "repression"] * 4 + ["happiness"] * 4 + ["surprise"] * 4
    table.index["emotion"] = words
    cde = make_split("cde", table, partial=True)
    cdmer = make_split("cdmer2", table, partial=True)
    casme = table.datasets == "casme2"
    assert set(words[(cde.labels == 0) & casme]) == {"repression"}
    assert set(words[(cdmer.labels == 0) & casme]) == {"Fear"}
    assert (cde.labels[~casme] == table.labels[~casme]).all()


def test_two_clips_are_left_out_of_the_megc_list() -> None:
    table = sheet()
    at = int(np.flatnonzero((table.datasets == "casme2") & (table.labels == 0))[0])
    table.keys[at] = "x" * 4
    keys = table.keys.astype("U32")
    keys[at] = "casme2/004/EP12_01f"
    table.keys, table.subjects = keys, table.subjects.astype("U16")
    table.subjects[at] = "casme2/004"
    with pytest.raises(ProtocolError, match="casme2: 87 negative"):
        make_split("cde", table)


def test_loso_and_holdout() -> None:
    table = sheet()
    split = make_split("loso", table, database="casme2")
    assert len(split.folds) == 24
    with pytest.raises(ProtocolError, match="--database"):
        make_split("loso", table)
    with pytest.raises(ProtocolError, match="no clip of the database 'mmi'"):
        make_split("loso", table, database="mmi")
    (fold,) = make_split("holdout", table, test_fraction=0.25, seed=3).folds
    share = len(fold.test) / 442
    assert 0.2 < share < 0.3
    assert not set(table.subjects[fold.train]) & set(table.subjects[fold.test])
    same = make_split("holdout", table, test_fraction=0.25, seed=3).folds[0]
    assert (same.test == fold.test).all()
    per_class = np.bincount(table.labels[fold.test], minlength=3) / np.bincount(table.labels)
    assert np.ptp(per_class) < 0.1


def test_a_split_of_ones_own() -> None:
    table = sheet({"x": (6, 12, 12, 12)})
    with pytest.raises(ProtocolError, match="no column 'split'"):
        make_split("split", table)
    person = np.array([int(s[-1]) for s in table.subjects])
    table.index["split"] = np.array(["train", "train", "train", "val", "test", "test"])[person]
    split = make_split("split", table)
    (fold,) = split.folds
    assert set(person[fold.train]) == {0, 1, 2}
    assert set(person[fold.test]) == {4, 5}
    assert (split.labels[person == 3] == -1).all()
    table.index["split"][0] = "test"
    with pytest.raises(ProtocolError, match="in training and in test"):
        make_split("split", table)


def test_one_subject_and_bare_subjects_are_refused() -> None:
    table = sheet()
    one = rows(table, table.subjects == "samm/003")
    with pytest.raises(ProtocolError, match="at least two subjects"):
        make_split("loso", one)
    with pytest.raises(ProtocolError, match="at least two are needed"):
        make_split("holdout", one)
    with pytest.raises(ValueError, match="between 0 and 1"):
        disjoint_rows(table.subjects, table.labels, 1.5, 0)
    table.subjects = np.array(["6"] * 442)
    with pytest.raises(ProtocolError, match="not namespaced"):
        make_split("cde", table)
    with pytest.raises(ProtocolError, match="unknown protocol"):
        make_split("cv10", table)
