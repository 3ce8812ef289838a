from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mer_live.realtime.cli.config_file import read_config, show_config
from mer_live.realtime.cli.main import app

KNOWN = ("fps", "record_codec", "events", "no_ui", "video")


def test_what_is_shown_is_read_again(tmp_path: Path) -> None:
    options = {
        "fps": 120.0,
        "record_codec": None,
        "events": ['a "b".jsonl'],
        "no_ui": True,
        "video": Path("ä.mp4"),
    }
    path = tmp_path / "c.toml"
    path.write_text(show_config(options), encoding="utf-8")
    assert read_config(path, KNOWN) == {
        "fps": 120.0,
        "events": ['a "b".jsonl'],
        "no_ui": True,
        "video": "ä.mp4",
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [("record-codek = 1", "mean record-codec"), ("zzz = 1", "lists all"), ("fps = ", "cannot be read")],
)
def test_an_unknown_key_names_the_nearest(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=says) as caught:
        read_config(path, KNOWN)
    assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="cannot be read"):
        read_config(tmp_path / "none.toml", KNOWN)


def test_the_command_takes_options_from_a_file_and_its_own_count_more(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text('fps = 120\nevents = ["e.jsonl"]\nsensitivity = 0.7\nno-ui = true\n')
    shown = CliRunner().invoke(app, ["--config", str(path), "--sensitivity", "0.2", "--show-config"])
    assert shown.exit_code == 0, shown.output
    found = tomllib.loads(shown.output)
    assert (found["fps"], found["sensitivity"], found["events"], found["no-ui"]) == (
        120.0,
        0.2,
        ["e.jsonl"],
        True,
    )
    path.write_text("sensitivty = 0.7\n")
    wrong = CliRunner().invoke(app, ["--config", str(path)])
    assert wrong.exit_code == 2
    assert "did you mean sensitivity?" in wrong.output
