from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mer_live.training.datasets.identity import canonical_dataset, canonical_subject, parse_label
from mer_live.training.prepared.index import PreparedError, save_array
from mer_live.training.prepared.prepared_set import PreparedSet, parse_inputs

HEADER = "key,dataset,subject,label"


def write_set(folder: Path, header: str, lines: list[str], **arrays: np.ndarray) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "index.csv").write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return folder


@pytest.fixture
def small(tmp_path: Path) -> Path:
    lines = [
        "casme2/01/a,CASME II,sub01,negative",
        "casme2/01/b,casme2,1,0",
        "samm/6/c,SAMM,6,positive",
        "samm/6/d,samm,006,1",
        "smic/s3/e,smic,s3,surprise",
        "smic/s3/f,SMIC-VIS,s03,2",
    ]
    images = np.random.default_rng(0).integers(0, 256, (6, 28, 28, 3), dtype=np.uint8)
    return write_set(tmp_path / "set", "key,dataset,subject,label", lines, uvs28=images)


def test_foreign_folder_is_canonical(small: Path) -> None:
    prepared = PreparedSet.open(small, {"flow": "uvs28"})
    assert len(prepared) == 6
    assert prepared.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert prepared.datasets.tolist() == ["casme2", "casme2", "samm", "samm", "smic-hs", "smic-vis"]
    # One person is one subject, whatever the spelling and whichever of SMIC's cameras.
    expected = ["casme2/001", "casme2/001", "samm/006", "samm/006", "smic/003", "smic/003"]
    assert prepared.subjects.tolist() == expected
    array = prepared.array("flow")
    assert isinstance(array, np.memmap)
    assert not array.flags.writeable
    assert prepared.array("flow", (112, 112, 3)).shape == (6, 112, 112, 3)
    assert prepared.array("flow", (14, 14, 3)).dtype == np.uint8
    assert prepared.names == ("uvs28",)
    assert prepared.has("flow")
    assert not prepared.has("motion")
    assert prepared.counts["samm"] == {"clips": 2, "subjects": 1, "negative": 0, "positive": 2, "surprise": 0}


def test_whole_cde_list_opens(tmp_path: Path) -> None:
    lines = [f"samm/{i % 28}/{i},samm,{i % 28},{i % 3}" for i in range(442)]
    folder = write_set(
        tmp_path, "key,dataset,subject,label", lines, uvs28=np.zeros((442, 28, 28, 3), np.uint8)
    )
    prepared = PreparedSet.open(folder, {"motion": "uvs28"})
    assert len(prepared) == 442
    assert len(set(prepared.subjects.tolist())) == 28


def test_hash_is_of_the_sample_list(small: Path, tmp_path: Path) -> None:
    prepared = PreparedSet.open(small)
    assert prepared.subset([3, 1, 0, 2, 5, 4]).hash == prepared.hash
    assert prepared.subset([0, 1]).hash != prepared.hash
    text = (small / "index.csv").read_text().replace("positive", "negative")
    (small / "index.csv").write_text(text)
    assert PreparedSet.open(small).hash != prepared.hash


def test_extra_columns_blank_lines_bom_semicolons(tmp_path: Path) -> None:
    tmp_path.joinpath("index.csv").write_text(
        "\ufeffKey; Dataset ;subject;LABEL;Session\n\nk1;samm;6;Positive;A\n;;;;\nk2;samm;7.0;2.0;B\n",
        encoding="utf-8",
    )
    prepared = PreparedSet.open(tmp_path)
    assert prepared.index["Session"].tolist() == ["A", "B"]
    assert prepared.subjects.tolist() == ["samm/006", "samm/007"]
    assert prepared.labels.tolist() == [1, 2]


