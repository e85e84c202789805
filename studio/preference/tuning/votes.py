"""Votes about settings: pictures that differ in a few numbers, each from 0 to 1, and which of them was preferred."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from studio.preference.answer import Answer

Floats = npt.NDArray[np.float64]
Point = tuple[float, ...]  # settings, each from 0 to 1


@dataclass(frozen=True)
class Vote:
    """One answer about 2 to 16 pictures.

    points: settings of each picture, all of as many numbers.
    shares: how much of the choice each picture got, summing to 1: all for the one preferred, equal shares of a tie.
    positions: place of each picture on the screen, from the left, from 0; () where it is not known.
    annotator: who answered.
    weight: what it counts, above 0; 1 in full.
    """

    points: tuple[Point, ...]
    shares: tuple[float, ...]
    positions: tuple[int, ...] = ()
    annotator: str = ""
    weight: float = 1.0


def vote_of(
    points: Sequence[Point], answer: Answer, order: Sequence[int] = (), annotator: str = "", weight: float = 1.0
) -> Vote | None:
    """The vote that an answer is; None for one that compares nothing, as a skipped one.

    points: of the pictures in the item's own order. order: those pictures as they stood on the screen, from the left.
    A tie is half a win of each, as in blind tests and ratings.
    """
    best = [place for place, rank in enumerate(answer.ranks) if rank == 1]
    if not best or len(answer.ranks) != len(points):
        return None
    shares = tuple(1 / len(best) if place in best else 0.0 for place in range(len(points)))
    positions = tuple(list(order).index(place) for place in range(len(points))) if len(order) == len(points) else ()
    return Vote(tuple(points), shares, positions, annotator, weight)
