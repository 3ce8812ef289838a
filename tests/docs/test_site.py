"""The site: every link leads somewhere, names in the architecture exist, no other host is asked for anything."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from support.site import ROOT, script

OUTSIDE = re.compile(r"(?:https?:)?//")


class Links(HTMLParser):
    """What a page links to, what a browser loads by itself, and the places that may be linked to."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.places: set[str] = set()
        self.feed(file.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.places |= {told[name] for name in ("id", "name") if name in told}
        if tag == "a" and "href" in told:
            self.links.append(told["href"])
        if tag in ("img", "script", "iframe", "source") and "src" in told:
            self.loaded.append(told["src"])
        if tag == "link" and told.get("rel", "") in ("stylesheet", "icon", "preload", "preconnect"):
            self.loaded.append(told["href"])


def test_names_of_the_architecture_are_found_at_their_lines(pages: Path) -> None:
    text = (pages / "architecture.md").read_text()
    links = re.findall(r"\[`([\w.]+)`\]\(source/([\w-]+)\.py\.md#line-0-(\d+)\)", text)
    assert len(links) > 15
    for name, page, line in links:
        file = ROOT / (page.replace("-", "/") + ".py")
        assert re.search(rf"\b{name.rpartition('.')[2]}\b", file.read_text().splitlines()[int(line) - 1]), (
            name
        )


def test_a_name_that_is_gone_is_told() -> None:
    with pytest.raises(LookupError, match=r"no FacePath\.leap: docs/architecture\.md must follow"):
        script("build").line_of(ROOT / "realtime" / "path.py", "FacePath.leap")


def test_the_api_page_tells_of_every_name(pages: Path) -> None:
    text = (pages / "api.md").read_text()
    for name in ("watch", "Session", "FacePath", "Recognizer", "Event"):
        section = text.split(f"\n## {name}\n")[1].split("\n## ")[0]
        assert len(section) > 80, name


def test_cards_of_all_bundles_are_shown_with_their_failures(pages: Path) -> None:
    text = (pages / "models.md").read_text()
    assert "### Known failures of spotter" in text
    for card in (ROOT / "engines" / "zoo").glob("*/card.json"):
        told = json.loads(card.read_text())
        assert f"## {told['name']}" in text
        assert told["validation"] in text
        assert f"{told['scores']['own']['final']['uf1']:.3f}" in text
        assert f"### Known failures of {told['name']}" in text
        assert (pages / "failures" / f"{told['name']}.jpg").stat().st_size > 20_000


def test_failures_of_an_earlier_build_are_called_so() -> None:
    told = {"sha256": "a", "clips": 3, "wrong": {"negative, said surprise": 2}}
    cards = script("cards")
    now = cards.failures_section({"name": "x", "sha256": "a"}, told)
    assert "2 of 3 final decisions are wrong: 2 of negative, said surprise." in now
    assert "earlier build" in cards.failures_section({"name": "x", "sha256": "b"}, told)
    assert "not drawn yet" in cards.failures_section({"name": "x", "sha256": "b"}, None)


def test_the_site_has_no_dead_link_and_asks_no_other_host(site: Path) -> None:
    pages = {file: Links(file) for file in site.rglob("*.html")}
    assert len(pages) > 20
    for file, page in pages.items():
        for target in page.loaded:
            assert not OUTSIDE.match(target), f"{file} loads {target}"
        for target in [*page.loaded, *page.links]:
            if re.match(r"[a-z]+:|//", target) or file.name == "404.html":
                continue
            path, _, place = unquote(target).partition("#")
            path = path.partition("?")[0]
            base = site if path.startswith("/") else file.parent
            found = (base / path.lstrip("/")).resolve() if path else file
            assert found.exists(), f"{file} links to {target}"
            if found.is_dir():
                found /= "index.html"
            if place and found in pages:
                assert place in pages[found].places, f"{file} links to {target}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"@import|url\(['\"]?(?:https?:)?//", sheet.read_text()), sheet


def test_the_moving_picture_is_small() -> None:
    assert 100_000 < (ROOT / "docs" / "demo.gif").stat().st_size < 2_000_000


def test_no_package_of_the_base_install_is_copyleft_and_what_its_wheels_carry_is_told() -> None:
    module = script("sbom")
    packages = module.installed()
    assert {"numpy", "mediapipe", "aiortc"} <= {p.name.lower() for p in packages}
    assert [p.name for p in packages if module.COPYLEFT.search(module.licence_of(p))] == []
    parts = module.sbom(packages)["components"]
    assert all(part["licenses"][0]["license"]["name"] for part in parts)
    inside = {part["name"]: {inner["name"] for inner in part.get("components", ())} for part in parts}
    assert "avcodec" in inside["av"], "what a wheel carries is listed too"
    strong = {name for names in inside.values() for name in names if name in ("x264", "x265")}
    assert strong <= inside["av"], "CONTRIBUTING.md says which wheel carries GPL libraries"
