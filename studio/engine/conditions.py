"""The conditions of one recipe by name, encoded: what a trajectory feeds the network beside x and t.

A condition is a list of parts, (weight, encoded prompt): several where prompts are combined in the network's output,
as the weighted negatives are. The combination is linear and all parts are asked at the same x and t, so it may be made
of raw outputs whatever they mean.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from studio.core.recipe import Recipe
from studio.models.bundle import ModelBundle

Part = tuple[float, Any]  # weight, conditioning of one row


@dataclass(frozen=True)
class Conditions:
    """name -> parts. negative_weights: a share of each negative, summing to 1."""

    parts: dict[str, tuple[Part, ...]]
    negative_weights: tuple[float, ...]

    @classmethod
    def of(cls, recipe: Recipe, bundle: ModelBundle, encoded: dict[str, Any]) -> Conditions:
        """Encode a recipe's prompts. encoded: prompt -> its conditioning, shared by the recipes that run together, so
        that equal prompts are one object.
        """

        def one(prompt: str) -> Any:
            if prompt not in encoded:
                encoded[prompt] = bundle.encode([prompt])
            return encoded[prompt]

        negatives = negatives_of(recipe)
        total = sum(weight for _, weight in negatives)
        weights = tuple(weight / total for _, weight in negatives) if total > 0 else ()
        parts: dict[str, tuple[Part, ...]] = {"pos": ((1.0, one(recipe.prompt)),), "empty": ((1.0, one("")),)}
        if weights:
            each = tuple((weight, one(text)) for (text, _), weight in zip(negatives, weights, strict=True))
            parts |= {f"neg/{k}": ((1.0, cond),) for k, (_, cond) in enumerate(each)}
            parts["neg"] = each
        return cls(parts, weights)


def negatives_of(recipe: Recipe) -> list[tuple[str, float]]:
    """The negative prompts that say something, with their weights."""
    first = [(recipe.negative_prompt, 1.0)] if recipe.negative_prompt else []
    return first + [(more.prompt, more.weight) for more in recipe.more_negatives if more.prompt and more.weight > 0]
