"""The network of a fold on disk, with the people that it has seen: `learning.pretrain.load` reads it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from mer_live.engines.records import to_json
from mer_live.training.learning.pretrain import Pretrained, save
from mer_live.training.methods.base import Method
from mer_live.training.methods.network import NetworkMethod


def keep_weights(
    folder: Path, model: Method, classes: Sequence[str], trained_on: Sequence[str], fold: str, seed: int
) -> Path:
    """Write ``weights.pt`` and ``weights.json`` of a trained method into ``folder/seed-N/FOLD``.

    Args:
        folder: For all folds and seeds.
        model: After `fit`; of a network.
        classes: What it decides between.
        trained_on: Subjects, whom `load` refuses to test with it.
        fold: Its name.
        seed: Of the run.
    """
    assert isinstance(model, NetworkMethod)
    assert model.network is not None
    provenance = {
        "network": {"name": model.network.name, "config": to_json(model.network.config)},
        "method": {"name": model.name, "config": asdict(model.config)},
        "classes": list(classes),
        "data": {"trained_on": sorted(set(trained_on))},
        "fold": fold,
        "seed": seed,
    }
    name = re.sub(r"[^A-Za-z0-9.-]+", "_", fold)
    return save(Pretrained(model.network, provenance), folder / f"seed-{seed}" / name)
