"""The courses that movements are compared with: raised cosines of several lengths, seen from their end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

GRID_S = 0.04
SAMPLES = 22
AGES: Array = GRID_S * np.arange(SAMPLES - 1, -1, -1, dtype=np.float64)
"""(L,) seconds before now at which signals are compared, oldest first: the same at every frame rate."""
_LEAD_S = 0.13
"""Before the onset, that much belongs to a comparison: the face must be where it was before."""


def raised_cosine(age: Array, onset: Array | float, apex: Array | float, offset: Array | float) -> Array:
    """0..1 at ``age`` for a movement whose parts lie ``onset`` > ``apex`` > ``offset`` seconds back."""
    rise, fall = _sides(age, onset, apex, offset)
    return rise * fall


def _sides(
    age: Array, onset: Array | float, apex: Array | float, offset: Array | float
) -> tuple[Array, Array]:
    """Its rise and its fall, whose product it is."""
    rise = np.minimum(np.maximum((onset - age) / np.maximum(onset - apex, 1e-3), 0.0), 1.0)
    fall = np.minimum(np.maximum((apex - age) / np.maximum(apex - offset, 1e-3), 0.0), 1.0)
    return np.asarray(0.25 * (1.0 - np.cos(np.pi * rise))), np.asarray(1.0 + np.cos(np.pi * fall))


def without_drift(signals: Array, times: Array) -> Array:
    """(..., T) signals without the level and the drift that fit each best; ``times`` (T,)."""
    probes = _level_and_drift(times)
    return np.asarray(signals - (signals @ probes.T) @ probes)


def _level_and_drift(times: Array) -> Array:
    """(2, T) an orthonormal basis of them."""
    away = times - times.mean()
    away /= np.sqrt(max(float(away @ away), 1e-12))
    return np.stack([np.full_like(away, len(away) ** -0.5), away])


@dataclass(frozen=True, slots=True)
class Bank:
    """J courses and what it takes to fit each, a level and a drift to (L, n) signals by least squares."""

    onset: Array
    apex: Array
    offset: Array
    """(J,) seconds before now; an offset may lie ahead."""
    fit: Array
    """(J, 3, L) signals -> amplitude of the course, level, drift."""
    basis: Array
    """(J, 3, L) orthonormal basis of what a fit explains."""
    residual: Array
    """(J, L, L) signals -> what a fit leaves over, 0 where the course is not compared."""
    used: Array
    """(J, L) 1 where it is compared, ..."""
    inside: Array
    """(J, L) ... 1 there from the onset on."""


def bank(shapes: list[tuple[float, float, float]]) -> Bank:
    """Bank of (rise, fall, time since the offset) in seconds."""
    rows: list[tuple[Array, ...]] = []
    ages = np.array([(since + fall + rise, since + fall, since) for rise, fall, since in shapes])
    for onset, apex, offset in ages:
        used = onset + _LEAD_S + 1e-9 >= AGES
        course = raised_cosine(AGES, onset, apex, offset)
        columns = np.stack([course, np.ones(SAMPLES), AGES - AGES.mean()], 1)[used]  # (U, 3)
        fit, basis, residual = np.zeros((3, SAMPLES)), np.zeros((3, SAMPLES)), np.zeros((SAMPLES, SAMPLES))
        fit[:, used] = np.linalg.pinv(columns)
        q = np.linalg.qr(columns)[0]
        basis[:, used] = q.T
        residual[np.ix_(used, used)] = np.eye(len(q)) - q @ q.T
        rows.append(
            (fit, basis, residual, used.astype(np.float64), (used & (onset >= AGES)).astype(np.float64))
        )
    fits, bases, residuals, uses, insides = (np.stack(part) for part in zip(*rows, strict=True))
    return Bank(ages[:, 0], ages[:, 1], ages[:, 2], fits, bases, residuals, uses, insides)


_RISES, _FALLS = (0.05, 0.09, 0.15, 0.23, 0.33), (0.05, 0.10, 0.17, 0.26, 0.36)
_LONGEST_S = 0.6
_FINISHED = [(r, f, s) for s in (0.025,) for r in _RISES for f in _FALLS if r + f < _LONGEST_S]
_TURNED = [(r, 0.2, past - 0.2) for r in _RISES for past in (0.05, 0.08)]
COURSES: Bank = bank(_FINISHED + _TURNED)
FINISHED = slice(0, len(_FINISHED))
"""Those of COURSES that have just ended."""
TURNED = slice(len(_FINISHED), None)
"""Those that have just passed their apex."""

_AROUND = np.arange(-2.0, 3.0)
_AWAY = 0.1
"""Part of a course's energy that a fit must gain per second that it moves away from the first estimates."""


def refine(times: Array, course: Array, onset: float, offset: float) -> tuple[float, float, float]:
    """Onset, apex and offset where a raised cosine, a level and a drift fit a course best.

    Args:
        times: (T,) seconds, 0 at the first estimate of the apex.
        course: (T,) displacement along one pattern.
        onset: first estimate, before 0.
        offset: first estimate, after 0.
    """
    best = (onset, 0.0, offset)
    if len(times) < 5:
        return best
    course = without_drift(course, times)
    energy = max(float(course @ course), 1e-9)
    # A pulse is a rise times a fall, so all 125 products with a signal are a product of matrices. The course holds no
    # level and no drift: that of a pulse need not be taken out to see how much of the course it explains.
    probes = np.stack([course, *_level_and_drift(times)])
    for step in (0.05, 0.02, 0.008):
        a, b, c = (part + step * _AROUND for part in best)
        apex = b[:, None, None]
        rise, fall = _sides(-times, -a[:, None], -apex, -c[:, None])  # (5 apexes, 5, T) each
        falls = fall.transpose(0, 2, 1)
        seen = (rise[:, :, None] * probes).reshape(5, 15, -1) @ falls
        along, level, drift = np.moveaxis(seen.reshape(5, 5, 3, 5), 2, 0)  # (5 apexes, 5 onsets, 5 offsets)
        energies = (rise * rise) @ (falls * falls) - level * level - drift * drift
        explained = np.square(np.maximum(along, 0.0)) / np.maximum(energies, 1e-9) / energy
        # Data that say little change little.
        away = np.abs(apex) + np.abs(a - onset)[:, None] + np.abs(c - offset)
        usable = (apex - a[:, None] > 0.03) & (c - apex > 0.03)
        k = int(np.argmax(np.where(usable, explained - _AWAY * away, -np.inf).transpose(1, 0, 2)))
        best = (float(a[k // 25]), float(b[k // 5 % 5]), float(c[k % 5]))
    return best
