"""What the best settings are so far, how sure that is, and whether further questions can still gain anything."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from studio.preference.tuning.posterior import Posterior
from studio.preference.tuning.questions import Box, best_point, candidates, samples
from studio.preference.tuning.votes import Floats, Point

ENOUGH = 0.6  # share of votes the best there may be would win: what a blind test of 100 pairs can just tell from a coin
CERTAIN = 0.8  # which that share does not exceed with 97.5 %
SAMPLES = 1000
_Z, _ENDS = 1.959963984540054, (2.5, 97.5)  # of 95 %


@dataclass(frozen=True)
class Share:
    """A share of votes that one would win against another, ties half, with its 95 % interval; all from 0 to 1."""

    expected: float
    low: float
    high: float


@dataclass(frozen=True)
class TuningStanding:
    """What is known after some votes.

    votes: that compare something.
    start, best: settings.
    spread: of each setting, between which values the best lies with 95 %.
    against_start: share of votes the best so far would win against the start.
    gain: share of votes that the best there may be would win against the best so far: what all further questions
        together can gain at the very most. 0.5 is nothing.
    fewest: votes before which nothing ends.
    """

    votes: int
    start: Point
    best: Point
    spread: tuple[tuple[float, float], ...]
    against_start: Share
    gain: Share
    fewest: int

    @property
    def is_enough(self) -> bool:
        """Whether what further questions may gain is within the noise of a vote."""
        return self.votes >= self.fewest and self.gain.expected <= ENOUGH and self.gain.high <= CERTAIN

    @property
    def is_better(self) -> bool:
        """Whether the best so far is told from the start."""
        return self.against_start.low > 0.5


def fewest_votes(dims: int) -> int:
    """How many votes there are at least, of so many settings: with fewer, what is supposed weighs more than they."""
    return 6 + 3 * dims


def stand(posterior: Posterior, box: Box, start: Point, votes: int, seed: int = 0) -> TuningStanding:
    """Say what is known. posterior: of the votes alone, without questions that are pending."""
    rng = np.random.default_rng([seed, votes])
    best = best_point(posterior, box, start, rng)
    table = candidates(box, rng, best, [start, *map(tuple, posterior.points)])
    at_best, at_start = (int(np.abs(table - np.array(point)).max(1).argmin()) for point in (best, start))
    mean, covariance = posterior.predict(table)
    drawn = samples(mean, covariance, SAMPLES, rng)
    highest = drawn.argmax(1)
    regrets = _share(drawn.max(1) - drawn[:, at_best])
    low, high = np.percentile(regrets, _ENDS)
    ends = np.percentile(table[highest], _ENDS, axis=0)  # [2, d]
    return TuningStanding(
        votes=votes,
        start=start,
        best=best,
        spread=tuple((float(a), float(b)) for a, b in ends.T),
        against_start=_against(mean, covariance, at_best, at_start),
        gain=Share(float(regrets.mean()), float(low), float(high)),
        fewest=fewest_votes(len(box.levels)),
    )


def along(posterior: Posterior, best: Point, start: Point, dim: int, values: Floats) -> tuple[Floats, Floats, Floats]:
    """Share of votes against the start as one setting goes through values [n], the others at the best: expected, and
    the ends of its 95 % interval, [n] each.
    """
    line = np.tile(np.array(best, dtype=np.float64), (len(values), 1))
    line[:, dim] = values
    mean, covariance = posterior.predict(np.concatenate([line, [start]]))
    gap = mean[:-1] - mean[-1]
    variance = covariance.diagonal()[:-1] + covariance[-1, -1] - 2 * covariance[:-1, -1]
    deviation = np.sqrt(np.maximum(variance, 0.0))
    return _expected(gap, deviation), _share(gap - _Z * deviation), _share(gap + _Z * deviation)


def _against(mean: Floats, covariance: Floats, first: int, second: int) -> Share:
    gap = mean[first] - mean[second]
    variance = covariance[first, first] + covariance[second, second] - 2 * covariance[first, second]
    deviation = math.sqrt(max(0.0, float(variance)))
    ends = _share(np.array([gap - _Z * deviation, gap + _Z * deviation]))
    return Share(float(_expected(np.array(gap), np.array(deviation))), float(ends[0]), float(ends[1]))


def _share(gap: Floats) -> Floats:
    return 1 / (1 + np.exp(-gap))


def _expected(gap: Floats, deviation: Floats) -> Floats:
    """The mean of the share over a normal gap; MacKay, Neural Comput. 4 (1992), 720, equation 10."""
    return _share(gap / np.sqrt(1 + math.pi / 8 * deviation**2))
