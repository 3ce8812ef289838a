"""What the muscles of a face do, as patches of skin that move together.

The smile (AU6, 12), the brow raise (AU1, 2) and the brow lowering (AU4) have the shape of mean onset-to-apex
flow of real clips (SMIC-HS, CASME II, SAMM); the others follow the descriptions of FACS.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bump:
    """A patch of skin that moves together."""

    anchors: tuple[int, ...]
    """Mesh landmarks of the subject's right half whose mean is the centre; the left half mirrors them."""
    lateral: float
    """Displacement away from the face's midline, relative to the strongest patch."""
    down: float
    """Displacement toward the chin."""
    sigma_x: float
    sigma_y: float
    """Extent, in distances between the eyes."""


@dataclass(frozen=True, slots=True)
class ActionUnit:
    """What one facial muscle does at unit strength."""

    bumps: tuple[Bump, ...] = ()
    upper_lid: float = 0.0
    """Downward travel of the upper lid's edge; negative opens the eye."""
    lower_lid: float = 0.0
    """Downward travel of the lower lid's edge; negative closes the eye."""
    jaw: float = 0.0
    """Opening of the mouth with the jaw."""
    lips: float = 0.0
    """Opening of the mouth by the lips alone."""


ACTION_UNITS: dict[int, ActionUnit] = {
    1: ActionUnit(
        (Bump((107, 66, 55), 0.05, -0.9, 0.2, 0.22), Bump((69,), 0.05, -0.35, 0.24, 0.26)),
        upper_lid=-0.12,
    ),
    2: ActionUnit(
        (Bump((70, 63, 105), 0.12, -1.0, 0.30, 0.24), Bump((104, 68, 103), 0.05, -0.7, 0.32, 0.28)),
        upper_lid=-0.12,
    ),
    4: ActionUnit(
        (
            Bump((107, 66, 55), -0.45, 0.5, 0.2, 0.2),
            Bump((105, 52, 63), -0.45, 0.85, 0.3, 0.2),
            Bump((70, 63, 53), -0.3, 0.5, 0.22, 0.2),
        ),
        upper_lid=0.12,
    ),
    5: ActionUnit((Bump((159, 158, 27), 0.0, -0.22, 0.26, 0.14),), upper_lid=-1.0),
    6: ActionUnit(
        (
            Bump((117, 118, 50), 0.5, -0.25, 0.3, 0.2),
            Bump((226, 31, 35), 0.15, 0.15, 0.18, 0.18),
        ),
        lower_lid=-0.45,
        upper_lid=0.1,
    ),
    7: ActionUnit(
        (Bump((145, 23, 230), -0.15, -0.45, 0.26, 0.1), Bump((159, 27), 0.0, 0.2, 0.26, 0.1)),
        lower_lid=-1.0,
        upper_lid=0.55,
    ),
    9: ActionUnit(
        (
            Bump((129, 49, 131), -0.05, -1.0, 0.18, 0.22),
            Bump((37, 39, 165), 0.02, -0.65, 0.24, 0.16),
            Bump((126, 100, 101), -0.1, -0.55, 0.24, 0.22),
            Bump((107, 55, 9), -0.2, 0.45, 0.2, 0.2),
        ),
        lower_lid=-0.2,
    ),
    10: ActionUnit(
        (Bump((37, 39, 40, 165), 0.05, -1.0, 0.26, 0.17), Bump((203, 206), 0.1, -0.6, 0.2, 0.24)),
    ),
    12: ActionUnit(
        (
            Bump((61, 57, 186), 0.35, -0.75, 0.18, 0.17),
            Bump((206, 205), 0.3, -0.9, 0.2, 0.17),
            Bump((50, 123), 0.95, -0.05, 0.3, 0.2),
        )
    ),
    14: ActionUnit(
        (
            Bump((61, 57), 0.5, -0.15, 0.14, 0.14),
            Bump((205, 206), -0.7, 0.1, 0.2, 0.2),
            Bump((202, 212), -0.1, -0.6, 0.2, 0.18),
        )
    ),
    15: ActionUnit(
        (
            Bump((61, 57, 43), 0.1, 1.0, 0.22, 0.2),
            Bump((202, 212, 210), 0.0, 0.6, 0.24, 0.24),
            Bump((91, 181), 0.0, 0.3, 0.16, 0.12),
        )
    ),
    17: ActionUnit(
        (Bump((199, 208, 171), 0.0, -0.9, 0.24, 0.2), Bump((17, 84, 181), 0.0, -0.7, 0.24, 0.12)),
    ),
    20: ActionUnit(
        (Bump((61, 57), 1.0, 0.12, 0.26, 0.22), Bump((205, 202), 0.4, 0.05, 0.3, 0.26)),
    ),
    23: ActionUnit(
        (
            Bump((61, 57), -0.8, 0.0, 0.18, 0.14),
            Bump((37, 39), -0.1, 0.5, 0.18, 0.09),
            Bump((84, 181), -0.1, -0.5, 0.18, 0.09),
        )
    ),
    24: ActionUnit(
        (
            Bump((37, 39), 0.0, 0.9, 0.22, 0.11),
            Bump((84, 181), 0.0, -0.9, 0.22, 0.11),
            Bump((61, 57), 0.35, 0.1, 0.16, 0.14),
        )
    ),
    25: ActionUnit(lips=1.0),
    26: ActionUnit(jaw=1.0),
    43: ActionUnit(upper_lid=1.0),
}
"""FACS numbers; 43 is an eye closure."""

MIRROR = {
    107: 336, 66: 296, 55: 285, 108: 337, 69: 299, 70: 300, 63: 293, 105: 334, 104: 333, 68: 298, 103: 332,
    52: 282, 9: 9, 8: 8, 159: 386, 158: 385, 27: 257, 117: 346, 118: 347, 50: 280, 226: 446, 31: 261,
    35: 265, 145: 374, 23: 253, 230: 450, 129: 358, 49: 279, 131: 360, 37: 267, 39: 269, 165: 391,
    126: 355, 100: 329, 101: 330, 40: 270, 203: 423, 206: 426, 123: 352, 53: 283, 61: 291, 57: 287, 186: 410, 205: 425,
    181: 405, 43: 273, 202: 422, 212: 432, 210: 430, 91: 321, 199: 199, 208: 428, 171: 396, 17: 17,
    84: 314,
}  # fmt: skip
"""Landmark of the subject's right half -> its partner in the left half."""