def test_subset_of_subset_reads_the_right_rows(small: Path) -> None:
    prepared = PreparedSet.open(small)
    inner = prepared.subset([5, 4, 2]).subset(np.array([True, False, True]))
    assert inner.keys.tolist() == ["smic/s3/f", "samm/6/c"]
    assert (inner.array("uvs28") == prepared.array("uvs28")[[5, 2]]).all()
    with pytest.raises(ValueError, match="twice"):
        prepared.subset([1, 1])
    with pytest.raises(ValueError, match="rows must lie in 0"):
        prepared.subset([6])
    with pytest.raises(ValueError, match="mask"):
        prepared.subset(np.array([True]))


def test_copies_stay_with_their_clip(small: Path) -> None:
    rows = np.array([0, 0, 1, 2, 3, 4, 5, 5])
    copies = np.arange(8, dtype=np.uint8).repeat(12).reshape(8, 2, 2, 3)
    save_array(small / "copies" / "uvs28.npy", copies)
    save_array(small / "copies" / "uvs28.rows.npy", rows)
    prepared = PreparedSet.open(small, {"motion": "uvs28"})
    train = prepared.subset([5, 0, 3])
    found = train.copies("motion")
    assert found is not None
    assert found.array[:, 0, 0, 0].tolist() == [0, 1, 4, 6, 7]
    assert found.rows.tolist() == [1, 1, 2, 0, 0]
    nested = train.subset([1]).copies("motion")
    assert nested is not None
    assert nested.array[:, 0, 0, 0].tolist() == [0, 1]
    assert nested.rows.tolist() == [0, 0]
    assert prepared.copies("apex") is None
    save_array(small / "copies" / "uvs28.rows.npy", rows + 1)
    with pytest.raises(PreparedError, match=r"uvs28.rows.npy must hold 8 row numbers below 6"):
        prepared.copies("motion")


def test_deployable_rows_follow_the_keys(small: Path) -> None:
    assert PreparedSet.open(small).variant() is None
    lines = (small / "index.csv").read_text().splitlines()
    images = np.load(small / "uvs28.npy")
    write_set(small / "deployable", lines[0], lines[:0:-1], uvs28=images[::-1])
    prepared = PreparedSet.open(small)
    twin = prepared.subset([4, 1]).variant()
    assert twin is not None
    assert twin.keys.tolist() == ["smic/s3/e", "casme2/01/b"]
    assert (twin.array("uvs28") == images[[4, 1]]).all()
    write_set(small / "deployable", lines[0], lines[1:-1])
    with pytest.raises(PreparedError, match="lacks 1 clips, first smic/s3/f"):
        PreparedSet.open(small).variant()
    write_set(small / "deployable", lines[0], [line.replace("positive", "negative") for line in lines[1:]])
    with pytest.raises(PreparedError, match="other labels"):
        PreparedSet.open(small).variant()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("key,dataset,subject\nk,samm,6\n", "lacks the column label; it has key, dataset, subject"),
        (
            f"{HEADER}\nk,samm,6,angry\n",
            r"row 0 \(key k\): unknown label 'angry': allowed are negative",
        ),
        (f"{HEADER}\nk,samm,6,3\n", "unknown label '3'"),
        (f"{HEADER}\nk,samm,6,\n", "unknown label ''"),
        (f"{HEADER}\nk,samm,6,1\nj,samm,6,1\nk,samm,7,2\n", "key k stands in rows 0 and 2"),
        (f"{HEADER}\n,samm,6,1\n", "key is empty"),
        (f"{HEADER}\nk,samm,,1\n", "has no subject"),
        (f"{HEADER}\nk,,6,1\n", "dataset name '' is empty"),
        (f"{HEADER}\nk,samm,casme2/6,1\n", "names another database"),
        (f"{HEADER}\nk,samm,6\n", "3 values for 4 columns"),
        (f"{HEADER},label\nk,samm,6,1,1\n", "column label twice"),
        (f"{HEADER}\n", "no rows"),
        ("", "is empty"),
    ],
)
def test_bad_index_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "index.csv").write_text(text)
    with pytest.raises(PreparedError, match=message) as caught:
        PreparedSet.open(tmp_path)
    assert "\n" not in str(caught.value)
    assert "index.csv" in str(caught.value)


