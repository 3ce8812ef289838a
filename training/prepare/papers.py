"""The papers' recipes, each by one word: how the set is prepared, what the method is set to, and what we lack.

What a recipe cannot reproduce is a deviation and is named with every score that it gives. Sources: the papers as cited
by each method; ``settings`` are those that differ from the method's own defaults, or that a shared setting must not
change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mer_live.training.prepare.config import PrepareConfig, parse_representations

PAPER = "@paper"
"""Ends the name of a table's row that follows its paper's recipe."""
_FACE = "faces are found by our landmarks"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One paper's."""

    method: str
    representations: str
    """As of ``mer-train prepare``."""
    search_apex: bool = False
    """The apex is found by the LBP search in every clip."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the method."""
    deviations: tuple[str, ...] = ()
    """What is not as in the paper, however the set is prepared."""

    @property
    def config(self) -> PrepareConfig:
        """How the set is prepared."""
        apex = "search" if self.search_apex else "annotated"
        return PrepareConfig(parse_representations(self.representations), apex=apex)  # type: ignore[arg-type]

    def differences(self, prepared: Mapping[str, Any]) -> list[str]:
        """How a set's ``prepare.json`` departs from the recipe; no such file: that nothing is known."""
        if "representations" not in prepared:
            return ["how the set was prepared is not known"]
        wanted, made = self.config.to_json(), dict(prepared)
        arrays = wanted.pop("representations")
        made.setdefault("apex", "annotated")
        wanted.setdefault("apex", "annotated")
        keys = ("apex", "copies") if "motion" in arrays else ("apex",)
        found = [f"{k} {made.get(k)}, not {wanted[k]}" for k in keys if made.get(k) != wanted[k]]
        for name, spec in arrays.items():
            found += _differences(name, spec, made["representations"].get(name, {}))
        return found


def _differences(name: str, wanted: Mapping[str, Any], made: Mapping[str, Any]) -> Iterator[str]:
    if not made:
        yield f"no array {name}"
        return
    for key, value in wanted.items():
        have = made.get(key)
        if isinstance(value, Mapping) and isinstance(have, Mapping):
            if value.get("method") != have.get("method"):  # the other method's parameters mean nothing then
                yield f"{name} by {have.get('method')}, not {value.get('method')}"
                continue
            yield from _differences(f"{name}.{key}", value, have)
        elif have != value:
            yield f"{name}.{key} {have}, not {value}"


RECIPES: Mapping[str, Recipe] = {
    one.method: one
    for one in (
        Recipe(
            "madtn",
            "motion:flow.method=farneback:middle=centre:size=112",
            settings={"epochs": 60, "batch": 32, "lr": 2e-4, "mmd_weight": 2.0, "size": 112},
            deviations=(
                f"{_FACE}, not by MTCNN",
                "60 epochs, widths of the network and min-max scaling of the flow: the paper gives none",
                "one of a clip's central frames is drawn an epoch; the paper takes each as a sample",
            ),
        ),
        Recipe(
            "atnet",
            "apex:size=224,adm:flow.method=tvl1:direction=as_published",
            settings={"epochs": 50, "lr": 0.01, "oversample": False, "size": 224, "recipe": "as_published"},
            deviations=(
                "flow by TV-L1; the paper's is Classic+NL (Sun, Roth, Black), which no library that we know has",
                "the spatial stream begins without ImageNet and, without spatial_weights, without macro-expressions",
                _FACE,
            ),
        ),
        Recipe(
            "sa-at",
            "apex:size=224",
            search_apex=True,
            settings={"epochs": 50, "batch": 16, "lr": 1e-4, "teacher": "resnet110", "size": 256},
            deviations=(
                "the apex search looks at regions of the mean face, not of landmarks in every frame",
                "the teacher is what mer-train pretrain is told to make; the paper: renders of BU-3DFE, lr 1e-4",
                "beta, the student's depth and the style network: the paper gives none that could be had",
                f"{_FACE}; crops of 224 px are enlarged to 256",
            ),
        ),
        Recipe(
            "mtm",
            "apex:size=224,frames:end=apex",
            settings={"frames": "gray", "positives": "sum", "width": 64, "size": 112, "heads": "convolution"},
            deviations=(
                "8 frames of 112 px, 30 + 30 epochs, lr 1e-4, batch 16, temperature .07: the paper gives none",
                _FACE,
            ),
        ),
        Recipe(
            "ststnet",
            "flow3:flow.method=tvl1",
            settings={"epochs": 500, "batch": 256, "lr": 5e-5},
            deviations=(
                f"{_FACE}; flow is taken at 112 px, kept in 8 bits, and strain is of it",
                "clips are shuffled every epoch, which the authors' code never does",
            ),
        ),
    )
}
"""Method -> its paper's recipe."""
