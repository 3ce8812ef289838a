"""The site: every link leads somewhere, names in the architecture exist, no other host is asked for anything."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[2]
OUTSIDE = re.compile(r"(?:https?:)?//")


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return script("build").stage(tmp_path_factory.mktemp("site") / "out" / "docs")


class Links(HTMLParser):
    """What a page links to, and what a browser loads by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in told:
            self.links.append(told["href"])
        if tag in ("img", "script", "iframe", "source") and "src" in told:
            self.loaded.append(told["src"])
        if tag == "link" and told.get("rel", "") in ("stylesheet", "icon", "preload", "preconnect"):
            self.loaded.append(told["href"])


def test_names_of_the_architecture_are_found_at_their_lines(pages: Path) -> None:
    text = (pages / "architecture.md").read_text()
    links = re.findall(r"\[`([\w.]+)`\]\(source/([\w-]+)\.py\.md#__codelineno-0-(\d+)\)", text)
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


def test_cards_of_all_bundles_are_shown(pages: Path) -> None:
    text = (pages / "models.md").read_text()
    for card in (ROOT / "engines" / "zoo").glob("*/card.json"):
        told = json.loads(card.read_text())
        assert f"## {told['name']}" in text
        assert told["validation"] in text
        assert f"{told['scores']['own']['final']['uf1']:.3f}" in text


@pytest.fixture(scope="module")
def site(pages: Path) -> Path:
    pytest.importorskip("zensical", reason="the site needs: pip install zensical")
    folder = pages.parents[1]
    shutil.copy(ROOT / "zensical.toml", folder)
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build"], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout + done.stderr
    return folder / "out" / "site"


def test_the_site_has_no_dead_link_and_asks_no_other_host(site: Path) -> None:
    files = list(site.rglob("*.html"))
    assert len(files) > 20
    for file in files:
        parser = Links()
        parser.feed(file.read_text())
        for target in parser.loaded:
            assert not OUTSIDE.match(target), f"{file} loads {target}"
        for target in [*parser.loaded, *parser.links]:
            path = unquote(target.partition("#")[0].partition("?")[0])
            if not path or re.match(r"[a-z]+:|//", path) or file.name == "404.html":
                continue
            base = site if path.startswith("/") else file.parent
            assert (base / path.lstrip("/")).exists(), f"{file} links to {target}"
    for sheet in site.rglob("*.css"):
        assert not re.search(r"@import|url\(['\"]?(?:https?:)?//", sheet.read_text()), sheet


def test_the_moving_picture_is_small() -> None:
    assert 100_000 < (ROOT / "docs" / "demo.gif").stat().st_size < 2_000_000


def test_no_package_of_the_base_install_is_copyleft() -> None:
    module = script("sbom")
    packages = module.installed()
    assert {"numpy", "mediapipe", "aiortc"} <= {p.name.lower() for p in packages}
    assert [p.name for p in packages if module.COPYLEFT.search(module.licence_of(p))] == []
    parts = module.sbom(packages)["components"]
    assert all(part["licenses"][0]["license"]["name"] for part in parts)
