"""What the spotter's coefficients depend on, as one number that is checked when they are loaded."""

from __future__ import annotations

import hashlib
from functools import cache

from mer_live.realtime.motion import head_fit, meter, regions
from mer_live.realtime.motion.stage import FlowSpec
from mer_live.realtime.spotter import context, evidence, matched, parallax, pulses, reader, signals, speaking

CROP_PX = 224


def constants() -> dict[str, str]:
    """Every constant by name: the tracker's flow, the crop, regions, the bank, all that features are made of."""
    found = {"flow": repr(FlowSpec()), "crop": str(CROP_PX), "points": repr(regions.POINTS.tolist())}
    for module in (
        head_fit,
        meter,
        regions,
        context,
        evidence,
        matched,
        parallax,
        pulses,
        reader,
        signals,
        speaking,
    ):
        for name, value in sorted(vars(module).items()):
            plain = isinstance(value, int | float | str | tuple) and not name.startswith("__")
            if plain and name.isupper():
                found[f"{module.__name__.rpartition('.')[2]}.{name}"] = repr(value)
    return found


@cache
def fingerprint() -> str:
    """The same for the same constants."""
    return hashlib.sha256(repr(sorted(constants().items())).encode()).hexdigest()[:16]
