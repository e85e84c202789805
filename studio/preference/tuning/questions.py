"""Which settings to ask about next, so that the best are found by few votes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from studio.preference.tuning.posterior import Posterior
from studio.preference.tuning.votes import Floats, Point

SPREAD, NEAR = 128, 32  # candidates: over the whole box, and around the best so far
NEAR_BY = 0.08  # standard deviation of the latter, of a slider's range
SAMPLES = 256  # of the utility, where the best of more than two is asked for
_erf = np.vectorize(math.erf, otypes=[np.float64])


@dataclass(frozen=True)
class Box:
    """The settings there are: of each number, how many values from its lowest to its highest.

    levels: at least 2 of each.
    """

    levels: tuple[int, ...]

    def snapped(self, points: Floats) -> Floats:
        """Each of [n, d] at the nearest settings there are."""
        gaps = np.array(self.levels, dtype=np.float64) - 1
        return np.round(np.clip(points, 0.0, 1.0) * gaps) / gaps


def candidates(box: Box, rng: np.random.Generator, near: Point, present: Sequence[Point] = ()) -> Floats:
    """Settings to choose among, [n, d], none twice: those present, spread over the box, and some near one of them.

    Those spread are a Latin hypercube (McKay and others, Technometrics 21, 1979).
    """
    count = len(box.levels)
    strata = rng.permuted(np.tile(np.arange(SPREAD, dtype=np.float64), (count, 1)), axis=1).T
    spread = (strata + rng.random((SPREAD, count))) / SPREAD
    around = np.array(near) + NEAR_BY * rng.standard_normal((NEAR, count))
    there = np.array([near, *present], dtype=np.float64).reshape(-1, count)
    return np.unique(np.concatenate([there, box.snapped(np.concatenate([spread, around]))]), axis=0)


def random_question(box: Box, size: int, rng: np.random.Generator) -> tuple[Point, ...]:
    """Settings of `size` pictures, drawn from all there are: what is asked before anything is known.

    Chosen from the first vote on, questions go to the corners of the box, about which least is known.
    """
    while True:
        points = {_point(row): None for row in box.snapped(rng.random((size, len(box.levels))))}
        if len(points) == size:
            return tuple(points)


def next_question(
    posterior: Posterior, box: Box, start: Point, size: int, rng: np.random.Generator
) -> tuple[Point, ...]:
    """The settings of the pictures to compare next, `size` of them: the expected utility of the best is highest.

    It is what somebody who chooses one of them and keeps it may expect. Of two it is exact, of more the picture that
    adds most is taken one after the other, which is within 1 - 1/e of the best (Nemhauser and others, 1978).
    posterior: with the questions that are pending (`fit`), or this one may be asked twice.
    Source: Astudillo and others, "qEUBO", arXiv:2303.15746, equation 2; for two arXiv:2203.11382, section 3.3.
    """
    best = best_point(posterior, box, start, rng)
    table = candidates(box, rng, best, [start, *map(tuple, posterior.points)])
    mean, covariance = posterior.predict(table)
    if size == 2:
        utility = expected_best(mean, covariance)
        chosen = [int(place) for place in np.unravel_index(int(utility.argmax()), utility.shape)]
    else:
        chosen = _greedy(samples(mean, covariance, SAMPLES, rng), size)
    return tuple(_point(table[place]) for place in chosen)


def best_point(posterior: Posterior, box: Box, start: Point, rng: np.random.Generator) -> Point:
    """The settings whose expected utility is highest: of those spread over the box, then twice of those around."""
    best = start
    for _ in range(3):
        table = candidates(box, rng, best, [start, *map(tuple, posterior.points)])
        mean = posterior.mean(table)
        highest = float(mean.max())
        if highest > float(posterior.mean(np.array([best]))[0]):
            best = _point(table[int(mean.argmax())])
    return best


def expected_best(mean: Floats, covariance: Floats) -> Floats:
    """E max(u_i, u_j) of every two, [n, n]; -inf of one and itself.

    Source: Clark, Oper. Res. 9 (1961), equation 2.
    """
    first, second = np.triu_indices(len(mean), 1)
    variance = covariance.diagonal()
    spread = np.sqrt(np.maximum(variance[first] + variance[second] - 2 * covariance[first, second], 1e-18))
    gap = (mean[first] - mean[second]) / spread
    normal = (1 + _erf(gap / math.sqrt(2))) / 2
    density = np.exp(-(gap**2) / 2) / math.sqrt(2 * math.pi)
    utility = np.full(covariance.shape, -np.inf)
    utility[first, second] = mean[first] * normal + mean[second] * (1 - normal) + spread * density
    return np.maximum(utility, utility.T)


def samples(mean: Floats, covariance: Floats, count: int, rng: np.random.Generator) -> Floats:
    """Utilities drawn from the posterior, [count, n]."""
    values, directions = np.linalg.eigh(covariance)
    root = directions * np.sqrt(np.maximum(values, 0.0))
    return mean + rng.standard_normal((count, len(mean))) @ root.T


def _greedy(utilities: Floats, size: int) -> list[int]:
    """Places whose best is highest on average, of [S, n] samples, each time the one that adds most."""
    chosen: list[int] = []
    best = np.full(len(utilities), -np.inf)
    for _ in range(size):
        worth = np.maximum(utilities, best[:, None]).mean(0)
        worth[chosen] = -np.inf
        chosen.append(int(worth.argmax()))
        best = np.maximum(best, utilities[:, chosen[-1]])
    return chosen


def _point(row: Floats) -> Point:
    return tuple(float(value) for value in row)
