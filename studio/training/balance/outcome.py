"""What a balance came to, by pictures that no look had: as wanted, nearer, or not; plain values, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from studio.training.balance.plan import BalancePlan

FARTHEST, BROKEN = "farthest from wanted", "not valid"  # measures beside the attributes' shares
OF_BASE = ", base"  # how a measure of the check ends that is the base's
Level = Literal["met", "needless", "nearer", "missed"]


@dataclass(frozen=True)
class Outcome:
    """What is to be said of a balance.

    level: met, no share is farther from what is wanted than the tolerance; needless, likewise, and the base's are not
        either, so that nothing was changed; nearer than the base, and not met; missed, not even that.
    sentence: the same with its figures.
    """

    level: Level
    sentence: str


def outcome(
    plan: BalancePlan,
    looks: Sequence[Mapping[str, float]],
    gammas: Mapping[str, float],
    measures: Mapping[str, float],
) -> Outcome:
    """Judge a balance.

    looks: measures of each look, of which the first is at the base.
    gammas: attribute -> how much of it the edit adds.
    measures: of the check, the base's beside the edit's.
    Raises KeyError where something was not measured.
    """
    distance, of_base = measures[FARTHEST], measures[FARTHEST + OF_BASE]
    is_near = distance <= plan.tolerance
    figures = f"Of {plan.checked} other pictures: {_shares(plan, measures)}."
    if not any(gammas.values()):
        if is_near:
            return Outcome("needless", "The base model's pictures are as wanted already: the edit changes nothing.")
        is_first_near = bool(looks) and looks[0][FARTHEST] <= plan.tolerance
        reason = (
            "The first round, of the base model, was near enough"
            if is_first_near
            else "No round came nearer to what is wanted than the base model"
        )
        return Outcome("missed", f"{reason}: the edit changes nothing. {figures}")
    if is_near:
        return Outcome("met", f"As wanted, to {_points(plan.tolerance)}. {figures}{_broken(measures)}")
    apart = f"The farthest share is {_points(distance)} off, with the base {_points(of_base)}."
    if distance < of_base:
        return Outcome("nearer", f"Nearer, but not as wanted. {figures} {apart}{_broken(measures)}")
    return Outcome("missed", f"Not as wanted, and no nearer than the base model. {figures} {apart}{_broken(measures)}")


def _shares(plan: BalancePlan, measures: Mapping[str, float]) -> str:
    words = [attribute.words for attribute in plan.attributes]
    shares = [
        f"{word} {measures[word]:.0%} ({target:.0%} wanted)" for word, target in zip(words, plan.targets, strict=True)
    ]
    rest = max(0.0, 1 - sum(measures[word] for word in words) - measures[BROKEN])
    return ", ".join([*shares, *([f"anything else {rest:.0%}"] if round(rest, 2) else [])])


def _broken(measures: Mapping[str, float]) -> str:
    """Said where the edit breaks pictures that the base does not."""
    broken, of_base = measures[BROKEN], measures[BROKEN + OF_BASE]
    return f" {broken:.0%} are broken, of the base's {of_base:.0%}." if broken > of_base else ""


def _points(share: float) -> str:
    points = f"{100 * share:.0f}"
    return f"{points} point" if points == "1" else f"{points} points"
