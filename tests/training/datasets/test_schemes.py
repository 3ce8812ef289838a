"""Classes other than the usual three, by the annotators' words."""

from __future__ import annotations

from pathlib import Path

import pytest
from support import trees

from mer_live.realtime.types import CLASSES
from mer_live.training.datasets import read_dataset
from mer_live.training.datasets.sample import Reading
from mer_live.training.datasets.schemes import check_classes, classes_named, relabelled


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    return read_dataset("casme2", trees.casme2(tmp_path), scheme="all")


def test_a_number_means_what_the_papers_on_a_database_mean() -> None:
    assert classes_named("5", ["casme2"]) == ("disgust", "happiness", "other", "repression", "surprise")
    assert classes_named("5", ["samm"]) == ("anger", "contempt", "happiness", "other", "surprise")
    assert classes_named("4", ["casme3", "samm"]) == (*CLASSES, "other")
    assert len(classes_named("7", ["dfme"])) == len(classes_named("7", ["casme3"])) == 7
    assert classes_named("3", ["anything"]) == CLASSES
    assert classes_named("Happy, Others", ["mine"]) == ("happiness", "other")


@pytest.mark.parametrize(
    ("text", "datasets", "words"),
    [
        ("5", ["casme2", "samm"], "means other words in casme2 and in samm"),
        ("5", ["dfme"], "says nothing for dfme"),
        ("6", ["casme2"], "says nothing for casme2"),
        ("happy,happiness", ["a"], "two or more different names"),
        ("joy", ["a"], "two or more different names"),
        ("joy,a/b", ["a"], "lower-case letters"),
    ],
)
def test_what_means_nothing_is_refused(text: str, datasets: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        classes_named(text, datasets)


def test_names_are_a_list() -> None:
    with pytest.raises(ValueError, match="a list of names"):
        check_classes("happiness")
    with pytest.raises(ValueError, match="a list of names"):
        check_classes([1, 2])


def test_each_clip_gets_the_class_called_as_its_emotion(reading: Reading) -> None:
    five = relabelled(reading, classes_named("5", ["casme2"]))
    assert five.classes == ("disgust", "happiness", "other", "repression", "surprise")
    said = {s.key.rsplit("/", 1)[1]: None if s.label is None else five.classes[s.label] for s in five.samples}
    assert said["EP02_01f"] == "happiness"
    assert said["EP03_02"] == "other"
    assert said["EP03_01"] == "repression"
    assert said["EP12_01f"] == "disgust"  # the composite leaves it out, nobody else
    assert said["EP05_03"] is None  # sadness


def test_the_usual_class_takes_what_has_no_class_of_its_own(reading: Reading) -> None:
    names = ("negative", "repression", "other")
    split = relabelled(reading, names)
    said = {s.emotion: None if s.label is None else names[s.label] for s in split.samples}
    assert said == {
        **{"happiness": None, "other": "other", "disgust": "negative"},
        **{"repression": "repression", "surprise": None, "sadness": "negative"},
    }


def test_a_class_without_a_clip_is_noted_with_the_words_that_are_there(reading: Reading) -> None:
    found = relabelled(reading, ("happiness", "contempt"))
    assert found.notes[:-1] == reading.notes
    assert found.notes[-1].startswith(
        "contempt: no clip is of this class; the annotators' words are disgust, happiness"
    )
    assert {sample.label for sample in found.samples} == {0, None}
