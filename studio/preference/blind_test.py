"""A blind test of one recipe against another: how often it won, how sure that is, and when enough was asked.

One may look after every answer and stop when one likes: the evidence against "both are as good" is a likelihood ratio,
the mixture over all win rates against 1/2,

    E = 2^n B(w + 1, l + 1),  n = w + l decided answers

which exceeds 1/a with a chance of at most a however long one goes on, where both are as good (Ville 1939; Robbins,
Ann. Math. Stat. 41, 1970). Ties decide nothing and count half in the win rate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from studio.core.recipe import Recipe
from studio.preference.label import Label

ALPHA = 0.05  # chance of calling two that are as good different, however long one goes on
_Z = 1.959963984540054  # of 95 %


@dataclass(frozen=True)
class Outcome:
    """What came of a blind test so far.

    wins, losses, ties: of the recipe that is tested. skips: answers that say nothing.
    """

    wins: int
    losses: int
    ties: int
    skips: int = 0

    @property
    def answers(self) -> int:
        """Those that say something."""
        return self.wins + self.losses + self.ties

    @property
    def win_rate(self) -> float | None:
        """Share won, ties half; None without an answer."""
        return (self.wins + self.ties / 2) / self.answers if self.answers else None

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval of the win rate; (0, 1) without an answer.

        Of half wins too it is no narrower than of whole ones, for ties vary less.
        """
        n = self.answers
        if not n:
            return 0.0, 1.0
        share, shrink = (self.wins + self.ties / 2) / n, 1 + _Z * _Z / n
        centre = (share + _Z * _Z / (2 * n)) / shrink
        half = _Z / shrink * math.sqrt(share * (1 - share) / n + _Z * _Z / (4 * n * n))
        return max(0.0, centre - half), min(1.0, centre + half)

    @property
    def evidence(self) -> float:
        """E: how much likelier the decided answers are under some difference than under none; 1 without any."""
        n = self.wins + self.losses
        log_e = n * math.log(2) + math.lgamma(self.wins + 1) + math.lgamma(self.losses + 1) - math.lgamma(n + 2)
        return math.exp(min(log_e, 700.0))

    @property
    def is_decided(self) -> bool:
        """Whether one of the two is better, at ALPHA; asking on changes nothing of that."""
        return self.evidence >= 1 / ALPHA

    @property
    def more_needed(self) -> int | None:
        """How many more decided answers it takes at the rate of so far; None where it is decided, or even so far."""
        n = self.wins + self.losses
        if self.is_decided or self.wins == self.losses:
            return None
        share = self.wins / n
        for count in range(1, 10_000):
            wins = self.wins + count * share
            total = n + count
            log_e = total * math.log(2) + math.lgamma(wins + 1) + math.lgamma(total - wins + 1) - math.lgamma(total + 2)
            if log_e >= math.log(1 / ALPHA):
                return count
        return None

    @property
    def verdict(self) -> str:
        """One sentence."""
        if not self.answers:
            return "Nothing has been answered yet."
        if self.is_decided:
            return "The new one is preferred." if self.wins > self.losses else "The old one is preferred."
        if self.wins + self.losses == 0:
            return f"All {self.ties} answers are ties: people see no difference so far."
        answers_needed = self.more_needed
        ask = f"; {answers_needed} more decided answers would tell at this rate" if answers_needed is not None else ""
        return f"Not told apart yet{ask}."

    def plain(self) -> dict[str, Any]:
        """All of it as plain values, for programs; low and high are the interval's ends."""
        low, high = self.interval
        return {
            "wins": self.wins,
            "losses": self.losses,
            "ties": self.ties,
            "skips": self.skips,
            "win_rate": self.win_rate,
            "low": low,
            "high": high,
            "evidence": self.evidence,
            "decided": self.is_decided,
            "more_needed": self.more_needed,
        }


def outcome_of(labels: Iterable[Label], edit: str) -> Outcome:
    """Count answers about pairs of which one picture was drawn with an edit and the other without.

    edit: as recipes name it. Attention checks, repeats and what was not blind do not count, nor do other pairs.
    """

    def side(recipe: Recipe) -> bool:
        return any(ref.edit == edit and ref.strength for ref in recipe.edits)

    return _counted(labels, side)


def outcome_between(labels: Iterable[Label], reference: Recipe, tested: Recipe) -> Outcome:
    """The same of pairs of which one picture was drawn by `tested` and the other by `reference`.

    Both with every parameter said, as pictures have it; prompt and seed do not count, nor how it was batched.
    """
    kinds = {kind_of(tested): True, kind_of(reference): False}
    return _counted(labels, lambda recipe: kinds.get(kind_of(recipe)))


def _counted(labels: Iterable[Label], side: Callable[[Recipe], bool | None]) -> Outcome:
    """side: of a picture's recipe, True where it is of what is tested, False of the other, None of neither."""
    wins = losses = ties = skips = 0
    for label in labels:
        if label.purpose != "eval" or not label.is_blind or label.is_withdrawn or len(label.pictures) != 2:
            continue
        sides = [None if picture.recipe is None else side(picture.recipe) for picture in label.pictures]
        if sides not in ([True, False], [False, True]):
            continue
        comparisons = label.answer.comparisons()
        if comparisons:
            is_won = sides[comparisons[0].winner] is True
            wins, losses = wins + is_won, losses + (not is_won)
        elif label.answer.ties():
            ties += 1
        else:
            skips += 1
    return Outcome(wins, losses, ties, skips)


def kind_of(recipe: Recipe) -> Recipe:
    """What of a recipe a test is about: all but prompt and seed."""
    return recipe.model_copy(
        update={"prompt": "", "seed": 0, "variation_seed": None, "variation_strength": 0.0, "batching": "shared"}
    )
