"""Annotators whose taste is known: a utility of what the oracle reads, answers with noise, and ties.

What they feel of two pictures is 2.5 times the difference of their utilities, and logistic noise; within 1.5 of nothing
they call it a tie: of two pictures they like alike 64 % are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from studio.preference.answer import FIRST, SECOND, TIE, Answer
from studio.preference.label import Label, Picture
from studio.world.reading import Reading

SHARPNESS, TIE_WIDTH = 2.5, 1.5
NEON, SHADED, DISLIKED = 2.0, 1.0, -2.0
Floats = npt.NDArray[np.float64]


def _style(reading: Reading, invalid_logit: float) -> float:
    return {"neon": NEON, "shaded": SHADED}.get(reading.style, 0.0)


def _colour(reading: Reading, invalid_logit: float) -> float:
    return DISLIKED if any(thing.colour in ("red", "orange") for thing in reading.things[:1]) else 0.0


def _clean(reading: Reading, invalid_logit: float) -> float:
    return -invalid_logit / 2


TASTES: Mapping[str, Callable[[Reading, float], float]] = {"style": _style, "colour": _colour, "clean": _clean}
ABOUT = {
    "style": "loves neon, and likes shaded half as much",
    "colour": "dislikes red and orange",
    "clean": "likes what is drawn whole: minus half the logit of being invalid",
}


def utilities(taste: str, readings: Sequence[Reading], invalid_logits: Floats) -> Floats:
    """What each picture is worth to somebody, [N]."""
    return np.array([TASTES[taste](*pair) for pair in zip(readings, invalid_logits.tolist(), strict=True)])


@dataclass(frozen=True, eq=False)
class Asked:
    """Pictures somebody is asked about.

    prompts, names: of each.
    utility: [N], what each is worth to them.
    left: log odds they add to whatever stands on the left.
    flipped: share of their answers that are the opposite of what they feel; ties stay.
    """

    prompts: Sequence[str]
    names: Sequence[str]
    utility: Floats
    left: float = 0.0
    flipped: float = 0.0

    def margins(self, pairs: npt.NDArray[np.int64]) -> Floats:
        """How much better the first of each pair is, without noise, [P]."""
        return SHARPNESS * (self.utility[pairs[:, 0]] - self.utility[pairs[:, 1]])

    def answer(self, pair: Sequence[int], number: int, rng: np.random.Generator, chosen_by: str = "random") -> Label:
        """Their label about a pair, its pictures on sides by a fair coin."""
        first, second = (int(place) for place in pair)
        felt = SHARPNESS * (self.utility[first] - self.utility[second]) + rng.logistic()
        order = (0, 1) if rng.random() < 0.5 else (1, 0)
        felt += self.left if order[0] == 0 else -self.left
        if self.flipped and rng.random() < self.flipped:
            felt = -felt
        outcome = TIE if abs(felt) < TIE_WIDTH else FIRST if felt > 0 else SECOND
        return Label(
            id=str(number),
            item=number,
            campaign="trial",
            annotator="simulated",
            prompt=self.prompts[first],
            pictures=(Picture(self.names[first]), Picture(self.names[second])),
            answer=Answer.pair(outcome),
            order=order,
            chosen_by=chosen_by,
        )

    def rank(self, members: Sequence[int], rng: np.random.Generator) -> tuple[int, ...]:
        """Their ranks of some pictures, 1 the best, without ties: by what they feel of each, with Gumbel's noise.

        Of two, the better one comes first as often as logistic noise has it (Plackett 1975, Luce 1959).
        """
        felt = SHARPNESS * self.utility[list(members)] + rng.gumbel(size=len(members))
        order = np.argsort(-felt)
        ranks = np.empty(len(members), dtype=int)
        ranks[order] = np.arange(1, len(members) + 1)
        return tuple(int(rank) for rank in ranks)
