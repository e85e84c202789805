"""Which state of a training is kept, at which strength: what its pictures say decides, and never its margin.

A state is a sight of held-out prompts, drawn with it and beside the base's. Of all within the bounds the one that would
be preferred most often is kept; the one that would be preferred most of all is told beside it, so that whoever wants
more knows the price.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import Any

from studio.training.lora.policies import JudgedPlan

NO_EFFECT = 1.0  # levels of 255: what no eye sees in a picture


@dataclass(frozen=True)
class Sight:
    """What held-out prompts look like with a state of the training.

    step, strength: which state, and how strongly it acts.
    won: share expected to be preferred to the base's pictures, ties half; nan where no taste is known.
    broken: share that the oracle calls invalid; nan of other models.
    diversity: how far a prompt's pictures are apart, of the base's; nan of one seed.
    change: mean difference from the base's pictures, in levels of 255.
    """

    step: int
    strength: float
    won: float
    broken: float
    diversity: float
    change: float

    @property
    def worth(self) -> tuple[float, float]:
        """By which sights are ordered: what is expected to win, or, where that is unknown, how far it went."""
        return (0.0 if math.isnan(self.won) else self.won, self.step * self.strength)

    def row(self) -> list[float]:
        """As numbers."""
        return [float(value) for value in astuple(self)]

    @classmethod
    def of(cls, row: Sequence[float]) -> Sight:
        """The reverse of `row`."""
        step, *rest = row
        return cls(int(step), *rest)

    def plain(self) -> dict[str, Any]:
        """What is known of it."""
        return {name: value for name, value in vars(self).items() if not math.isnan(value)}


@dataclass(frozen=True)
class Choice:
    """best: what is kept. furthest: what would be preferred most, whatever it breaks. is_within: whether best is."""

    best: Sight
    furthest: Sight
    is_within: bool


def excess(sight: Sight, base_broken: float, plan: JudgedPlan) -> float:
    """How far a sight is beyond the bounds, 0 within. base_broken: share of the base's, nan where unknown."""
    rise = 0.0 if math.isnan(sight.broken) else sight.broken - base_broken - plan.more_broken
    lack = 0.0 if math.isnan(sight.diversity) else plan.least_diversity - sight.diversity
    return max(0.0, rise) + max(0.0, lack)


def choose(sights: Sequence[Sight], base_broken: float, plan: JudgedPlan) -> Choice:
    """Choose among sights, at least one."""
    furthest = max(sights, key=lambda sight: sight.worth)
    within = [sight for sight in sights if excess(sight, base_broken, plan) <= 1e-9]
    if within:
        return Choice(max(within, key=lambda sight: sight.worth), furthest, True)
    return Choice(min(sights, key=lambda sight: excess(sight, base_broken, plan)), furthest, False)


def in_words(choice: Choice, base_broken: float, pictures: int) -> str:
    """What is kept and what it costs, in sentences. pictures: of a sight."""
    best, furthest = choice.best, choice.furthest
    if best.change < NO_EFFECT and furthest.change < NO_EFFECT:
        return (
            f"No effect: the {pictures} held-out pictures are as they were (they differ by {best.change:.1f} of 255). "
            "Train it for longer, at a higher learning rate, or with a smaller beta."
        )
    sentences = [f"Kept {_state(best)}: {_facts(best, base_broken)}, over {pictures} held-out pictures."]
    if not choice.is_within:
        sentences.append("Everything it came to breaks more pictures or is less diverse than it may be; this least.")
    if furthest.worth > best.worth:
        sentences.append(f"It can go further, {_state(furthest)}: {_facts(furthest, base_broken)}.")
    if furthest.worth > best.worth and furthest.step == best.step:
        sentences.append(f"That is this edit at a strength of {furthest.strength / best.strength:.2g}.")
    return " ".join(sentences)


def _state(sight: Sight) -> str:
    strength = "" if sight.strength == 1 else f" at {sight.strength:g} of its strength"
    return f"step {sight.step}{strength}"


def _facts(sight: Sight, base_broken: float) -> str:
    facts = []
    if not math.isnan(sight.won):
        facts.append(f"preferred to the base in {sight.won:.0%} by the taste model")
    if not math.isnan(sight.broken):
        facts.append(f"{sight.broken:.0%} broken (base {base_broken:.0%})")
    if not math.isnan(sight.diversity):
        facts.append(f"{sight.diversity:.2f} of the base's diversity")
    return ", ".join(facts) or f"pictures differ by {sight.change:.0f} of 255"
