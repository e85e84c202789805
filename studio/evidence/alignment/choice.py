"""Which strength an edit is drawn with, chosen on prompts that nothing else is measured on.

The rule was written down before any picture was drawn: of the strengths at which diversity is at least nine tenths of
the base's, and at most five pictures in a hundred more are broken, the one that wins most; where there is none, the one
with the fewest broken pictures, of equals the one that wins most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from studio.evidence.alignment.outcome import mean, of_open
from studio.evidence.alignment.people import Person
from studio.training.evaluate.results import Result

LEAST_DIVERSITY, MOST_BROKEN = 0.9, 0.05


@dataclass(frozen=True)
class Point:
    """One strength on the curve of what is won against what it costs.

    strength: of the edit.
    win: share won, ties half.
    broken: share of broken pictures beyond the base's.
    diversity: over the base's.
    """

    strength: float
    win: float
    broken: float
    diversity: float

    @classmethod
    def of(cls, strength: float, person: Person, results: Sequence[Result], base: Sequence[Result]) -> Point:
        """Measured on open prompts."""
        values = of_open(person, results, base)
        broken = mean(values, "invalid") - mean(values, "invalid_base")
        diversity = mean(values, "diversity") / mean(values, "diversity_base")
        return cls(strength, round(mean(values, "win"), 4), round(broken, 4), round(diversity, 4))

    @property
    def is_sound(self) -> bool:
        """Whether it costs no more than it may."""
        return self.diversity >= LEAST_DIVERSITY and self.broken <= MOST_BROKEN

    def plain(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def chosen(points: Sequence[Point]) -> Point:
    """By the rule; of equals the weakest."""
    sound = [point for point in points if point.is_sound]
    if sound:
        return max(sound, key=lambda point: (point.win, -point.strength))
    return min(points, key=lambda point: (point.broken, -point.win, point.strength))
