from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from support import trees

from mer_live.engines.csv_file import CsvError, Row, read_columns, read_rows
from mer_live.training.datasets import read_dataset
from mer_live.training.datasets.databases.megc2019 import read_list
from mer_live.training.datasets.sample import DatasetError
from mer_live.training.prepared.index import read_index

ROWS = [("path", "subject", "label"), ("007", "Jürgen", "surprise")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_spreadsheet_program_is_read(tmp_path: Path, encoding: str, separator: str, end: str) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes((end.join(separator.join(row) for row in ROWS) + end).encode(encoding))
    assert read_rows(file) == [Row(1, ROWS[0]), Row(2, ROWS[1])]


def test_numbers_kept_as_text_quotes_blank_lines_and_a_named_separator(tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text('sep=;\n\n"a";b\n="007";\'012\n;\n" x;y ";\xa05\n', encoding="utf-8")
    assert read_rows(file) == [Row(3, ("a", "b")), Row(4, ("007", "012")), Row(6, ("x;y", "5"))]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\x81\x8d", "is no text: save it as CSV in UTF-8"),
        (b"PK\x03\x04\x14\x00", "is a workbook of a spreadsheet program: save it as CSV in UTF-8"),
        (b'path,subject,label\n"a,b\n', "line 2 is not cells"),
        (b"path,label\na,1\n", "line 1 has no column subject, only path, label"),
        (b"", "has no column path, subject, label, only nothing"),
        (b"path,subject,label,Label\n", "line 1 has the column label twice"),
        (b"path,subject,label\na,b,c,d\n", "line 2 has 4 cells for 3 columns"),
    ],
)
def test_what_cannot_be_read_says_where(tmp_path: Path, content: bytes, says: str) -> None:
    file = tmp_path / "list.csv"
    file.write_bytes(content)
    with pytest.raises(CsvError, match=re.escape(says)) as caught:
        read_columns(file, ("path", "subject", "label"))
    assert str(file) in str(caught.value)
    with pytest.raises(DatasetError, match=re.escape(says)):
        read_dataset("lab", file)


def test_a_subject_of_another_database_is_left_out_with_its_line(tmp_path: Path) -> None:
    trees.write_frames(tmp_path / "007", range(1, 4))
    file = tmp_path / "list.csv"
    file.write_text(
        "path;subject;label;fps\n007;7;surprise;199,8\n007;casme2/7;surprise;200\n;7;surprise;200\n"
    )
    reading = read_dataset("lab", file)
    assert [(s.key, s.fps) for s in reading.samples] == [("lab/007/007", 199.8)]
    assert "line 3" in reading.skipped[0].name
    assert "names another database" in reading.skipped[0].reason
    assert (reading.skipped[1].name, reading.skipped[1].reason) == (
        "list.csv line 4",
        "has no path or no subject",
    )


def test_the_same_reader_serves_the_list_and_the_index(tmp_path: Path) -> None:
    listing = tmp_path / "list.csv"
    listing.write_bytes("SMIC,Jürgen,s3_ne_01,0\n".encode("cp1252"))
    assert read_list(listing)[0].subject == "smic/jürgen"
    listing.write_text("SMIC,3\n")
    with pytest.raises(DatasetError, match="line 1 is not dataset, subject, clip, label"):
        read_list(listing)
    (tmp_path / "index.csv").write_bytes("key;dataset;subject;label\na/1/b;a;Jörg;1\n".encode("utf-16"))
    assert read_index(tmp_path)["subject"].tolist() == ["a/jörg"]


def test_a_list_names_folders_as_other_systems_write_them(tmp_path: Path) -> None:
    trees.write_frames(tmp_path / unicodedata.normalize("NFD", "Jürgen"), range(1, 4))
    trees.write_frames(tmp_path / "p1" / "clip", range(1, 4))
    file = tmp_path / "list.csv"
    file.write_text("path,subject,label\nJürgen,a,surprise\np1\\clip,b,surprise\n", encoding="utf-8")
    assert len(read_dataset("lab", file, fps=200).samples) == 2
    file.write_text("path,subject,label\np1/clip,b,surprise\n")
    with pytest.raises(
        DatasetError, match="the frame rate is unknown: give it as --fps 200, or in a column fps"
    ):
        read_dataset("lab", file)
    file.write_text("path,subject,label\n")
    with pytest.raises(DatasetError, match=r"list\.csv has no rows below its header"):
        read_dataset("lab", file)


@pytest.mark.parametrize("name", ["lab", "casme2", "ck+", "mmi", "jaffe"])
def test_a_file_is_no_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(DatasetError, match=r"a\.txt is a file, no folder"):
        read_dataset(name, tmp_path / "a.txt")
    with pytest.raises(DatasetError, match="b does not exist"):
        read_dataset(name, tmp_path / "b")
