"""The conditions of one recipe by name and step: what a trajectory feeds the network beside x and t.

A condition is a list of parts, (weight, encoded prompt): several where prompts are combined in the network's output,
as those joined by AND and the weighted negatives are. The combination is linear and all parts are asked at the same x
and t, so it may be made of raw outputs whatever they mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from studio.core.recipe import Recipe
from studio.engine.edits.stack import EMPTY, EditStack
from studio.engine.encoding import PromptEncoder
from studio.models.bundle import Conditioning

Part = tuple[float, Conditioning]  # weight, conditioning of one row
Timeline = Callable[[int], tuple[Part, ...]]  # step, 0-based -> parts


@dataclass(frozen=True)
class Conditions:
    """negative_weights: a share of each negative, summing to 1."""

    timelines: dict[str, Timeline]
    negative_weights: tuple[float, ...]

    def parts(self, name: str, step: int) -> tuple[Part, ...]:
        """The parts of a condition at a step, 0-based. Raises KeyError for a condition the recipe has not."""
        return self.timelines[name](step)

    @classmethod
    def of(cls, recipe: Recipe, encoder: PromptEncoder, stack: EditStack = EMPTY) -> Conditions:
        """Encode a recipe's prompts under its edits. Raises BadInput for a prompt that cannot be."""
        negatives = negatives_of(recipe)
        total = sum(weight for _, weight in negatives)
        weights = tuple(weight / total for _, weight in negatives) if total > 0 else ()
        empty = encoder.encode(encoder.plan("", "plain", 1).at(0)[0][1], "plain", stack)
        timelines: dict[str, Timeline] = {"empty": lambda step: ((1.0, empty),)}
        if weights:
            each = [_timeline(text, recipe, encoder, stack) for text, _ in negatives]
            timelines |= {f"neg/{k}": _whole(timeline, empty) for k, timeline in enumerate(each)}
            timelines["neg"] = _weighted([_whole(timeline, empty) for timeline in each], weights)
        away = timelines["neg"] if weights else timelines["empty"]
        timelines["pos"] = _joined(_timeline(recipe.prompt, recipe, encoder, stack), away)
        return cls(timelines, weights)


def negatives_of(recipe: Recipe) -> list[tuple[str, float]]:
    """The negative prompts that say something, with their weights."""
    first = [(recipe.negative_prompt, 1.0)] if recipe.negative_prompt else []
    return first + [(more.prompt, more.weight) for more in recipe.more_negatives if more.prompt and more.weight > 0]


def _timeline(prompt: str, recipe: Recipe, encoder: PromptEncoder, stack: EditStack) -> Timeline:
    """The branches of one prompt by step, all encoded now: a text encoder's edits may change before the run ends."""
    plan = encoder.plan(prompt, recipe.syntax, recipe.steps)
    known = {item: encoder.encode(item, recipe.syntax, stack) for item in plan.items()}
    return lambda step: tuple((weight, known[item]) for weight, item in plan.at(step))


def _joined(timeline: Timeline, away: Timeline) -> Timeline:
    """Prompts joined by AND: away + sum_k w_k (c_k - away), so that guidance insists on each by its weight.

    Source: Composable Diffusion, arXiv:2206.01714, eq. 11; the weights as A1111 takes them. A single prompt is itself.
    """

    def parts(step: int) -> tuple[Part, ...]:
        branches = timeline(step)
        rest = 1 - sum(weight for weight, _ in branches)
        if rest == 0:
            return branches
        return (*branches, *((rest * weight, cond) for weight, cond in away(step)))

    return parts


def _whole(timeline: Timeline, empty: Conditioning) -> Timeline:
    """A negative prompt's own AND: joined against the empty prompt."""
    return _joined(timeline, lambda step: ((1.0, empty),))


def _weighted(timelines: list[Timeline], weights: tuple[float, ...]) -> Timeline:
    return lambda step: tuple(
        (share * weight, cond)
        for timeline, share in zip(timelines, weights, strict=True)
        for weight, cond in timeline(step)
    )
