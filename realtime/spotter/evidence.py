"""All that a judge reads about a finished movement: its course, its surroundings, and the two taken together."""

from __future__ import annotations

import numpy as np

from mer_live.realtime.motion.regions import region
from mer_live.realtime.spotter.context import AROUND, GROUPS, NAMES
from mer_live.realtime.spotter.matched import FEATURES
from mer_live.realtime.spotter.signals import Array

_WHEN = ("before", "during", "after")
_OF_UPPER = (
    *(f"{what}_{when}" for what in ("speaking", "jaw", "mouth") for when in _WHEN),
    *("others_before", "others_after", "log_odds", "jaw_unrest", "mouth_unrest"),
    *("rest_of_face", "rest_px", "speaking", "coherence", "cosine"),
)
"""What tells another thing of a brow than of a mouth: it is read once as it is, once times the upper face's part."""
EVIDENCE: tuple[str, ...] = (*FEATURES, *AROUND, "upper_part", *(f"{name}_of_upper" for name in _OF_UPPER))
_AT = {name: k for k, name in enumerate((*FEATURES, *AROUND))}
_TAKEN = [_AT[name] for name in _OF_UPPER]
_SHARES = [_AT[f"{name}_share"] for name in NAMES]
_SPEAKING = [_AT[f"speaking_{when}"] for when in _WHEN]
_SIZES: Array = np.array([len(region(*names)) for names in GROUPS], np.float64)
_EVEN, _STEEP, _LIKELY = 0.45, 0.06, 0.5
SPEECH_COSTS = 1.0
"""Log odds that a movement of the lower face loses while the face speaks."""
BLINK_COSTS = 2.0
"""Log odds that a movement of lids alone loses while they look closed."""
_NO_BROW, _LIDS_ALONE, _CLOSED = 0.10, 0.30, 5.0


def evidence(features: Array, surroundings: Array) -> Array:
    """(len(EVIDENCE),) of (len(FEATURES),) and (len(AROUND),) numbers."""
    both = np.concatenate([features, surroundings])
    upper = _upper_part(both)
    return np.concatenate([both, [upper], both[_TAKEN] * upper])


def _upper_part(seen: Array) -> float:
    """0..1 how much of a movement's energy lies in brows and lids."""
    energy = np.square(seen[_SHARES]) * _SIZES
    return float(energy[:2].sum() / max(float(energy.sum()), 1e-9))


def lower_in_speech(seen: Array, *, later: bool) -> float:
    """0..1 how much a movement is one of the lower face of somebody who speaks around it.

    FACS coders do not read the lower face while it speaks (AU 50): a syllable is no expression, and no shape tells
    the one from the other. When a movement is final it is known what was before it; ``later``, also what came after:
    only that tells a first syllable after silence from a twitch.
    """
    heard = float(seen[_SPEAKING[: 3 if later else 2]].max())
    return _gate((_EVEN - _upper_part(seen)) / _STEEP) * _gate(1.5 * heard + _LIKELY)


def lids_alone(seen: Array) -> float:
    """0..1 how much a movement is one of lids that close: their skin changes its look, and no brow goes with them."""
    brow, eye = seen[_SHARES[0]], seen[_SHARES[1]]
    closed = seen[_AT["lid_during"]]
    alone = _gate((_NO_BROW - brow) / 0.02) * _gate((eye - _LIDS_ALONE) / 0.02)
    return alone * _gate((closed - _CLOSED) / 0.3)


def _gate(x: float) -> float:
    return float(1.0 / (1.0 + np.exp(-np.clip(x, -30.0, 30.0))))
