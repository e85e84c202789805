"""The plan of an instant erasure, as plain values: read and checked without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from studio.core.errors import BadInput
from studio.core.params import Params, load
from studio.erasure.defaults import COMPLETENESS, PROTECT
from studio.training.erase.concept import MAX_CONCEPTS, MAX_PRESERVES, Concept

METHOD = "uce"


class InstantPlan(Params):
    """What an instant erasure is made from.

    name: of the edit.
    model: as in a recipe.
    in_world: whether the model speaks Stencil's language, and is asked in it.
    concepts: what is erased, solved together.
    preserves: texts that stay, beside those that are drawn.
    protect: how much all that stays weighs; 0 is not at all.
    completeness: how much of its way a concept goes.
    untouched: preserves are not moved at all, where their strongest directions are concerned.
    seed: of the texts.
    """

    name: str = Field(min_length=1, max_length=100)
    model: str = Field(min_length=1)
    in_world: bool = False
    concepts: tuple[Concept, ...] = Field(min_length=1, max_length=MAX_CONCEPTS)
    preserves: tuple[str, ...] = Field(default=(), max_length=MAX_PRESERVES)
    protect: float = Field(default=PROTECT, ge=0, le=1000)
    completeness: float = Field(default=COMPLETENESS, ge=0.01, le=0.999999)
    untouched: bool = False
    seed: int = Field(default=0, ge=0, lt=2**32)


def read_plan(values: Mapping[str, Any]) -> InstantPlan:
    """Read a plan from plain values. Raises BadInput, also for what could only be a mistake."""
    plan = load(InstantPlan, values, "erasure")
    for concept in plan.concepts:
        concept.check()
        for neighbour in plan.concepts:
            if neighbour is not concept and neighbour.substitute and concept.named_in(neighbour.substitute):
                raise BadInput(
                    f"{concept.words!r} is erased, so it cannot take the place of {neighbour.words!r}.",
                    field="concepts",
                )
        if text := next((text for text in plan.preserves if concept.named_in(text)), None):
            raise BadInput(f"{concept.words!r} is erased, so {text[:60]!r} cannot stay.", field="preserves")
    if plan.untouched and not plan.preserves:
        raise BadInput("Nothing is named that is not to be moved.", "Name what to preserve.", field="preserves")
    return plan
