from __future__ import annotations

import random
import re
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mer_live.realtime.sources.sequence import SequenceError, frame_steps, order_pictures

TWELVE = range(12)
PLAIN = [f"img{k + 95}.png" for k in TWELVE]


def clock(k: int) -> str:
    return f"RGB-11-26-{57 + (970 + 5 * k) // 1000}-{(970 + 5 * k) % 1000}.png"


@pytest.mark.parametrize(
    ("names", "first", "extra"),
    [
        (PLAIN, 95, []),
        ([f"img{k + 95:05}.png" for k in TWELVE], 95, []),
        ([f"{k + 95}_cam2.png" for k in TWELVE], 95, []),
        ([f"s01_t2_{k + 1}.JPG" for k in TWELVE], 1, []),
        ([f"{k}_{k * 0.35:.3f}.png" for k in TWELVE], 0, []),
        ([f"{1637841234567 + 33 * k}_{k:03}.png" for k in TWELVE], 0, []),
        ([clock(k) for k in TWELVE], 0, []),
        (PLAIN, 95, ["cover.png"]),
        (PLAIN, 95, ["img100 (1).png"]),
        (PLAIN, 95, [name.replace("png", "jpg") for name in PLAIN]),
    ],
)
def test_the_order_and_the_number_are_told_by_all_names(
    names: list[str], first: int, extra: list[str]
) -> None:
    shuffled = random.Random(7).sample(names + extra, len(names) + len(extra))
    found = order_pictures([*shuffled, "._img95.png", "notes.txt"])
    assert found.names == tuple(names)
    assert found.numbers == tuple(range(first, first + 12))
    assert found.left_out == tuple(sorted(extra))
    assert all(name in found.words for name in sorted(extra)[:3])


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([f"cam{c}_{k}.png" for c in (1, 2) for k in TWELVE], "cam1_0.png and cam1_1.png"),
        ([f"{k}_cam{c}.png" for c in (1, 2) for k in TWELVE], "0_cam1.png and 0_cam2.png"),
        ([f"{side}_{k}.png" for side in ("left", "right") for k in TWELVE], "like left_0.png (12) or"),
        (["a.png", "b.png"], "like a.png (1) or those like b.png (1)"),
        (["img1.png", "img01.png", "img2.png"], "the number of img01.png"),
    ],
)
def test_a_guess_that_is_not_clear_stops_with_the_question(names: list[str], says: str) -> None:
    with pytest.raises(SequenceError, match=re.escape(says)):
        order_pictures(names)


def test_missing_numbers_are_frame_steps_and_a_clock_that_jitters_is_none() -> None:
    assert frame_steps([3, 4, 7, 8]) == [0, 1, 4, 5]
    assert frame_steps([0, 5, 10, 20]) == [0, 1, 2, 4]
    assert frame_steps([17581039, 17581050, 17581060, 17581069]) == [0, 1, 2, 3]
    assert frame_steps([]) == []


@given(
    st.lists(
        st.text("ab_-. 0123456789", max_size=12).map(lambda stem: stem + ".png"), max_size=12, unique=True
    )
)
def test_any_names_give_rising_numbers_or_a_question(names: list[str]) -> None:
    try:
        found = order_pictures(names)
    except SequenceError:
        return
    assert all(a < b for a, b in pairwise(found.numbers))
    assert sorted(found.names + found.left_out) == sorted(n for n in names if not n.startswith("."))
