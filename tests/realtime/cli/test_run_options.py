from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mer_live.realtime.cli.options import Options

GOOD: dict[str, Any] = {
    "camera": None,
    "video": "clip.mp4",
    "demo": False,
    "fps": None,
    "size": None,
    "fourcc": None,
    "pace": None,
    "bundles": ("madtn",),
    "backend": "auto",
    "sensitivity": 0.5,
    "decide": "provisional",
    "faces": 1,
    "events": (),
    "report": None,
    "ui": False,
    "duration_s": None,
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"video": None}, "exactly one of"),
        ({"camera": "0"}, "exactly one of"),
        ({"demo": True}, "exactly one of"),
        ({"backend": "cuda"}, "--backend is one of"),
        ({"pace": "fast"}, "--pace is max or realtime"),
        ({"size": "640x480"}, "requests to a camera"),
        ({"video": None, "camera": "0", "pace": "max"}, "its own pace"),
        ({"video": None, "camera": "0", "size": "640"}, "WIDTHxHEIGHT"),
        ({"video": None, "camera": "0", "fourcc": "MJPEG"}, "four characters"),
        ({"view": True}, "what happens now"),
        ({"exposure": "8"}, "requests to a camera"),
        ({"video": None, "camera": "0", "exposure": "short"}, "auto or milliseconds"),
        ({"video": None, "camera": "0", "exposure": "0"}, "above 0"),
        ({"video": None, "camera": "0", "focus": "near"}, "auto or a number"),
        ({"duration_s": 0.0}, "above 0"),
        ({"sensitivity": 2.0}, "between 0 and 1"),
        ({"faces": 5}, "1 to 4"),
        ({"faces": 2, "record": Path("monday")}, "one face"),
        ({"events": ("e.txt",)}, r"\.jsonl or \.csv"),
        ({"events": ("-", "-")}, "given twice"),
        ({"report": Path("nowhere/r.json")}, "does not exist"),
    ],
)
def test_a_wrong_option_is_one_sentence(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        Options.checked(**{**GOOD, **change})
    assert "\n" not in str(caught.value)


def test_a_camera_is_a_number_or_a_device() -> None:
    by_number = Options.checked(**{**GOOD, "video": None, "camera": "2", "size": "640x480", "fps": 120.0})
    assert by_number.source.source == 2
    assert by_number.source.size == (640, 480)
    by_path = Options.checked(**{**GOOD, "video": None, "camera": "/dev/video0"})
    assert by_path.source.source == "/dev/video0"
