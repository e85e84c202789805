"""What is balanced, and how it is to be: read and checked without torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from studio.core.errors import BadInput
from studio.core.params import Params, load, param
from studio.erasure.defaults import COMPLETENESS, PROTECT
from studio.training.erase.concept import MAX_PRESERVES, MAX_WORDS_CHARS, WORLD, Concept, ConceptKind
from studio.training.erase.plan import MAX_NAME_CHARS

METHOD = "balance"  # as provenance has it
KINDS: tuple[ConceptKind, ...] = ("colour", "style")  # of attributes: what the oracle reads of an object
MAX_ATTRIBUTES = 16
ROUNDS, PICTURES, CHECKED = 8, 24, 48


class Attribute(Params):
    """What a picture may show of the concept. words: as a prompt says it. weight: its part in the wanted mixture."""

    words: str = Field(min_length=1, max_length=MAX_WORDS_CHARS)
    weight: float = Field(default=1.0, gt=0, le=1e6)


class LookOptions(Params):
    """How it is looked.

    rounds: looks at most.
    pictures: of each.
    checked: pictures of base and edit each, of prompts and seeds that no look had, by which the result is told.
    steps: of a picture.
    tolerance: it is over where no share is farther from what is wanted.
    """

    rounds: int = param(ROUNDS, low=1, high=50, help="looks at most")
    pictures: int = param(PICTURES, low=4, high=1000, help="of each look")
    checked: int = param(CHECKED, low=4, high=1000, help="of base and edit each, at the end")
    steps: int = param(10, low=1, high=1000, help="of a picture")
    tolerance: float = Field(default=0.1, gt=0, lt=1, description="difference of a share that is no longer mended")


class BalancePlan(LookOptions):
    """What a balance is made from.

    name: of the edit.
    model: as in a recipe.
    concept: an object of the model's world, by its words.
    attributes: at least two, all colours or all styles.
    preserves: texts that stay, beside those that are drawn.
    protect, completeness: as of an erasure in closed form.
    seed: of texts and pictures.
    """

    name: str = Field(min_length=1, max_length=MAX_NAME_CHARS)
    model: str = Field(min_length=1)
    concept: str = Field(min_length=1, max_length=MAX_WORDS_CHARS)
    attributes: tuple[Attribute, ...] = Field(min_length=2, max_length=MAX_ATTRIBUTES)
    preserves: tuple[str, ...] = Field(default=(), max_length=MAX_PRESERVES)
    protect: float = Field(default=PROTECT, ge=0, le=1000)
    completeness: float = Field(default=COMPLETENESS, ge=0.01, le=0.999999)
    seed: int = Field(default=0, ge=0, lt=2**32)

    @property
    def targets(self) -> list[float]:
        """The share of each attribute; they add to 1."""
        total = sum(attribute.weight for attribute in self.attributes)
        return [attribute.weight / total for attribute in self.attributes]

    @property
    def object(self) -> Concept:
        """The concept with its other words. Raises BadInput for what is no object of the world."""
        return object_named(self.concept)

    @property
    def kind(self) -> ConceptKind:
        """Colour or style, whichever all attributes are. Raises BadInput for a mixture, or what is neither."""
        kinds: dict[str, ConceptKind] = {attribute.words: kind_of(attribute.words) for attribute in self.attributes}
        if len(set(kinds.values())) > 1:
            listed = ", ".join(f"{words!r} is a {kind}" for words, kind in kinds.items())
            raise BadInput(f"Attributes are all colours or all styles; {listed}.", field="attributes")
        return next(iter(kinds.values()))

    def values(self) -> list[str]:
        """Of each attribute the world's usual word."""
        return [Concept(words=attribute.words).in_world().usual() for attribute in self.attributes]


def read_plan(plain: Mapping[str, Any]) -> BalancePlan:
    """Read a plan from plain values. Raises BadInput, also for what could only be a mistake."""
    attributes = plain.get("attributes")
    if isinstance(attributes, list | tuple) and len(attributes) < 2:  # pyright: ignore[reportUnknownArgumentType]
        raise BadInput(
            "A balance is between two attributes at least.", "Name another colour or style.", field="attributes"
        )
    plan = load(BalancePlan, plain, "balance")
    concept, _ = plan.object, plan.kind
    values = plan.values()
    if twice := next((value for place, value in enumerate(values) if value in values[:place]), ""):
        raise BadInput(f"{twice!r} is wanted twice.", "Name it once, with its share.", field="attributes")
    if text := next((text for text in plan.preserves if concept.named_in(text)), None):
        raise BadInput(f"{plan.concept!r} is balanced, so {text[:60]!r} cannot stay.", field="preserves")
    return plan


def usual_name(concept: str) -> str:
    """What an edit is called where nobody says."""
    return f"balanced-{'-'.join(concept.split())}"[:MAX_NAME_CHARS].rstrip("- ")


def object_named(words: str) -> Concept:
    """The object of the world that is called so, with its other words. Raises BadInput where there is none."""
    concept = Concept(words=words).in_world()
    if concept.kind != "object":
        raise BadInput(
            f"{words!r} is a {concept.kind}: what is balanced is an object.",
            f"Name one, such as {', '.join(list(WORLD['object'])[:3])}.",
            field="concept",
        )
    return concept


def kind_of(words: str) -> ConceptKind:
    """Whether an attribute is a colour or a style. Raises BadInput for what is neither."""
    concept = Concept(words=words).in_world()
    if concept.kind not in KINDS:
        raise BadInput(f"{words!r} is no colour and no style.", "Name what one and the same object may have.")
    return concept.kind
