"""How much network work a recipe is, and the same work for recipes of different guidance: equal NFE.

A method that asks four rows a step at 20 steps is not comparable with one that asks two; with half the steps it is.
"""

from __future__ import annotations

from studio.core.recipe import Recipe
from studio.models.card import ModelCard

MAX_STEPS = 150  # a row that is cheap per step is not drawn with more


def network_rows(recipe: Recipe, card: ModelCard) -> int:
    """Count the rows of the network that a picture costs, by what its guidance declares.

    Raises NotFound, BadInput for guidance or spacing that is not known.
    """
    # Here and not above: they bring torch, and the page, which imports this file, is painted before that.
    from studio.diffusion.grid import make_grid
    from studio.diffusion.schedule import NoiseSchedule
    from studio.guidance import NoisePoint, build

    spacing = card.spacing if recipe.spacing == "auto" else recipe.spacing
    grid = make_grid(spacing, NoiseSchedule.from_config(**card.schedule), recipe.steps)
    levels = [NoisePoint(a, s, t) for a, s, t in zip(grid.a, grid.s, grid.timesteps, strict=False)]
    return build(recipe.guidance).nfe_over(levels)


def within(recipe: Recipe, card: ModelCard, rows: int) -> Recipe:
    """The same recipe with the most steps, 1 to 150, that cost at most so many rows; at least one step.

    Raises as `network_rows`.
    """
    most = min(MAX_STEPS, int(card.schedule["num_train_timesteps"]))
    low, high = 1, most  # rows only grow with the steps, but for the rounding of intervals
    while low < high:
        middle = (low + high + 1) // 2
        if network_rows(recipe.model_copy(update={"steps": middle}), card) <= rows:
            low = middle
        else:
            high = middle - 1
    return recipe.model_copy(update={"steps": low})
