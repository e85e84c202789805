"""The conditions of a recipe by name and step, before anything is encoded: what guidance may ask for.

A condition is a list of parts, (weight, what is said): several where prompts are combined in the network's output, as
those joined by AND and the weighted negatives are. The combination is linear and all parts are asked at the same x and
t, so it may be made of raw outputs whatever they mean. Each part is one row of network work.

    pos                the prompt           neg/0, neg/1, ...   the negative prompts
    empty              the empty prompt     neg                 their weighted mean
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from studio.core.errors import BadInput
from studio.core.recipe import Negative, Recipe
from studio.prompts.dialects import parse
from studio.prompts.plan import MAX_TEXTS, Encodable, PromptPlan, compile, texts_at_most
from studio.prompts.tree import Dialect, Node


class Said(NamedTuple):
    """Something to encode, and the dialect its weights are of. Equal ones are one encoding, and so one row."""

    item: Encodable
    dialect: Dialect


Parts = tuple[tuple[float, Said], ...]
Timeline = Callable[[int], Parts]  # step, 0-based -> parts


@dataclass(frozen=True)
class ConditionPlan:
    """What a recipe's conditions say at each step.

    timelines: by the condition's name.
    shares: of each negative prompt, summing to 1.
    windows: the steps each negative prompt acts in.
    texts: all that is ever to be encoded, each once, the empty prompt first.
    """

    timelines: dict[str, Timeline]
    shares: tuple[float, ...]
    windows: tuple[range, ...]
    texts: tuple[Said, ...]

    def parts(self, name: str, step: int) -> Parts:
        """The parts of a condition at a step, 0-based. Raises KeyError for a condition the recipe has not."""
        return self.timelines[name](step)

    def weights(self, step: int) -> tuple[float, ...]:
        """The share of each negative prompt at a step, 0 outside its window."""
        return tuple(share if step in window else 0.0 for share, window in zip(self.shares, self.windows, strict=True))

    @classmethod
    def of(cls, recipe: Recipe) -> ConditionPlan:
        """What a recipe's prompts come to. Recipes that differ in other things share one.

        Raises BadInput for a prompt or a window that cannot be, or for more different texts than MAX_TEXTS.
        """
        return _plan(recipe.prompt, tuple(negatives_of(recipe)), recipe.syntax, recipe.steps)


# A job asks for its plans when it is checked, when its memory is estimated and when it is run; a plan of a thousand
# long texts takes up to a second to make and several megabytes.
@lru_cache(maxsize=8)
def _plan(prompt: str, negatives: tuple[Negative, ...], dialect: Dialect, steps: int) -> ConditionPlan:
    total = sum(negative.weight for negative in negatives)
    shares = tuple(negative.weight / total for negative in negatives) if total > 0 else ()
    windows = tuple(_window(negative, steps) for negative in negatives) if shares else ()
    trees = {text: _tree(text, dialect) for text in (prompt, *(negative.prompt for negative in negatives))}
    _check_texts(trees, steps)
    empty = Said(compile(parse("", "plain"), 1).at(0)[0][1], "plain")
    texts: dict[Said, None] = {empty: None}
    timelines: dict[str, Timeline] = {"empty": lambda step: ((1.0, empty),)}
    if shares:
        negative_timelines = [
            _whole(_timeline(trees[negative.prompt], dialect, steps, texts), empty) for negative in negatives
        ]
        timelines |= {f"neg/{k}": timeline for k, timeline in enumerate(negative_timelines)}
        timelines["neg"] = _mean(negative_timelines, shares, windows, empty)
    away = timelines["neg"] if shares else timelines["empty"]
    timelines["pos"] = _joined(_timeline(trees[prompt], dialect, steps, texts), away)
    return ConditionPlan(timelines, shares, windows, tuple(texts))


_tree = lru_cache(maxsize=32)(parse)


def _check_texts(trees: Mapping[str, Node], steps: int) -> None:
    texts = 1 + sum(texts_at_most(tree, steps) for tree in trees.values())
    if texts > MAX_TEXTS:
        raise BadInput(
            f"Over {steps} steps the prompts come to {texts:,} different texts, each to be encoded before the first "
            f"step; a picture takes at most {MAX_TEXTS:,}.",
            "Take fewer steps, or let less of the prompts change.",
            field="steps",
        )


def negatives_of(recipe: Recipe) -> list[Negative]:
    """The negative prompts that say something; the plain one first, of weight 1."""
    first = [Negative(prompt=recipe.negative_prompt)] if recipe.negative_prompt else []
    return first + [negative for negative in recipe.more_negatives if negative.prompt and negative.weight > 0]


def _window(negative: Negative, steps: int) -> range:
    """The steps a negative prompt acts in, rounded as those of the guidance wrapper interval."""
    if negative.start > negative.stop:
        raise BadInput(
            f"The window of a negative prompt must start before it stops, not start at {negative.start:g} and stop at "
            f"{negative.stop:g} of the steps.",
            field="more_negatives",
        )
    return range(int(negative.start * steps), int(negative.stop * steps))


def _timeline(tree: Node, dialect: Dialect, steps: int, texts: dict[Said, None]) -> Timeline:
    """The branches of one prompt by step; what they say is added to `said`."""
    plan: PromptPlan = compile(tree, steps)
    texts |= dict.fromkeys(Said(item, dialect) for item in plan.items())
    return lambda step: tuple((weight, Said(item, dialect)) for weight, item in plan.at(step))


def _joined(timeline: Timeline, away: Timeline) -> Timeline:
    """Prompts joined by AND: away + sum_k w_k (c_k - away), so that guidance insists on each by its weight.

    Source: Composable Diffusion, arXiv:2206.01714, eq. 11; the weights as A1111 takes them. A single prompt is itself.
    """

    def parts(step: int) -> Parts:
        branches = timeline(step)
        rest = 1 - sum(weight for weight, _ in branches)
        if rest == 0:
            return branches
        return (*branches, *((rest * weight, text) for weight, text in away(step)))

    return parts


def _whole(timeline: Timeline, empty: Said) -> Timeline:
    """A negative prompt's own AND: joined against the empty prompt."""
    return _joined(timeline, lambda step: ((1.0, empty),))


def _mean(timelines: list[Timeline], shares: tuple[float, ...], windows: tuple[range, ...], empty: Said) -> Timeline:
    """The weighted mean of those that act at a step; the empty prompt where none does."""

    def parts(step: int) -> Parts:
        acting = [(timeline, share) for timeline, share, w in zip(timelines, shares, windows, strict=True) if step in w]
        if not acting:
            return ((1.0, empty),)
        # The shares of all sum to 1 but for rounding: dividing by that would change the last bit of every picture.
        total = 1.0 if len(acting) == len(timelines) else sum(share for _, share in acting)
        return tuple((share / total * weight, text) for timeline, share in acting for weight, text in timeline(step))

    return parts
