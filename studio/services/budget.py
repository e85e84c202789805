"""How much network work a recipe is, and the same work for recipes of different guidance: equal NFE.

A method that asks four rows a step at 20 steps is not comparable with one that asks two; with half the steps it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import accumulate

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.models.card import ModelCard

MAX_STEPS = 150  # a row that is cheap per step is not drawn with more


def network_rows(recipe: Recipe, card: ModelCard) -> int:
    """Count the rows of the network that a picture costs: those its account will tell.

    Rows are what the recipe's guidance asks of its prompts at each step; those that are asked for twice at once, by
    prompts or methods that have something in common, are one. Raises NotFound, BadInput for guidance, prompts or
    spacing that cannot be.
    """
    return sum(_counting(recipe, card)(recipe.steps))


def within(recipe: Recipe, card: ModelCard, rows: int) -> Recipe:
    """The same recipe with the most steps, 1 to 150, that cost at most so many rows; at least one step.

    Raises as `network_rows`.
    """
    count = _counting(recipe, card)
    # From above, one by one: where prompts change over the run, or bounds are rounded, a step more may cost less.
    for steps in range(min(MAX_STEPS, int(card.schedule["num_train_timesteps"])), 1, -1):
        try:
            if all(spent <= rows for spent in accumulate(count(steps))):
                return recipe.model_copy(update={"steps": steps})
        except BadInput as error:
            if error.field != "steps":  # a spacing may place fewer than its model was trained with
                raise
    return recipe.model_copy(update={"steps": 1})


def _counting(recipe: Recipe, card: ModelCard) -> Callable[[int], Iterator[int]]:
    """Counts the rows of each step of a recipe, for as many steps as it is called with."""
    # Here and not above: it brings torch, and the page, which imports this file, is painted before that.
    from studio.engine.ahead import counting

    count = counting(recipe, card)
    return lambda steps: (step.rows for step in count(steps))
