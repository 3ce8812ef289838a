from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mer_live.realtime.cli.options import Options, source_name

GOOD: dict[str, Any] = {
    "camera": (),
    "video": ("clip.mp4",),
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
        ({"video": ()}, "Give one of"),
        ({"camera": ("0",)}, "Give one of"),
        ({"demo": True}, "Give one of"),
        ({"backend": "cuda"}, "--backend is one of"),
        ({"pace": "fast"}, "--pace is max or realtime"),
        ({"size": "640x480"}, "requests to a camera"),
        ({"video": (), "camera": ("0",), "pace": "max"}, "its own pace"),
        ({"video": (), "camera": ("0",), "size": "640"}, "WIDTHxHEIGHT"),
        ({"video": (), "camera": ("0",), "fourcc": "MJPEG"}, "four characters"),
        ({"view": True}, "what happens now"),
        ({"exposure": "8"}, "requests to a camera"),
        ({"video": (), "camera": ("0",), "exposure": "short"}, "auto or milliseconds"),
        ({"video": (), "camera": ("0",), "exposure": "0"}, "above 0"),
        ({"video": (), "camera": ("0",), "focus": "near"}, "auto or a number"),
        ({"duration_s": 0.0}, "above 0"),
        ({"sensitivity": 2.0}, "between 0 and 1"),
        ({"faces": 5}, "1 to 4"),
        ({"faces": 2, "record": Path("monday")}, "one face"),
        ({"events": ("e.txt",)}, r"\.jsonl or \.csv"),
        ({"events": ("-", "-")}, "given twice"),
        ({"report": Path("nowhere/r.json")}, "does not exist"),
        ({"video": ("a.mp4", "a.mp4")}, "given twice"),
        ({"video": ("a.mp4", "b.mp4"), "record": Path("new")}, "take one source"),
        ({"device": "gpu"}, "--device is auto, cpu"),
        ({"device": "cpu", "backend": "tensorrt"}, "--device cuda"),
        ({"precision": "int8"}, "--precision is fp32 or fp16"),
    ],
)
def test_a_wrong_option_is_one_sentence(change: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says) as caught:
        Options.checked(**{**GOOD, **change})
    assert "\n" not in str(caught.value)


def test_a_camera_is_a_number_or_a_device() -> None:
    by_number = Options.checked(**{**GOOD, "video": (), "camera": ("2",), "size": "640x480", "fps": 120.0})
    assert by_number.source.source == 2
    assert by_number.source.size == (640, 480)
    by_path = Options.checked(**{**GOOD, "video": (), "camera": ("/dev/video0",)})
    assert by_path.source.source == "/dev/video0"


def test_several_sources_have_names() -> None:
    several = Options.checked(**{**GOOD, "video": (), "camera": ("0", "/dev/video2")})
    assert [source_name(one) for one in several.sources] == ["camera 0", "/dev/video2"]
