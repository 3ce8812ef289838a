"""An adaptive matched filter over the whole face: does its motion now look like one expression, come and gone?

The last 0.84 s of region displacements are compared with raised-cosine courses (pulses.py). What a fit finds is
a displacement of every region, the candidate's pattern. It is judged in units of what this face has been doing
of late: a covariance whose structure (which regions move together while people talk) is learned beforehand and
whose size, region by region, follows the last second. In these units the pattern is compared with patterns of
action units: that is the adaptive matched filter of radar (Robey et al., IEEE T-AES 28(1), 1992, eq. 8), with
shrinkage toward a prior structure instead of a sample covariance. So a brow that twitches stands out while the
mouth talks, and a mouth that talks does not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from mer_live.realtime.motion.regions import REGIONS, region
from mer_live.realtime.spotter.context import MEAN_OF_GROUP
from mer_live.realtime.spotter.pulses import AGES, COURSES, GRID_S, Array, Bank
from mer_live.realtime.spotter.signals import History

ROWS = len(REGIONS) + 2
"""Rows of the history: the regions; head x, y px; lid texture relative to the face's, 0."""
_HEAD, _LID = len(REGIONS), len(REGIONS) + 1
_UPPER = np.isin(np.arange(len(REGIONS)), region("brow", "lid", "under_eye", "glabella"))
_OLD = (6, 10, 14)
"""Samples of the seen second whose second difference tells how much each region moves: older than any candidate."""
_SEEN: Array = GRID_S * np.arange(29, -1, -1, dtype=np.float64)
"""(30,) seconds before now: 1.16 s, of which courses are compared with the newest part."""
_LARGEST_STEP_PX = 4.0
_MEMORY_S = 1.2
_PRIOR_S = 0.8
"""Time that the learned proportions between regions are worth against what was seen of this face."""
_NOISE_PX2 = 0.02
"""Of the measurement; no region ever counts as stiller."""
_START_PX2 = 0.1

FEATURES: tuple[str, ...] = (
    *("size", "clear", "coherence", "cosine", "amplitude", "log_amplitude", "misfit", "before", "drift"),
    *("misfit_px", "rest_of_face", "rest_clear", "left_over", "upper", "upper_pattern", "unrest", "gain"),
    *("rise", "fall", "head_speed", "lid", "third", "rest_px", "rest_units", "range"),
    *(f"{name}_unrest" for name in ("brow", "eye", "cheek", "mouth", "jaw")),
    *(f"{name}_share" for name in ("brow", "eye", "cheek", "mouth", "jaw")),
    "speaking",
)


@dataclass(frozen=True, slots=True)
class Faces:
    """What is known of faces in general: how their regions move together, and the patterns looked for."""

    covariance: Array
    """(2R, 2R) of second differences of talking faces, mean of the diagonal 1."""
    patterns: Array
    """(K, 2R) unit vectors, closed under mirroring."""

    @property
    def proportion(self) -> Array:
        """(R,) mean square of each region's motion, mean 1."""
        size = np.diag(self.covariance).reshape(-1, 2).mean(1)
        return np.asarray(size / size.mean())

    def whitener(self, ridge: float = 0.05) -> Array:
        """(2R, 2R) W with W.T W the inverse of the correlation, which is shrunk toward independence."""
        d = np.sqrt(np.diag(self.covariance))
        c = self.covariance / np.outer(d, d) * (1.0 - ridge) + ridge * np.eye(len(d))
        return np.asarray(np.linalg.inv(np.linalg.cholesky(c)))


@dataclass(frozen=True, slots=True)
class Matched:
    """What a bank found at one moment, hypothesis by hypothesis."""

    features: Array
    """(J, len(FEATURES)), unchanged when the face is mirrored."""
    largest_px: Array
    """(J,) largest displacement of a region."""
    weights: Array
    """(J, 2R) beam of each hypothesis: its product with displacements is px along the pattern."""


