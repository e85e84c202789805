"""Which pair to ask about next: what its answer would teach, how unlike the others it is, and a share left to chance.

How right a model is can only be told by pairs that nobody chose for their answer; so of every batch a share is drawn
evenly from all candidates, and says so. Before anything is learned all are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Pair = tuple[str, str]  # sha256 of two pictures
ChosenBy = Literal["bald", "random"]

RANDOM_SHARE = 0.2
NEAR_DUPLICATE = 0.98  # cosine of two pictures' features
SHORTLIST = 4  # times the batch: the candidates among which unlike ones are taken
_TO_PROBIT = math.pi / 8  # of a variance in logits: the logistic curve is a normal one of this much wider noise
_C_SQUARED = math.pi * math.log(2) / 2
_erf = np.vectorize(math.erf, otypes=[np.float64])


@dataclass(frozen=True)
class Proposal:
    """One pair to ask about.

    pair: place among the candidates.
    chosen_by: goes into the label.
    score: of `bald`; 0 for one drawn at random.
    """

    pair: int
    chosen_by: ChosenBy
    score: float = 0.0


def bald(mean: Floats, variance: Floats) -> Floats:
    """Bits that an answer is expected to tell about the model, [n], never below 0.

    mean, variance: of the margin in logits. High where the model is unsure; not where it is sure that both are equal.
    Source: Houlsby and others, arXiv:1112.5745, equation 3 with the approximation of section 3.1, in probit form.
    """
    mean, variance = mean * math.sqrt(_TO_PROBIT), variance * _TO_PROBIT
    of_mean = _entropy(_normal(mean / np.sqrt(variance + 1)))
    spread = variance + _C_SQUARED
    mean_of = math.sqrt(_C_SQUARED) / np.sqrt(spread) * np.exp(-(mean**2) / (2 * spread))
    return np.maximum(0.0, of_mean - mean_of)


def eligible(
    pairs: Sequence[Pair], answered: Collection[frozenset[str]], features: Callable[[str], Floats | None]
) -> list[int]:
    """Places of the pairs that may be asked: of two pictures that look unlike, not answered before.

    answered: pairs this annotator has answered, in either order.
    features: of a picture by its sha256, [F]; None where they are not known, and then it counts as unlike.
    """
    units: dict[str, Floats | None] = {}

    def unit(name: str) -> Floats | None:
        if name not in units:
            values = features(name)
            units[name] = None if values is None else values / max(1e-12, float(np.linalg.norm(values)))
        return units[name]

    def is_alike(first: str, second: str) -> bool:
        a, b = unit(first), unit(second)
        return a is not None and b is not None and float(a @ b) > NEAR_DUPLICATE

    return [
        place
        for place, (first, second) in enumerate(pairs)
        if first != second and frozenset((first, second)) not in answered and not is_alike(first, second)
    ]


def propose(
    places: Sequence[int],
    batch: int,
    rng: np.random.Generator,
    mean: Floats | None = None,
    variance: Floats | None = None,
    differences: Floats | None = None,
    random_share: float = RANDOM_SHARE,
) -> list[Proposal]:
    """The next pairs, at most `batch`, in the order they should be asked: those of `bald`, and of chance among them.

    places: of the candidates (`eligible`).
    mean, variance: of every pair's margin, also of those that are no candidates; needed unless all are drawn at random.
    differences: of every pair's features, [n, k]: with them a batch is made of unlike ones.
    """
    places = list(places)
    batch = min(batch, len(places))
    if mean is None or variance is None:
        return [Proposal(int(place), "random") for place in rng.permutation(places)[:batch]]
    by_chance = min(batch, math.ceil(batch * random_share))
    by_lot = {int(place) for place in rng.permutation(places)[:by_chance]}
    scores = bald(mean, variance)
    ranked = sorted((place for place in places if place not in by_lot), key=lambda place: -scores[place])
    best = ranked[: batch - by_chance]
    if differences is not None:
        best = spread_out(ranked[: SHORTLIST * (batch - by_chance)], differences, batch - by_chance)
    proposals = [Proposal(place, "bald", float(scores[place])) for place in best]
    for place in sorted(by_lot):
        proposals.insert(int(rng.integers(len(proposals) + 1)), Proposal(place, "random"))
    return proposals


def spread_out(places: Sequence[int], differences: Floats, number: int) -> list[int]:
    """So many of the places, the first of them and then always the one farthest from those taken.

    differences: of every pair's features, [n, k]; a pair and the same the other way round are one.
    Source: Gonzalez, Theor. Comput. Sci. 38 (1985), section 2 (greedy k-centre).
    """
    if number <= 0 or not places:
        return []
    table = differences[list(places)]
    centres = [0]
    distance = _distance(table, table[0])
    while len(centres) < min(number, len(places)):
        distance[centres] = -1
        centres.append(int(distance.argmax()))
        distance = np.minimum(distance, _distance(table, table[centres[-1]]))
    return [places[place] for place in centres]


def _distance(table: Floats, row: Floats) -> Floats:
    """From a pair to each of others, whichever way round."""
    return np.minimum(np.linalg.norm(table - row, axis=1), np.linalg.norm(table + row, axis=1))


def _normal(x: Floats) -> Floats:
    return (1 + _erf(x / math.sqrt(2))) / 2


def _entropy(p: Floats) -> Floats:
    """Of a coin, in bits; 0 at 0 and 1."""
    p = np.clip(p, 1e-300, 1 - 1e-16)
    return -(p * np.log2(p) + (1 - p) * np.log1p(-p) / math.log(2))
