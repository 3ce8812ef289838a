"""The page's files: words in every language, nothing from elsewhere."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest

from mer_live.realtime.motion.picture import PictureState
from mer_live.realtime.motion.regions import REGIONS
from mer_live.realtime.types import CLASSES, STATES
from mer_live.realtime.web import page
from mer_live.realtime.web.page import LANGUAGES, Page, language

STATIC = Path(page.__file__).parent / "static"


def catalogue(name: str) -> dict[str, str]:
    def once(pairs: list[tuple[str, str]]) -> dict[str, str]:
        assert len({key for key, _ in pairs}) == len(pairs)
        return dict(pairs)

    words: dict[str, str] = json.loads((STATIC / f"{name}.json").read_text("utf-8"), object_pairs_hook=once)
    return words


def test_every_language_has_every_word_with_the_same_values_in_it() -> None:
    english = catalogue("en")
    for name in LANGUAGES:
        words = catalogue(name)
        assert set(words) == set(english)
        for key, text in words.items():
            assert text.strip(), key
            assert set(re.findall(r"{(\w+)}", text)) == set(re.findall(r"{(\w+)}", english[key])), key


def test_every_word_that_the_scripts_ask_for_is_there_and_none_is_left_over() -> None:
    words = set(catalogue("en"))
    scripts = "\n".join(file.read_text("utf-8") for file in STATIC.glob("*.js"))
    asked = set(re.findall(r'\bt\("([^"]+)"', scripts))
    literals = set(re.findall(r'"([\w.]+)"', scripts))
    families = set(re.findall(r"`(\w+)\.\$\{", scripts))
    html = set(re.findall(r"{([a-z][\w.]*)}", (STATIC / "index.html").read_text("utf-8")))
    assert asked | html <= words
    left = {key for key in words - literals - html if key.split(".")[0] not in families}
    assert left <= {"lang"}
    for name in CLASSES:
        assert f"class.{name}" in words
    for state in STATES.values():
        assert f"state.{state}" in words
    for state in set(get_args(PictureState)) - {"ok"}:
        assert f"weak.{state}" in words
    plural = dict(re.findall(r"(\w+): \"(\w+)\"", (STATIC / "moves.js").read_text("utf-8")))
    for region in REGIONS:
        match = re.fullmatch(r"(brow|.+?)(?:_inner|_outer)?(?:_(right|left))?", region)
        assert match is not None
        assert f"part.{match[1]}" in words
        if match[2]:
            assert f"part.{plural[match[1]]}" in words


@pytest.mark.parametrize(
    ("asked", "accepted", "best"),
    [
        (None, "", "en"),
        (None, "de-DE,de;q=0.9,en;q=0.8", "de"),
        (None, "fr,en;q=0.4,de;q=0.6", "de"),
        (None, "fr-CH, *;q=0.5", "en"),
        ("en", "de", "en"),
        ("xx", "de", "de"),
        (None, "de;q=nonsense,en;q=0.1", "en"),
        (None, "de" * 10_000, "de"),
    ],
)
def test_the_visitors_language(asked: str | None, accepted: str, best: str) -> None:
    assert language(asked, accepted) == best


def test_the_page_is_whole_in_every_language_and_needs_no_other_host() -> None:
    made = Page()
    for name in LANGUAGES:
        text = made.index[name].decode()
        assert f'<html lang="{name}">' in text
        assert "style=" not in text
        assert "onclick" not in text
        assert not re.search(r"{[a-z]", text)
    assert "Not a lie detector" in made.index["en"].decode()
    assert "Kein Lügendetektor" in made.index["de"].decode()
    for file in STATIC.iterdir():
        hosts = set(re.findall(r"(?:https?:)?//([\w.-]+\.\w+)", file.read_text("utf-8")))
        assert hosts <= {"www.w3.org"}, file
