"""t-SNE (van der Maaten, Hinton; JMLR 2008) of a set's clips, by database and by class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mer_live.training.methods.features import FEATURES, extract, make_feature
from mer_live.training.pictures import figure, save
from mer_live.training.prepared.prepared_set import PreparedSet

_FEW = 4


def vectors(prepared: PreparedSet, of: str) -> NDArray[np.float64]:
    """(N, D) of what is called ``of``: a handcrafted feature, an array of the set, or a network's features.

    Raises:
        As `opened.open_on` and `make_feature`.
    """
    if of in FEATURES:
        feature = make_feature(of)
        return extract(feature, prepared.array("flow3" if feature.input == "flow" else feature.input))
    if prepared.has(of):
        return np.asarray(prepared.array(of), np.float64).reshape(len(prepared), -1)
    import torch

    from mer_live.training.figures.opened import open_on

    opened = open_on(of, prepared)
    with torch.no_grad():
        parts = [
            opened.network.features(*(tensor[k : k + 64] for tensor in opened.inputs))
            for k in range(0, len(prepared), 64)
        ]
    return np.asarray(torch.cat(parts).flatten(1).numpy(), np.float64)


def draw_embedding(prepared: PreparedSet, of: str, out: Path, seed: int = 0) -> Path:
    """Draw every clip as a point, once in the colour of its database and once in that of its class.

    Where there is one database alone, people take its place. Only who is near whom means something.

    Raises:
        ValueError: Fewer than four clips.
        As `vectors`.
    """
    from sklearn.manifold import TSNE

    if len(prepared) < _FEW:
        raise ValueError(f"{len(prepared)} clips are too few for a map: at least {_FEW} are needed")
    rows = vectors(prepared, of)
    rows = (rows - rows.mean(0)) / np.maximum(rows.std(0), 1e-9)
    near = min(30.0, (len(rows) - 1) / 3)
    places = TSNE(2, perplexity=near, init="pca", random_state=seed).fit_transform(rows)
    one = len(set(prepared.datasets.tolist())) == 1
    groups = [prepared.subjects if one else prepared.datasets, np.array(prepared.classes)[prepared.labels]]
    picture, panels = figure(8.4, 4.2, 1, 2)
    titles = ("person" if one else "database", "class")
    for axes, group, title, first in zip(panels, groups, titles, (0, 5), strict=True):
        _panel(axes, places, group, first)
        axes.set_title(f"{Path(of).name}, by {title}", fontsize=9)
    return save(picture, out)


def _panel(axes: Any, places: NDArray[np.float64], group: NDArray[Any], first: int) -> None:
    """``first``: colour of the first name; no class has the colour of one of five databases."""
    names = sorted(set(group.tolist()))
    for k, name in enumerate(names):
        mine = group == name
        colour = f"C{(first + k) % 10}"
        axes.scatter(
            *places[mine].T,
            s=16,
            alpha=0.7,
            linewidths=0,
            color=colour,
            marker="ox^sDv"[k // 10 % 6],
            label=name,
        )
    if len(names) <= 12:
        axes.legend(fontsize=7)
    axes.set(xticks=[], yticks=[])
