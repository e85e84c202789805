"""From two arms' numbers to a verdict: the paired difference, its interval, and which side of the threshold it lies.

Arms draw the same prompts with the same seeds, so they are compared prompt by prompt; seeds of a prompt are averaged
before, and the bootstrap draws prompts, which are what is independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from studio.evidence.claim import Condition, Verdict
from studio.metrics.intervals import bootstrap


class Difference(NamedTuple):
    """Mean of arm minus against over prompts, and its 95 % interval."""

    mean: float
    low: float
    high: float


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


def judge(condition: Condition, difference: Difference) -> Verdict:
    """Hold a difference against what is wanted; the margin is the smallest difference that would matter.

    A gain ("higher", "lower") holds where the whole interval lies beyond zero, and does not hold where all of it stays
    short of the margin: worse, the same, or better by less than matters. No loss ("no lower", "no higher") holds where
    the whole interval is above a loss of the margin, and does not hold where all of it is below. Else, and where an end
    is the threshold itself, inconclusive.
    """
    up = condition.want in ("higher", "no lower")
    low, high = (difference.low, difference.high) if up else (-difference.high, -difference.low)
    gain = condition.want in ("higher", "lower")
    enough, short = (0.0, condition.matters) if gain else (-condition.matters, -condition.matters)
    if high < short:
        return "does not hold"
    return "holds" if low > enough else "inconclusive"


def overall(verdicts: Sequence[Verdict]) -> Verdict:
    """All conditions have to hold; one that does not settles it."""
    if "does not hold" in verdicts:
        return "does not hold"
    return "inconclusive" if "inconclusive" in verdicts else "holds"
