"""Which recipes ask an early checkpoint of their model, and what is said where there is none. Loads nothing."""

from __future__ import annotations

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.guidance import build


def asks_weak(recipe: Recipe) -> bool:
    """Whether the recipe's guidance asks the weak model. Raises NotFound, BadInput for the guidance."""
    return "weak" in build(recipe.guidance).networks()


def no_weak(model: str, recipe: Recipe) -> BadInput:
    """The error for a recipe whose model has no early checkpoint."""
    return BadInput(
        f"The guidance method {recipe.guidance.method} needs an early checkpoint of the model, and {model} has none.",
        "Take the embedded model, which comes with one, or another method.",
        field="guidance",
    )
