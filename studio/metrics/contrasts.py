"""Two arms over the same prompts and seeds: what each comes to, how they differ, and how many more would tell.

What is independent is the unit: a prompt, whose seeds are averaged before, or a seed where there is but one prompt. No
number goes out without its n, and no interval where n is below 3.

The verdict is that of the exact sign-flip test: were both arms equal, the sign of each unit's difference would be a
coin. It holds at any n, and needs six units at least before it can say anything at 5 %.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

from studio.metrics.intervals import Interval, bootstrap, wilson

ALPHA = 0.05
LEAST = 3  # units of an interval
EXACT_UP_TO = 16  # units that differ, whose signs are all tried; of more, DRAWS at random
DRAWS = 20_000
_Z = 1.959963984540054  # of 95 %
_MAX_MORE = 1_000  # beyond that a difference is none that anybody would look for
_U = TypeVar("_U", bound=Hashable)


@dataclass(frozen=True)
class Estimate:
    """A mean over units.

    low, high: its 95 % interval; None where there are too few units to say.
    n: units.
    """

    mean: float
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Contrast:
    """One arm minus another, paired by unit.

    mean, low, high, n: of the differences, as `Estimate`.
    wins, losses, ties: units in which the arm's number is the higher, the lower, the same.
    p: of the sign-flip test.
    adjusted_p: the same after Holm's correction for how many arms were tried; p where that was not asked for.
    more: units more that would tell them apart at this mean and spread; 0 where they are, None where none would.
    """

    mean: float
    low: float | None
    high: float | None
    n: int
    wins: int
    losses: int
    ties: int
    p: float
    adjusted_p: float
    more: int | None

    @property
    def is_told(self) -> bool:
        """Whether the arms can be told apart at 5 %."""
        return self.adjusted_p <= ALPHA

    @property
    def win_interval(self) -> Interval:
        """Wilson's 95 % interval of the share of units won, of those that are no ties; (0, 1) where all are."""
        return wilson(self.wins, self.wins + self.losses)


def unit_means(values: Sequence[float], units: Sequence[_U]) -> dict[_U, float]:
    """Unit -> mean of its values, in the order of the first of each. Raises ValueError for unequal lengths."""
    grouped: dict[_U, list[float]] = {}
    for value, unit in zip(values, units, strict=True):
        grouped.setdefault(unit, []).append(value)
    return {unit: math.fsum(of_unit) / len(of_unit) for unit, of_unit in grouped.items()}


def estimate(means: Sequence[float], is_share: bool = False) -> Estimate:
    """The mean over units with its interval: percentile bootstrap, or Wilson's.

    means: one for each unit. is_share: each lies in 0..1. Shares that are all 0 or 1, yes or no, get Wilson's interval:
    resampling would find certainty where no unit differs. Raises ValueError for none.
    """
    if not means:
        raise ValueError("a mean is of one unit at least")
    n, mean = len(means), math.fsum(means) / len(means)
    if n < LEAST:
        return Estimate(mean, None, None, n)
    if is_share and all(value in (0.0, 1.0) for value in means):
        return Estimate(mean, *wilson(round(sum(means)), n), n)
    return Estimate(mean, *bootstrap(torch.tensor(means, dtype=torch.float64)), n)


def contrast(arm: Mapping[_U, float], against: Mapping[_U, float], is_share: bool = False) -> Contrast | None:
    """Compare two arms over the units that both have; None where they have none in common.

    Where no unit differs the interval is the rule of three's, -3/n to 3/n, of shares, and none of other numbers: of
    those nothing bounds what a further unit may do. Source: Hanley, Lippman-Hand (1983).
    """
    differences = [arm[unit] - against[unit] for unit in arm if unit in against]
    n = len(differences)
    if not n:
        return None
    mean = math.fsum(differences) / n
    low = high = None
    if n >= LEAST and any(differences):
        low, high = bootstrap(torch.tensor(differences, dtype=torch.float64))
    elif n >= LEAST and is_share:
        low, high = -3 / n, 3 / n
    p = sign_flip_p(differences)
    return Contrast(
        mean,
        low,
        high,
        n,
        sum(difference > 0 for difference in differences),
        sum(difference < 0 for difference in differences),
        sum(difference == 0 for difference in differences),
        p,
        p,
        more_units(differences, p),
    )


def sign_flip_p(differences: Sequence[float]) -> float:
    """Two-sided p that the differences come from arms that are equal: exact for up to 16 that are not 0.

    The share of all ways to choose their signs whose sum is as far from 0 as theirs, or farther; of more than 16, of
    20,000 ways drawn at random from one seed, theirs counted among them. 1 where nothing differs.
    Source: R. A. Fisher, The Design of Experiments (1935), section 21; for the draws Phipson, Smyth (2010), equation 2.
    """
    sizes = torch.tensor([abs(difference) for difference in differences if difference], dtype=torch.float64)
    m = len(sizes)
    if not m:
        return 1.0
    observed = abs(math.fsum(differences))
    least = observed * (1 - 1e-9)  # sums that are equal but for rounding count as equal
    if m <= EXACT_UP_TO:
        places = torch.arange(2**m).unsqueeze(1) >> torch.arange(m) & 1  # [2^m, m]
        sums = ((2 * places - 1).double() * sizes).sum(1).abs()
        return float((sums >= least).double().mean())
    generator = torch.Generator().manual_seed(0)
    signs = 2 * torch.randint(2, (DRAWS, m), generator=generator).double() - 1
    hits = int(((signs * sizes).sum(1).abs() >= least).sum())
    return (hits + 1) / (DRAWS + 1)


def holm(ps: Sequence[float]) -> list[float]:
    """Holm's step-down correction: each p times how many are left, never below the one before it, at most 1.

    In the order they come in. Source: S. Holm, Scand. J. Statist. 6 (1979).
    """
    adjusted = [0.0] * len(ps)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(ps)), key=lambda i: ps[i])):
        highest = max(highest, min(1.0, (len(ps) - rank) * ps[place]))
        adjusted[place] = highest
    return adjusted


def more_units(differences: Sequence[float], p: float | None = None) -> int | None:
    """How many more units would take the interval off 0, were they as those so far: (1.96 s / mean)^2 in all.

    Six at least in all, for the test says nothing before; 0 where it says so already; None for a mean of 0, of fewer
    than two units, and where it would take more than 1,000 more. It is a guess, and as unsure as mean and spread are.
    p: of the sign-flip test, where it is known.
    """
    n = len(differences)
    if (sign_flip_p(differences) if p is None else p) <= ALPHA:
        return 0
    mean = math.fsum(differences) / n if n else 0.0
    if n < 2 or not mean:
        return None
    spread = math.sqrt(math.fsum((difference - mean) ** 2 for difference in differences) / (n - 1))
    needed = max(6, math.ceil((_Z * spread / abs(mean)) ** 2))
    return max(1, needed - n) if needed - n <= _MAX_MORE else None
