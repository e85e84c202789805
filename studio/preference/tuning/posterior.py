"""What votes say of the utility of settings: a Gaussian process, seen through choices, by Laplace's approximation.

Utilities are in logits: of two settings whose utilities differ by u, the better one is preferred in a share
1 / (1 + e^-u) of the votes, ties half. Of several pictures the best is chosen with probabilities softmax(u + b), where
b is what the place on the screen is worth to whoever answers, learned beside the utility and not taken for it.
Sources: Chu, Ghahramani, "Preference learning with Gaussian processes" (ICML 2005), section 2, with the logistic curve
(Bradley-Terry) in place of the normal one; choices among several: Brochu, de Freitas, Ghosh, "Active preference
learning with discrete choice data" (NIPS 2007); length scales that grow with the root of the number of settings:
arXiv:2402.02229, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from studio.preference.tuning.votes import Floats, Point, Vote

AMPLITUDES = (0.5, 1.0, 2.0, 4.0, 8.0)  # logits
LENGTHS = (0.2, 0.4, 0.8)  # of a slider's range
_USUAL = (2.0, 0.4)  # which both are drawn to, by a factor of two either way
_JITTER = 1e-8  # of the variance, so that settings next to each other can be told apart in float64
STEPS, SLOPE = 60, 1e-9  # of Newton's method: at most so many, to where no slope is larger


@dataclass(frozen=True)
class Prior:
    """What is supposed before the first vote.

    amplitude: standard deviation of the utility at any setting, in logits.
    length: over how much of a slider's range the utility changes little, 0 to 1; times the root of their number.
    side: standard deviation of what a place on the screen is worth, in logits.
    """

    amplitude: float = _USUAL[0]
    length: float = _USUAL[1]
    side: float = 0.5

    def covariance(self, first: Floats, second: Floats) -> Floats:
        """Of the utilities at two sets of settings, [n, d] and [m, d]: [n, m]."""
        squares = ((first[:, None] - second[None]) ** 2).sum(-1)
        return self.amplitude**2 * np.exp(-squares / (2 * self.length**2 * max(1, first.shape[1])))

    @property
    def log_weight(self) -> float:
        """How likely these two lengths are beforehand, up to a constant."""
        factors = math.log2(self.amplitude / _USUAL[0]), math.log2(self.length / _USUAL[1])
        return -sum(factor**2 for factor in factors) / 2


PRIORS = tuple(Prior(amplitude, length) for amplitude, length in product(AMPLITUDES, LENGTHS))


@dataclass(frozen=True, eq=False)
class Posterior:
    """The utility after some votes.

    prior: of which it is the posterior.
    points: [n, d], settings that were asked about, or are about to be.
    mode: [n + s], the most likely utilities and side values, whitened: utilities are factor @ mode[:n].
    factor: [n, n], lower Cholesky factor of the prior covariance of the points.
    inverse: [n + s, n + s], covariance of the whitened values.
    sides: who has which place on the screen, in the order of the last s values.
    evidence: logarithm of how likely the votes are under the prior, up to what all priors share.
    """

    prior: Prior
    points: Floats
    mode: Floats
    factor: Floats
    inverse: Floats
    sides: tuple[tuple[str, int], ...]
    evidence: float

    def predict(self, points: Floats) -> tuple[Floats, Floats]:
        """Mean [m] and covariance [m, m] of the utilities at settings [m, d], in logits."""
        count = len(self.points)
        cross = np.linalg.solve(self.factor, self.prior.covariance(self.points, points))  # [n, m]
        mean = cross.T @ self.mode[:count]
        known = cross.T @ (np.eye(count) - self.inverse[:count, :count]) @ cross
        covariance = self.prior.covariance(points, points) - known
        return mean, (covariance + covariance.T) / 2

    def mean(self, points: Floats) -> Floats:
        """Mean alone, [m] of [m, d], which is quicker."""
        weights = np.linalg.solve(self.factor.T, self.mode[: len(self.points)])
        return self.prior.covariance(points, self.points) @ weights


def fit(
    votes: Sequence[Vote], prior: Prior | None = None, pending: Sequence[Sequence[Point]] = (), dims: int = 1
) -> Posterior:
    """The posterior under one prior.

    pending: questions that nobody has answered yet. They change no mean, but what their answers are expected to tell is
        taken as known, so that the next question asks something else (Desautels and others, arXiv:1206.6402, section
        4).
    dims: how many settings there are, where there are neither votes nor questions.
    """
    prior = prior or Prior()
    model = _Model(votes, prior, pending, dims)
    mode = np.zeros(model.size)
    loss = model.loss(mode)
    for _ in range(STEPS):
        slope, curvature = model.slope(mode), model.curvature(mode)
        if np.abs(slope).max(initial=0.0) <= SLOPE:
            break
        step, length = np.linalg.solve(curvature, slope), 1.0
        while (shorter := model.loss(mode - length * step)) > loss and length > 1e-6:
            length /= 2
        mode, loss = mode - length * step, shorter
    curvature = model.curvature(mode)
    log_determinant = float(np.linalg.slogdet(curvature)[1])
    inverse: Floats = np.linalg.inv(curvature + model.expected_curvature(mode)).astype(np.float64, copy=False)
    return Posterior(prior, model.points, mode, model.factor, inverse, model.sides, -loss - log_determinant / 2)


def learn(
    votes: Sequence[Vote],
    pending: Sequence[Sequence[Point]] = (),
    dims: int = 1,
    priors: Sequence[Prior] = PRIORS,
) -> Posterior:
    """The posterior under the prior that makes the votes most likely, weighed by how likely it is itself.

    Source: MacKay, Neural Comput. 4 (1992), section 5 (the evidence).
    """
    posteriors = [fit(votes, prior, pending, dims) for prior in priors]
    return max(posteriors, key=lambda posterior: posterior.evidence + posterior.prior.log_weight)


class _Model:
    """Choices as softmax of rows [V, k, n + s] times whitened values, and what they come to."""

    def __init__(self, votes: Sequence[Vote], prior: Prior, pending: Sequence[Sequence[Point]], dims: int) -> None:
        asked = [point for vote in votes for point in vote.points] + [point for group in pending for point in group]
        places = {point: place for place, point in enumerate(dict.fromkeys(asked))}
        self.points = np.array(list(places), dtype=np.float64).reshape(len(places), len(asked[0]) if asked else dims)
        keys = [(vote.annotator, position) for vote in votes for position in vote.positions]
        sides = {key: len(places) + number for number, key in enumerate(dict.fromkeys(keys))}
        self.sides = tuple(sides)
        self.size = len(places) + len(sides)
        variance = prior.covariance(self.points, self.points) + _JITTER * prior.amplitude**2 * np.eye(len(places))
        self.factor: Floats = np.linalg.cholesky(variance).astype(np.float64, copy=False)
        whole = np.zeros((self.size, self.size))
        whole[: len(places), : len(places)] = self.factor
        whole[len(places) :, len(places) :] = prior.side * np.eye(len(sides))
        self._groups: list[tuple[Floats, Floats, Floats]] = []
        for count in sorted({len(vote.points) for vote in votes}):  # votes about as many pictures at once
            alike = [vote for vote in votes if len(vote.points) == count]
            rows = np.zeros((len(alike), count, self.size))
            for number, vote in enumerate(alike):
                for picture, point in enumerate(vote.points):
                    rows[number, picture] += whole[places[point]]
                    if vote.positions:
                        rows[number, picture] += whole[sides[vote.annotator, vote.positions[picture]]]
            shares = np.array([vote.shares for vote in alike])
            self._groups.append((rows, shares, np.array([vote.weight for vote in alike])))
        self._pending = [whole[[places[point] for point in group]] for group in pending]

    def loss(self, mode: Floats) -> float:
        """Negative logarithm of prior times likelihood, up to a constant."""
        total = float(mode @ mode) / 2
        for rows, shares, weights in self._groups:
            utilities = rows @ mode  # [V, k]
            highest = utilities.max(1)
            log_sum = highest + np.log(np.exp(utilities - highest[:, None]).sum(1))
            total += float(weights @ (log_sum - (shares * utilities).sum(1)))
        return total

    def slope(self, mode: Floats) -> Floats:
        """Its gradient, [n + s]."""
        gradient = mode.copy()
        for rows, shares, weights in self._groups:
            gradient += np.einsum("v,vk,vkn->n", weights, _softmax(rows @ mode) - shares, rows)
        return gradient

    def curvature(self, mode: Floats) -> Floats:
        """Its Hessian, [n + s, n + s]: the identity and what is never negative."""
        hessian = np.eye(self.size)
        for rows, _, weights in self._groups:
            hessian += _fisher(rows, _softmax(rows @ mode), weights)
        return hessian

    def expected_curvature(self, mode: Floats) -> Floats:
        """What the answers to pending questions are expected to add, whichever they will be."""
        total = np.zeros((self.size, self.size))
        for rows in self._pending:
            total += _fisher(rows[None], _softmax(rows[None] @ mode), np.ones(1))
        return total


def _softmax(utilities: Floats) -> Floats:
    powers = np.exp(utilities - utilities.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def _fisher(rows: Floats, shares: Floats, weights: Floats) -> Floats:
    """Sum of weight * rows^T (diag(p) - p p^T) rows."""
    flat, mean = rows.reshape(-1, rows.shape[-1]), np.einsum("vk,vkn->vn", shares, rows)
    return (flat * (weights[:, None] * shares).reshape(-1, 1)).T @ flat - (mean * weights[:, None]).T @ mean