def test_missing_files_are_named(tmp_path: Path, small: Path) -> None:
    with pytest.raises(PreparedError, match="is not a folder"):
        PreparedSet.open(tmp_path / "nowhere")
    with pytest.raises(PreparedError, match=r"index.csv is missing"):
        PreparedSet.open(tmp_path)
    with pytest.raises(PreparedError, match=r"uvs29.npy is missing \(arrays there: uvs28\).*flow=ARRAY"):
        PreparedSet.open(small, {"flow": "uvs29"})
    (small / "index.csv").write_bytes(b"\x81\x8d")
    with pytest.raises(PreparedError, match="UTF-8"):
        PreparedSet.open(small)


def test_bad_arrays_are_refused(small: Path) -> None:
    np.save(small / "short.npy", np.zeros((5, 28, 28, 3), np.uint8))
    with pytest.raises(PreparedError, match=r"shape \(5, 28, 28, 3\) but .* has 6 rows"):
        PreparedSet.open(small, {"flow": "short"})
    spoiled = np.zeros((6, 64, 128), np.float32)
    spoiled[4, 3, 2] = np.nan
    np.save(small / "adm.npy", spoiled)
    with pytest.raises(PreparedError, match=r"row 4 \(key smic/s3/e\)"):
        PreparedSet.open(small).array("adm")
    np.save(small / "text.npy", np.array([["a"]] * 6))
    with pytest.raises(PreparedError, match="not numbers"):
        PreparedSet.open(small).array("text")
    (small / "half.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(PreparedError, match="not a readable NumPy array"):
        PreparedSet.open(small).array("half")
    with pytest.raises(PreparedError, match=r"rows of shape \(28, 28, 3\), the method wants \(224, 224\)"):
        PreparedSet.open(small).array("uvs28", (224, 224))
    (small / "prepare.json").write_text("{")
    with pytest.raises(PreparedError, match="is not JSON"):
        PreparedSet.open(small)


def test_resizing_keeps_float_values_and_area_when_shrinking(tmp_path: Path) -> None:
    array = np.arange(16, dtype=np.float32).reshape(1, 4, 4)
    write_set(tmp_path, HEADER, ["k,samm,6,1"], apex=array)
    shrunk = PreparedSet.open(tmp_path).array("apex", (2, 2, 1))
    assert shrunk.dtype == np.float32
    np.testing.assert_allclose(shrunk[0, :, :, 0], [[2.5, 4.5], [10.5, 12.5]])
    assert PreparedSet.open(tmp_path).array("apex", (4, 4, 1)).shape == (1, 4, 4, 1)


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("CASME II", "casme2"),
        ("CASME2", "casme2"),
        ("casme-ii", "casme2"),
        ("CAS(ME)^2", "casme-sq"),
        ("CAS(ME)2", "casme-sq"),
        ("SMIC", "smic-hs"),
        ("SMIC_NIR_E", "smic-nir"),
        ("SAMM Long Videos", "samm-lv"),
        ("CK+", "ck+"),
        ("My Faces (2)", "my-faces-2"),
    ],
)
def test_dataset_names(written: str, canonical: str) -> None:
    assert canonical_dataset(written) == canonical
    assert canonical_dataset(canonical) == canonical


def test_subjects_and_labels() -> None:
    for written in ("6", "006", "006.0", "sub06", "s6", "S006", "SAMM/006", "samm/6", 6, 6.0):
        assert canonical_subject("samm", written) == "samm/006"
    assert canonical_subject("samm-lv", "6") == canonical_subject("samm", "006")
    assert canonical_subject("jaffe", "KA") == "jaffe/ka"
    # In a set without a reader the letters may tell people apart.
    assert canonical_subject("mine", "s1") != canonical_subject("mine", "p1")
    assert [parse_label(v) for v in ("Negative", " positive ", "2", 1.0, 0)] == [0, 1, 2, 1, 0]
    assert parse_inputs(["flow=uvs28.npy", "motion = m"]) == {"flow": "uvs28", "motion": "m"}
    with pytest.raises(ValueError, match="NAME=ARRAY"):
        parse_inputs(["flow"])
