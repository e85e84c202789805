"""What a picture is drawn from, as one value; and what holds for all that are drawn together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from studio.core.recipe import Recipe
from studio.engine.edits.stack import EMPTY
from studio.engine.edits.timed import Stack
from studio.engine.encoding import PromptEncoder
from studio.models.bundle import ModelBundle


@dataclass(frozen=True, eq=False)
class Order:
    """One picture to make.

    recipe: all that is said of it.
    stack: the edits it names, as values, which the recipe has by name alone.
    """

    recipe: Recipe
    stack: Stack = EMPTY


@dataclass(frozen=True, eq=False)
class SampleOptions:
    """How pictures of one model are drawn together; no picture is another one for it, but to rounding.

    max_rows: most rows of one network evaluation, for shared batches.
    weak: an early checkpoint of the model, for guidance that asks one.
    diagnose: tell with every step what guidance did.
    encoder: what reads the prompts, None for the model's own.
    """

    max_rows: int = 32
    weak: ModelBundle | None = None
    diagnose: bool = False
    encoder: PromptEncoder | None = None


def plain_orders(recipes: Iterable[Recipe]) -> list[Order]:
    """Orders of recipes that name no edit."""
    return [Order(recipe) for recipe in recipes]
