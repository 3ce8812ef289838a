"""Which style a face has: its database, or where there is only one, a cluster of similar pictures."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def style_features(faces: NDArray[Any]) -> NDArray[np.float64]:
    """Gray faces (N, S, S) -> (N, 3): mean, deviation and sharpness, what light and camera decide."""
    rows = []
    for face in faces:
        gray = np.asarray(face, np.float32)
        rows.append((gray.mean(), gray.std(), np.abs(cv2.Laplacian(gray, cv2.CV_32F)).mean()))
    return np.array(rows, np.float64)


def styles_of(faces: NDArray[Any], subjects: NDArray[np.str_], seed: int) -> NDArray[np.int64]:
    """Style of each face, (N,), 0 the most frequent one.

    Databases are the styles, as namespaced subjects name them (``samm/006``). Where all are of one database,
    two clusters (k-means) of `style_features` are, as Dong et al. (2018) find hidden styles by clustering.
    """
    names = np.array([str(subject).partition("/")[0] for subject in subjects])
    _, found = np.unique(names, return_inverse=True)
    if found.max() == 0:
        from sklearn.cluster import KMeans

        features = style_features(faces)
        scaled = (features - features.mean(0)) / (features.std(0) + 1e-9)
        if len(np.unique(scaled, axis=0)) < 2:
            return np.zeros(len(faces), np.int64)
        found = KMeans(2, n_init=4, random_state=seed % 2**32).fit_predict(scaled)
    order = np.argsort(-np.bincount(found), kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return rank[found].astype(np.int64)
