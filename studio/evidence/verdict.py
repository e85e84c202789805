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

    Raises ValueError for unequal or empty lists. Source: Efron, Tibshirani (1993), chapter 13 (percentile bootstrap).
    """
    if arm.shape != against.shape or arm.dim() != 1:
        raise ValueError(f"arms must be one value per prompt each, not {tuple(arm.shape)} and {tuple(against.shape)}")
    differences = arm.double() - against.double()
    return Difference(float(differences.mean()), *bootstrap(differences))


def judge(condition: Condition, difference: Difference) -> Verdict:
    """Hold a difference against what is wanted.

    The whole interval beyond the threshold: holds; all of it short of it: does not hold; else, and where an end is the
    threshold itself, inconclusive. The threshold is the margin in the wanted direction for "higher" and "lower", and
    against it for "no lower" and "no higher".
    """
    up = condition.want in ("higher", "no lower")
    low, high = (difference.low, difference.high) if up else (-difference.high, -difference.low)
    threshold = condition.margin if condition.want in ("higher", "lower") else -condition.margin
    if low > threshold:
        return "holds"
    return "does not hold" if high < threshold else "inconclusive"


def overall(verdicts: Sequence[Verdict]) -> Verdict:
    """All conditions have to hold; one that does not settles it."""
    if "does not hold" in verdicts:
        return "does not hold"
    return "inconclusive" if "inconclusive" in verdicts else "holds"
