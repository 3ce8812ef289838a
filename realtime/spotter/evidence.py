"""All that a judge reads about a finished movement: its course, its surroundings, and the two taken together."""

from __future__ import annotations

import math

import numpy as np

from mer_live.realtime.motion.regions import region
from mer_live.realtime.spotter.context import AROUND, GROUPS, NAMES
from mer_live.realtime.spotter.matched import FEATURES
from mer_live.realtime.spotter.pattern import PATTERN
from mer_live.realtime.spotter.signals import Array

_WHEN = ("before", "during", "after")
_OF_UPPER = (
    *(f"{what}_{when}" for what in ("speaking", "jaw", "mouth") for when in _WHEN),
    *("others_before", "others_after", "log_odds", "jaw_unrest", "mouth_unrest"),
    *("rest_of_face", "rest_px", "speaking", "coherence", "cosine"),
)
"""What tells another thing of a brow than of a mouth: it is read once as it is, once times the upper face's part."""
EVIDENCE: tuple[str, ...] = (
    *FEATURES,
    *AROUND,
    "upper_part",
    *(f"{name}_of_upper" for name in _OF_UPPER),
    *PATTERN,
)
_AT = {name: k for k, name in enumerate((*FEATURES, *AROUND))}
_TAKEN = [_AT[name] for name in _OF_UPPER]
_SHARES = [_AT[f"{name}_share"] for name in NAMES]
_SPEAKING = [_AT[f"speaking_{when}"] for when in _WHEN]
_FOLLOWS = [EVIDENCE.index(f"{name}_follows") for name in NAMES[:2]]
SPEECH_COSTS = 2.0
"""Log odds that a movement of the lower face alone loses while the face speaks."""
_SIZES: Array = np.array([len(region(*names)) for names in GROUPS], np.float64)
_EVEN, _FOLLOWED, _LIKELY = 0.45, 1.2, 0.5


def evidence(features: Array, surroundings: Array, pattern: Array) -> Array:
    """(len(EVIDENCE),) of (len(FEATURES),), (len(AROUND),) and (len(PATTERN),) numbers."""
    both = np.concatenate([features, surroundings])
    upper = _upper_part(both)
    return np.concatenate([both, [upper], both[_TAKEN] * upper, pattern])


def _upper_part(seen: Array) -> float:
    """0..1 how much of a movement's energy lies in brows and lids."""
    energy = np.square(seen[_SHARES]) * _SIZES
    return float(energy[:2].sum() / max(float(energy.sum()), 1e-9))


def lower_in_speech(seen: Array, *, later: bool) -> float:
    """0..1 how much a movement is one of the lower face alone, of somebody who speaks around it.

    FACS coders do not read the lower face while it speaks (AU 50): a syllable is no expression, and no shape tells
    the one from the other. Alone it moves where neither brows nor lids follow the movement's course. When a movement
    is final it is known what was before it; ``later``, also what came after: only that tells a first syllable after
    silence from a twitch.
    """
    heard = float(seen[_SPEAKING[: 3 if later else 2]].max())
    alone = _gate((_FOLLOWED - float(seen[_FOLLOWS].max())) / 0.2) * _gate((_EVEN - _upper_part(seen)) / 0.06)
    return alone * _gate(1.5 * heard + _LIKELY)


def _gate(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-min(max(x, -30.0), 30.0)))