class MatchedFilter:
    """Compares the newest window with banks of courses; remembers only how much each region moves."""

    def __init__(self, faces: Faces) -> None:
        self._whitener = faces.whitener()
        self._patterns = faces.patterns
        self._upper_share = (
            np.square(faces.patterns.reshape(len(faces.patterns), -1, 2)).sum(2)[:, _UPPER].sum(1)
        )
        self._proportion = faces.proportion
        self._regions = len(self._proportion)
        self.seen = np.zeros((len(_SEEN), ROWS, 2))
        """(30, ROWS, 2) the newest 1.16 s on the 40 ms grid."""
        self._window = self.seen[-len(AGES) :]
        self.clear()

    def clear(self) -> None:
        """Forget the face."""
        self._moved = np.zeros(self._regions)
        self._seen_s = 0.0
        self._level: float | None = None

    @property
    def level(self) -> float:
        """Largest displacement of any region over the last 0.16 s, in units of ``spread_px``."""
        if self._level is None:  # asked for at every frame, and new at every look
            away = self._window[-1, : self._regions] - self._window[-5, : self._regions]
            self._level = float((np.hypot(away[:, 0], away[:, 1]) / self.spread_px).max())
        return self._level

    @property
    def spread_px(self) -> Array:
        """(R,) how much each region has been moving, measurement noise included."""
        level = float((self._moved / self._proportion).mean()) if self._seen_s else _START_PX2
        total = self._moved * self._seen_s + _PRIOR_S * level * self._proportion
        return np.asarray(np.sqrt(total / (self._seen_s + _PRIOR_S) + _NOISE_PX2))

    def step(self, history: History, now_ns: int, dt_s: float) -> None:
        """Take the window that ends at ``now_ns``; the last one was ``dt_s`` ago."""
        self.seen = seen = history.sample(now_ns - _SEEN * 1e9)  # (30, ROWS, 2)
        self._window = seen[-len(AGES) :]
        a, b, c = (seen[k, : self._regions] for k in _OLD)
        step = np.minimum(np.maximum(b - 0.5 * (a + c), -_LARGEST_STEP_PX), _LARGEST_STEP_PX)
        self._seen_s = self._seen_s * float(np.exp(-dt_s / _MEMORY_S)) + dt_s
        squared = step * step
        self._moved += (0.5 * (squared[:, 0] + squared[:, 1]) - self._moved) * min(1.0, dt_s / self._seen_s)
        self._level = None

    def match(self, speaking: float = 0.0, bank: Bank = COURSES) -> Matched:
        """Fit every course of a bank to the window; ``speaking`` is the log odds that the face does."""
        n = self._regions
        by_part = self.spread_px
        spread = by_part.repeat(2)
        x = self._window[:, :n].reshape(len(AGES), 2 * n)
        x = x - x.mean(0)
        y = (x / spread) @ self._whitener.T
        p = (self._patterns / spread) @ self._whitener.T  # (K, 2R) whitened patterns
        q = np.einsum("kr,kr->k", p, p)
        rows = np.arange(len(bank.onset))
        a, ya = bank.fit[:, 0] @ x, bank.fit[:, 0] @ y  # (J, 2R) amplitude of every region
        squared = a * a
        size = np.sqrt(squared.sum(1)) + 1e-3
        clear = np.sqrt(np.einsum("jr,jr->j", ya, ya)) + 1e-3
        response = ya @ p.T  # (J, K)
        coherence = response / np.sqrt(q) / clear[:, None]
        cosine = a @ self._patterns.T / size[:, None]
        best = np.argmax(coherence + cosine, axis=1)
        amplitude = response[rows, best] / q[best]
        tall = np.maximum(np.abs(amplitude), 0.05)
        # (J, L, 2) px along the best pattern, seen by the whitened beam and plainly
        along = np.stack([(y @ p.T / q).T[best], (x @ self._patterns.T).T[best]], 2)
        beam, plain = along[..., 0], along[..., 1]
        used, inside = bank.used, bank.inside
        rest = np.square(bank.residual @ along)
        misfit = np.sqrt(np.einsum("ja,ja->j", rest[..., 0], inside) / inside.sum(1)) / tall
        outside = used - inside
        before = np.sqrt(np.einsum("ja,ja->j", rest[..., 0], outside) / outside.sum(1)) / tall
        drift = np.abs(np.einsum("jl,jl->j", bank.fit[:, 2], beam)) * 0.3 / tall
        rest_plain = rest[..., 1].sum(1) / used.sum(1)
        tall_plain = np.maximum(np.abs(np.einsum("jl,jl->j", bank.fit[:, 0], plain)), 0.05)
        rest_px, rest_units = _left(x, bank), _left(y, bank)
        by_region = squared[:, 0::2] + squared[:, 1::2]
        over = a - amplitude[:, None] * self._patterns[best]
        head = self._window[-13:, _HEAD]
        step = head[1:] - head[:-1]
        speed = math.sqrt(float(np.einsum("lc,lc->l", step, step).max())) / (AGES[0] - AGES[1])
        lid = float(self._window[-14:, _LID, 0].max())
        groups = np.log(MEAN_OF_GROUP @ by_part)
        columns = (
            np.log(size),
            np.log(clear),
            coherence[rows, best],
            cosine[rows, best],
            np.minimum(np.maximum(amplitude, -5.0), 5.0),
            np.log(np.abs(amplitude) + 0.05),
            np.minimum(misfit, 3.0),
            np.minimum(before, 3.0),
            np.minimum(drift, 3.0),
            np.minimum(np.sqrt(rest_plain) / tall_plain, 3.0),
            np.log(rest_px / size + 0.02),
            np.log(rest_units / clear + 0.02),
            np.sqrt(np.einsum("jr,jr->j", over, over)) / size,
            by_region[:, _UPPER].sum(1) / np.maximum(by_region.sum(1), 1e-9),
            self._upper_share[best],
            math.log(float(spread @ spread) / len(spread)),
            np.log(q[best]),
            10.0 * (bank.onset - bank.apex),
            10.0 * (bank.apex - bank.offset),
            math.log(1.0 + speed),
            min(lid, 6.0),
            np.partition(coherence, -3, axis=1)[:, -3],
            np.log(rest_px + 0.05),
            np.log(rest_units + 0.05),
            np.log((beam.max(1) - beam.min(1)) / tall + 0.1),
            *groups,
            *(np.sqrt(by_region) @ MEAN_OF_GROUP.T / size[:, None]).T,
            speaking,
        )
        features = np.empty((len(columns), len(rows)))
        for row, column in zip(features, columns, strict=True):
            row[:] = column
        weights = (p[best] @ self._whitener / spread) / q[best, None]
        return Matched(np.ascontiguousarray(features.T), np.sqrt(by_region.max(1)), weights)


def _left(x: Array, bank: Bank) -> Array:
    """(J,) root mean square over time of what fits leave of (L, n) signals."""
    total = bank.used @ np.einsum("lr,lr->l", x, x)
    along = (bank.basis.reshape(-1, len(x)) @ x).reshape(len(total), -1)
    explained = np.einsum("jk,jk->j", along, along)
    return np.asarray(np.sqrt(np.maximum(total - explained, 0.0) / bank.used.sum(1)))
