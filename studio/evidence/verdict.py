"""From two arms' numbers to a verdict: the paired difference, its interval, and which side of the threshold it lies.

Arms draw the same prompts with the same seeds, so they are compared prompt by prompt; seeds of a prompt are averaged
before, and the bootstrap draws prompts, which are what is independent.
"""

from __future__ import annotations

from collections.abc import Sequence

from studio.evidence.claim import Condition, Verdict
from studio.metrics.intervals import Difference


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
