"""What ``mer-train prepare`` makes, as one frozen record that is written into ``prepare.json``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mer_live.engines.records import to_json
from mer_live.engines.representation.specs import MotionSpec, RepresentationSpec, spec_from_json, spec_to_json
from mer_live.engines.versions import versions
from mer_live.training.datasets.sample import Sample

Variant = Literal["annotated", "deployable"]
VARIANTS: tuple[Variant, ...] = ("annotated", "deployable")


@dataclass(frozen=True, slots=True)
class PrepareConfig:
    """Everything that decides the bytes of a prepared set, apart from the clips themselves."""

    representations: tuple[tuple[str, RepresentationSpec], ...]
    """(array name, what it is)."""
    variant: Variant = "annotated"
    """annotated: the sheet's frames; deployable: frames that our own causal spotter finds."""
    missing_apex: Literal["middle", "search"] = "middle"
    """Where nobody annotated an apex: the temporal middle, or the published LBP search."""
    apex: Literal["annotated", "search"] = "annotated"
    """search: by the published LBP search in every clip, also where somebody annotated one (SA-AT)."""
    copies: float = 0.2
    """Central share of a clip whose frames each make one more motion image (MADTN); 0 for none."""
    sensitivity: float = 0.5
    """Of the spotter, deployable only."""
    lead_s: float = 0.6
    """deployable: the first frame is held this long, since cut clips leave the spotter no time to learn
    the resting face."""
    tail_s: float = 0.4
    """deployable: the last frame is held this long, since cut clips end with the offset."""
    margin_s: float = 1.0
    """deployable, long recordings: how much before the onset and after the offset is looked at."""

    def __post_init__(self) -> None:
        names = [name for name, _ in self.representations]
        if not names:
            raise ValueError("no representation is asked for: name one or more, such as motion,apex")
        if len(set(names)) != len(names):
            raise ValueError(f"two arrays have one name ({', '.join(names)}): write OTHER=motion:... for one")
        if self.variant not in VARIANTS:
            raise ValueError(f"variant {self.variant!r} is unknown: choose annotated or deployable")
        if self.missing_apex not in ("middle", "search"):
            raise ValueError(f"missing apex {self.missing_apex!r} is unknown: choose middle or search")
        if self.apex not in ("annotated", "search"):
            raise ValueError(f"apex {self.apex!r} is unknown: choose annotated or search")
        if not 0 <= self.copies < 1:
            raise ValueError(f"copies is a share of the clip, 0 to under 1, not {self.copies}")
        if not 0 <= self.sensitivity <= 1:
            raise ValueError(f"sensitivity must lie between 0 and 1, not {self.sensitivity}")

    @property
    def copied(self) -> tuple[str, ...]:
        """Names of the arrays that get copies."""
        if self.copies == 0 or self.variant != "annotated":
            return ()
        return tuple(name for name, spec in self.representations if isinstance(spec, MotionSpec))

    def to_json(self) -> dict[str, Any]:
        """Return an object for ``prepare.json``; of the other variant's parameters nothing is said."""
        result: dict[str, Any] = {
            "representations": {name: spec_to_json(spec) for name, spec in self.representations},
            "variant": self.variant,
            "missing_apex": self.missing_apex,
        }
        if self.variant == "annotated":
            result["copies"] = self.copies
            if self.apex != "annotated":
                result["apex"] = self.apex
        else:
            names = ("sensitivity", "lead_s", "tail_s", "margin_s")
            result.update({name: getattr(self, name) for name in names})
        return result


def parse_representations(text: str) -> tuple[tuple[str, RepresentationSpec], ...]:
    """Read ``motion,apex`` or ``fixed=motion:scaling=fixed:flow.method=farneback,adm``.

    Items are separated by commas; each is ``[ARRAY=]NAME[:PARAMETER=VALUE]...``, where a dot reaches into the
    flow's parameters.

    Raises:
        ValueError: Unknown name, parameter or value.
    """
    result = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        head, *settings = item.split(":")
        array, _, name = head.rpartition("=")
        data: dict[str, Any] = {"name": name}
        for setting in settings:
            path, sign, value = setting.partition("=")
            if not sign:
                raise ValueError(f"--representations {item!r}: {setting!r} is not PARAMETER=VALUE")
            inner = data
            *parents, last = path.split(".")
            for parent in parents:
                inner = inner.setdefault(parent, {})
            inner[last] = _value(value)
        array = array or name
        if not array.replace("_", "").replace("-", "").isalnum():
            raise ValueError(f"--representations {item!r}: {array!r} cannot be the name of a file")
        result.append((array, spec_from_json(data)))
    return tuple(result)


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def software() -> dict[str, str]:
    """Versions that may change a pixel."""
    return versions(("mer-live", "numpy", "opencv-contrib-python", "mediapipe"))


def clip_fingerprint(sample: Sample, config: PrepareConfig) -> str:
    """SHA-256 of one clip's annotation, its frame names and the configuration."""
    frames = sample.frames
    names: Sequence[str] = getattr(frames, "names", ()) or (str(len(frames.numbers)),)
    described = {
        "sample": [sample.key, sample.subject, sample.label, sample.fps, sample.onset, sample.apex],
        "end": [sample.offset, sample.emotion, sample.action_units],
        "frames": [list(names), list(frames.numbers)],
        "config": config.to_json(),
        "software": software(),
    }
    return fingerprint(described)


def fingerprint(data: Mapping[str, Any] | Sequence[Any]) -> str:
    """SHA-256 of the canonical JSON of something."""
    return hashlib.sha256(json.dumps(to_json(data), sort_keys=True).encode()).hexdigest()
