"""A tuning as it stands, and what was taken over of one."""

from __future__ import annotations

from dataclasses import dataclass

from studio.core.recipe import EditRef, Recipe
from studio.services.tunings.plan import TuningPlan
from studio.services.tunings.reading import Reading, whole
from studio.services.tunings.sliders import placed
from studio.storage.labels.campaigns import Campaign


@dataclass(frozen=True)
class Tuning:
    """One tuning as it stands.

    campaign: where it is answered.
    plan: what it was started with.
    reading: what is known.
    missing: pictures that are not drawn yet.
    trouble: why they are not being drawn, a sentence; "" where they are.
    """

    campaign: Campaign
    plan: TuningPlan
    reading: Reading
    missing: int = 0
    trouble: str = ""

    @property
    def best(self) -> Recipe | None:
        """The recipe people prefer so far, without prompt and seed; None before the first vote."""
        standing = self.reading.standing
        if standing is None or not standing.votes:
            return None
        return placed(self.plan.recipe, self.plan.sliders, whole(self.plan, self.reading.live, standing.best))

    @property
    def is_over(self) -> bool:
        """Whether nothing further is asked."""
        standing = self.reading.standing
        return standing is None or standing.is_enough or self.reading.questions >= self.plan.most

    @property
    def verdict(self) -> str:
        """Whether it goes on, and why, in a sentence or two."""
        standing = self.reading.standing
        if standing is None:
            return "Nothing that is tuned changes the pictures: at all its values they are equal. There is no choice."
        gain = standing.gain
        share = f"{gain.expected:.0%} of the votes ({gain.low:.0%} to {gain.high:.0%})"
        if not standing.votes:
            return "Nothing has been answered yet."
        if standing.is_enough:
            return f"Enough was asked: the true best would win {share} against this, within the noise of votes."
        if self.reading.questions >= self.plan.most and not self.reading.pending:
            return f"All {self.plan.most} questions were asked; the true best would still win {share}."
        if standing.votes < standing.fewest:
            return f"At least {standing.fewest} votes are needed; there {_votes(standing.votes)} so far."
        return f"Further questions may help: the true best would win {share} against this."


@dataclass(frozen=True)
class Accepted:
    """What was taken over.

    recipe: the best so far, without prompt and seed.
    preset: name of the guidance preset it was saved as; "" where no guidance was tuned.
    stack: the edits with their strengths.
    caveat: a sentence where it is not told from the start; "" where it is.
    """

    recipe: Recipe
    preset: str
    stack: tuple[EditRef, ...]
    caveat: str = ""


def _votes(count: int) -> str:
    return "is 1" if count == 1 else f"are {count}"
