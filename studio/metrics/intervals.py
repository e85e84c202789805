"""How sure a share or a mean is: 95 % intervals that go beside every number shown.

Shares of independent yes-or-no outcomes get Wilson's interval, which stays inside 0..1 and does not shrink to a point
at 0 or 1. Everything else gets the percentile bootstrap over prompts; several seeds of a prompt are averaged before.
"""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

import torch
from torch import Tensor

RESAMPLES = 2000


class Interval(NamedTuple):
    """Both ends belong to it; low <= high."""

    low: float
    high: float


class Difference(NamedTuple):
    """Mean of arm minus against over prompts, and its 95 % interval."""

    mean: float
    low: float
    high: float


def wilson(hits: int, n: int, confidence: float = 0.95) -> Interval:
    """Interval of a share: `hits` of `n` independent trials. n = 0 gives (0, 1): nothing is known.

    Raises ValueError unless 0 <= hits <= n and 0 < confidence < 1. Source: E. B. Wilson, J. Am. Stat. Assoc. 22 (1927),
    p. 209; in the form of Brown, Cai, DasGupta (2001), equation 4.
    """
    if not 0 <= hits <= n:
        raise ValueError(f"hits must lie in 0..{n}, not {hits}")
    z = _normal_quantile(confidence)
    if n == 0:
        return Interval(0.0, 1.0)
    share, shrink = hits / n, 1 + z * z / n
    centre = (share + z * z / (2 * n)) / shrink
    half = z / shrink * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    # At hits = 0 and hits = n one end is exact, and rounding would move it to the wrong side.
    return Interval(0.0 if hits == 0 else centre - half, 1.0 if hits == n else centre + half)


def _first_mean(means: Tensor) -> Tensor:
    return means[:, 0]


def bootstrap(
    values: Tensor,
    statistic: Callable[[Tensor], Tensor] = _first_mean,
    *,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap over the rows of `values`; the same seed gives the same interval.

    values: [n] or [n, k], one row per prompt, k quantities measured on the same prompt (so differences and ratios are
    paired). statistic: from the resampled means [R, k] to [R]; by default the mean itself, or say the ratio
    `lambda means: means[:, 0] / means[:, 1]`.
    Raises ValueError for no rows or values that are not numbers. Source: Efron, Tibshirani (1993), chapter 13.
    """
    rows = values.double().cpu().reshape(len(values), -1) if len(values) else values.double().reshape(0, 1)
    if not len(rows) or not bool(torch.isfinite(rows).all()):
        raise ValueError("a bootstrap needs at least one row, and only numbers")
    tail = 50 * (1 - confidence)
    _normal_quantile(confidence)
    generator = torch.Generator().manual_seed(seed)
    picks = torch.randint(len(rows), (resamples, len(rows)), generator=generator)  # [R, n]
    outcomes = statistic(rows[picks].mean(1))  # [R]
    low, high = torch.quantile(outcomes, torch.tensor([tail / 100, 1 - tail / 100], dtype=torch.float64)).tolist()
    return Interval(low, high)


def paired(arm: Tensor, against: Tensor) -> Difference:
    """Compare two arms. arm, against: [P], one value per prompt, in the same order.

    Where no prompt differs at all, resampling would find certainty; but what happens to fewer than three prompts in n
    is missed by n of them one time in twenty, and a prompt differs by 1 at most: the interval is -3/n to 3/n.

    Raises ValueError for unequal or empty lists. Source: Efron, Tibshirani (1993), chapter 13 (percentile bootstrap);
    Hanley, Lippman-Hand (1983) (the rule of three).
    """
    if arm.shape != against.shape or arm.dim() != 1:
        raise ValueError(f"arms must be one value per prompt each, not {tuple(arm.shape)} and {tuple(against.shape)}")
    differences = arm.double() - against.double()
    if len(differences) and not differences.any():
        return Difference(0.0, -3 / len(differences), 3 / len(differences))
    return Difference(float(differences.mean()), *bootstrap(differences))


def crossed(
    values: Tensor,
    statistic: Callable[[Tensor], Tensor] = _first_mean,
    *,
    resamples: int = RESAMPLES,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """Percentile bootstrap over trainings and prompts at once; the same seed gives the same interval.

    values: [T, P] or [T, P, k], k quantities of each prompt under each training; both are drawn anew, each by itself,
    so that what a training comes to by chance is in the interval too. Of one training it is `bootstrap` over its
    prompts; of a few it is somewhat too narrow, for there are few ways to draw them.
    statistic: from the resampled means [R, k] to [R]; by default the first mean itself.
    Raises ValueError for no values, or some that are not numbers. Source: Owen, Ann. Appl. Stat. 1 (2007), the
    pigeonhole bootstrap.
    """
    table = values.double().cpu()
    table = table[..., None] if table.dim() == 2 else table
    if table.dim() != 3 or not table.numel() or not bool(torch.isfinite(table).all()):
        raise ValueError("a bootstrap needs at least one training and one prompt, and only numbers")
    tail = 50 * (1 - confidence)
    _normal_quantile(confidence)
    generator = torch.Generator().manual_seed(seed)
    trainings, prompts = (_draws(count, resamples, generator) for count in table.shape[:2])
    outcomes = statistic(torch.einsum("rt,tpk,rp->rk", trainings, table, prompts))
    low, high = torch.quantile(outcomes, torch.tensor([tail / 100, 1 - tail / 100], dtype=torch.float64)).tolist()
    return Interval(low, high)


def _draws(count: int, resamples: int, generator: torch.Generator) -> Tensor:
    """What each of `count` counts in each resample, summing to 1: [R, count] float64."""
    picks = torch.randint(count, (resamples, count), generator=generator)
    ones = torch.full(picks.shape, 1 / count, dtype=torch.float64)
    return torch.zeros(resamples, count, dtype=torch.float64).scatter_add_(1, picks, ones)


def _normal_quantile(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, not {confidence}")
    return NormalDist().inv_cdf(0.5 + confidence / 2)
