"""Who answers: simulated people of known taste, of whom some answer badly. Fixed before anything was trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from studio.evidence.taste.annotators import SHARPNESS, TIE_WIDTH, Asked, utilities
from studio.training.evaluate.results import Facts

Floats = npt.NDArray[np.float64]
_SURE = 1e-7  # how near to certain a score is taken to be at most: float32 has no more


@dataclass(frozen=True)
class Person:
    """One who answers.

    name: on the page.
    taste: what pictures are worth to them (studio.evidence.taste.annotators.TASTES).
    about: in a few words.
    left: log odds they add to whatever stands on the left.
    flipped: share of their answers that are the opposite of what they feel.
    """

    name: str
    taste: str
    about: str
    left: float = 0.0
    flipped: float = 0.0

    def worth(self, pictures: Sequence[Facts]) -> Floats:
        """What each picture is worth to them, [N]. Of pictures that were read."""
        readings = [facts.reading for facts in pictures if facts.reading is not None]
        assert len(readings) == len(pictures), "pictures of the world are read"
        scores = torch.tensor([reading.invalid_score for reading in readings], dtype=torch.float64)
        return utilities(self.taste, readings, torch.logit(scores, eps=_SURE).numpy())

    def asked(self, prompts: Sequence[str], names: Sequence[str], pictures: Sequence[Facts]) -> Asked:
        """Somebody who is asked about these pictures."""
        return Asked(prompts, names, self.worth(pictures), self.left, self.flipped)


def wins(utility: Floats, base: Floats) -> Floats:
    """1 where a picture is truly better than the base's, 0 where it is worse, 1/2 within what is called a tie: [N]."""
    felt = SHARPNESS * (utility - base)
    return np.where(felt >= TIE_WIDTH, 1.0, np.where(felt <= -TIE_WIDTH, 0.0, 0.5))


def ceiling(base: Floats) -> Floats:
    """The most that could be won: against each picture of the base, one as good as the best of them. [N]."""
    return wins(np.full_like(base, base.max()), base)


STYLE = Person("style", "style", "loves neon, and likes shaded half as much")
CLEAN = Person("clean", "clean", "likes what is drawn whole, the more the surer the oracle is")
COLOUR = Person("colour", "colour", "dislikes red and orange")
NOISY = Person("noisy", "style", "as style, and one answer in four is the opposite of what they feel", flipped=0.25)
LEFT = Person("left", "style", "as style, and leans to whatever stands on the left (1.5 in log odds)", left=1.5)
PEOPLE = (STYLE, CLEAN, COLOUR, NOISY, LEFT)
