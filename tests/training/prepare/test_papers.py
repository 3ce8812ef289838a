"""The papers' recipes: real options, and what a set lacks of one is named."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from mer_live.engines.representation.flow import make_flow
from mer_live.engines.representation.specs import FlowConfig
from mer_live.training.cli.main import app
from mer_live.training.methods import make_method
from mer_live.training.prepare.config import PrepareConfig, parse_representations
from mer_live.training.prepare.papers import RECIPES


@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_is_made_of_settings_and_arrays_that_exist(name: str) -> None:
    recipe = RECIPES[name]
    wanted = {"flow": "flow3"}
    names = {wanted.get(n, n) for n in make_method(name, recipe.settings).wants()}
    assert names == {array for array, _ in recipe.config.representations}
    assert recipe.deviations
    assert recipe.differences(recipe.config.to_json()) == []


def test_what_a_set_of_our_own_lacks_is_named() -> None:
    ours = PrepareConfig(parse_representations("motion,apex,flow3"), copies=0.1).to_json()
    assert RECIPES["madtn"].differences(ours) == [
        "copies 0.1, not 0.2",
        "motion by dis, not farneback",
        "motion.middle apex, not centre",
    ]
    assert RECIPES["ststnet"].differences(ours) == ["flow3 by dis, not tvl1"]
    assert RECIPES["sa-at"].differences(ours) == ["apex annotated, not search"]
    assert RECIPES["mtm"].differences(ours) == ["no array frames"]
    assert RECIPES["mtm"].differences({}) == ["how the set was prepared is not known"]


def test_a_set_with_annotated_apexes_says_nothing_new() -> None:
    """Sets that were prepared before the option came keep their fingerprints."""
    assert "apex" not in PrepareConfig(parse_representations("apex")).to_json()
    assert PrepareConfig(parse_representations("apex"), apex="search").to_json()["apex"] == "search"


def test_tvl1_finds_a_shift() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (48, 48), np.uint8)
    face = np.asarray(cv2.GaussianBlur(noise, (0, 0), 2), np.uint8)
    flow = make_flow(FlowConfig(method="tvl1"))
    found = flow(face, np.roll(face, 1, axis=1))[12:36, 12:36]
    np.testing.assert_allclose(found.mean(axis=(0, 1)), [1.0, 0.0], atol=0.1)
    again = flow(face, face)  # the buffer's last content is no initial guess
    assert np.abs(again).max() < 0.05


def test_the_command_says_what_is_not_as_published(faces: Path, tmp_path: Path) -> None:
    clip = tmp_path / "set" / "surprise" / "a" / "1"
    clip.mkdir(parents=True)
    picture = cv2.imread(str(faces / "001_neutral.jpg"))
    assert picture is not None
    for number in range(1, 4):
        cv2.imwrite(
            str(clip / f"{number}.png"), cv2.resize(picture, (240, 240), interpolation=cv2.INTER_AREA)
        )
    common = ["prepare", "--dataset", "mine", "--root", str(tmp_path / "set"), "--fps", "100", "--jobs", "1"]
    common += ["--out", str(tmp_path / "out"), "--as-published"]
    done = CliRunner().invoke(app, [*common, "sa-at"])
    assert done.exit_code == 0, done.output
    assert "not as published: the apex search looks at regions of the mean face" in done.output
    made = json.loads((tmp_path / "out" / "prepare.json").read_text())
    assert made["apex"] == "search"
    assert made["found"] == {"search": 1}
    assert RECIPES["sa-at"].differences(made) == []
    for more, why in (
        (["tkl"], "choose madtn, atnet, sa-at, mtm, ststnet"),
        (["mtm", "--representations", "apex"], "leave --representations and --variant away"),
    ):
        failed = CliRunner().invoke(app, [*common, *more])
        assert failed.exit_code == 2
        assert why in failed.output
