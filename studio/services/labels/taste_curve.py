"""How much a taste model gains with every answer: its learning curve, and what may be said of each of its points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from studio.preference.taste.answers import Answers
    from studio.preference.taste.assessment import Assessment

SIZES = (10, 20, 40, 80, 160, 320, 640)
LEARNED_FROM = 0.8  # of the answers: the rest are held out


@dataclass(frozen=True)
class CurvePoint:
    """One point.

    labels: answers that were learned from.
    accuracy, low, high: share of held-out preferences predicted right, with its 95 % interval.
    n: held-out preferences.
    """

    labels: int
    accuracy: float
    low: float
    high: float
    n: int


def curve_of(features: Tensor, answers: Answers, assessment: Assessment) -> list[CurvePoint]:
    """The points of a taste that is learned, fewest answers first; [] where none can be held out.

    features: [N, F], as the taste was learned on. Takes seconds: five models for each point.
    """
    from studio.metrics.intervals import wilson
    from studio.preference.taste.validation import learning_curve

    if assessment.held_out is None:
        return []
    most = int(LEARNED_FROM * len(answers.labels))
    sizes = sorted({*(size for size in SIZES if size < most), most})
    points = learning_curve(assessment.taste.basis(features), answers, assessment.taste.settings, sizes)
    return [CurvePoint(size, hits / n, *wilson(round(hits), n), n) for size, hits, n in points if n]
