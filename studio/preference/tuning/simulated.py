"""People of known taste, who answer with noise: what a tuning is tried on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from studio.preference.answer import FIRST, SECOND, Answer
from studio.preference.tuning.votes import Point


@dataclass(frozen=True)
class SimulatedVoter:
    """Somebody who likes settings the less, the farther they are from the best.

    best: settings, each from 0 to 1.
    clarity: by how many logits the best is liked more than what is half a range away in one setting.
    side: what the leftmost picture is worth to them, in logits.
    """

    best: Point
    clarity: float = 4.0
    side: float = 0.0

    def utility(self, point: Point) -> float:
        """In logits; 0 at the best."""
        return -self.clarity * float(((np.array(point) - np.array(self.best)) ** 2).sum()) / 0.25

    def answer(self, points: Sequence[Point], rng: np.random.Generator, order: Sequence[int] = ()) -> Answer:
        """An answer about pictures of these settings, in their order, by Luce's rule of choice.

        order: pictures as they stand on the screen, from the left.
        """
        utilities = np.array([self.utility(point) for point in points])
        if order:
            utilities[order[0]] += self.side
        chosen = int((utilities + rng.gumbel(size=len(points))).argmax())
        return Answer.pair((FIRST, SECOND)[chosen]) if len(points) == 2 else Answer.best(chosen, len(points))
