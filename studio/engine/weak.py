"""Which recipes ask an early checkpoint of their model, and what is said where there is none. Loads nothing."""

from __future__ import annotations

from studio.core.errors import BadInput
from studio.core.recipe import GuidanceSpec, Recipe
from studio.guidance import build, build_method


def asks_weak(recipe: Recipe) -> bool:
    """Whether the recipe's guidance asks the weak model. Raises NotFound, BadInput for the guidance."""
    return "weak" in build(recipe.guidance).networks()


def no_weak(model: str, spec: GuidanceSpec) -> BadInput:
    """The error for guidance that asks the weak model, itself or a method it adds, of a model that has none."""
    added = (wrapper.added for wrapper in spec.wrappers if wrapper.added is not None)
    asking = next(
        (spec_with_weak for spec_with_weak in (spec, *added) if "weak" in build_method(spec_with_weak).networks()), spec
    )
    return BadInput(
        f"The guidance method {asking.method} needs an early checkpoint of the model, and {model} has none.",
        "Take the embedded model, which comes with one, or another method.",
        field="guidance",
    )
