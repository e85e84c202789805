"""What a card is about: the erasure an edit says it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from studio.core.errors import BadInput
from studio.core.params import load
from studio.training.erase.concept import WORLD, Concept
from studio.world.reading import Reading, Wanted

OPEN_SEEDS = 4  # pictures of each open prompt
Attribute = Literal["object", "colour", "style", "background"]


@dataclass(frozen=True)
class Target:
    """A concept of the world as the oracle can read it.

    kind: which attribute it is a value of.
    name: that value.
    substitute: the value that takes its place; None where none does, or none that the oracle knows.
    """

    kind: Attribute
    name: str
    substitute: str | None = None

    def is_shown(self, reading: Reading) -> bool:
        """Whether the concept is read anywhere in the picture."""
        return _shows(reading, self.kind, self.name)

    def is_stated(self, expectation: Wanted) -> bool:
        """Whether what a prompt states has the concept in it."""
        if self.kind == "style":
            return expectation.style == self.name
        return self.name in {thing[self.kind == "colour"] for thing in expectation.things}

    def aim(self, expectation: Wanted) -> Wanted:
        """What the same prompt states once the substitute has the concept's place.

        Without one an object leaves what is beside it on its background, and a style is flat, which is what no style
        means.
        """
        if self.kind == "style":
            return replace(expectation, style=self.substitute or "flat")
        if self.kind == "object" and self.substitute is None:
            left = tuple(thing for thing in expectation.things if thing[0] != self.name)
            style = expectation.style if left else None
            return Wanted(left, style=style, background=expectation.background, count=len(left))
        place = int(self.kind == "colour")
        swapped = [list(thing) for thing in expectation.things]
        for thing in swapped:
            if thing[place] == self.name:
                thing[place] = self.substitute
        return replace(expectation, things=tuple((name, colour) for name, colour in swapped))

    def is_replaced(self, reading: Reading, aim: Wanted) -> bool | None:
        """Whether what was to take its place is read; None where nothing was named that could be."""
        if self.kind == "object" and self.substitute is None:
            return len(reading.things) == aim.count and not self.is_shown(reading)
        if self.kind == "colour" and self.substitute is None:
            return None
        return _shows(reading, self.kind, str(aim.style if self.kind == "style" else self.substitute))


@dataclass(frozen=True)
class Subject:
    """What an erasure was of.

    model: as in a recipe.
    in_world: whether the model speaks Stencil's language, and its pictures can be read.
    concepts: what was erased.
    preserves: texts that were to stay.
    seed: of the sentences it was made with, which are not asked again.
    open: of an edit that erases nothing but follows labels, prompts as those it learned from; no concepts then.
    """

    model: str
    in_world: bool
    concepts: tuple[Concept, ...]
    preserves: tuple[str, ...] = ()
    seed: int = 0
    open: tuple[str, ...] = ()

    @property
    def targets(self) -> tuple[Target, ...]:
        """The concepts as the oracle reads them; () of other models."""
        return tuple(map(_target, self.concepts)) if self.in_world else ()

    def plain(self) -> dict[str, Any]:
        """As plain values."""
        concepts = [concept.model_dump(mode="json") for concept in self.concepts]
        values = {**vars(self), "concepts": concepts, "preserves": list(self.preserves), "open": list(self.open)}
        return values if self.open else {name: value for name, value in values.items() if name != "open"}

    @classmethod
    def load(cls, values: Mapping[str, Any], in_world: bool) -> Subject:
        """Read what an edit says of its erasure (provenance["erasure"]), or what `plain` gave.

        in_world: of the model, where the values do not say. Raises BadInput for what cannot be read.
        """
        is_known = bool(values.get("in_world", in_world))
        try:
            concepts = tuple(load(Concept, concept, "erasure") for concept in values["concepts"])
            texts = tuple(map(str, values.get("preserves") or ()))
            model, seed = str(values["model"]), int(values.get("seed") or 0)
            open_prompts = tuple(map(str, values.get("open") or ()))
        except (KeyError, TypeError, ValueError):
            raise BadInput(
                "What this edit says of its erasure cannot be read, so nothing can be asked of it."
            ) from None
        if not concepts and not open_prompts:
            raise BadInput("This edit names no concept that it erases, so nothing can be asked of it.")
        known_concepts = tuple(c.in_world() if is_known else c for c in concepts)
        return cls(model, is_known, known_concepts, texts, seed, open_prompts)


def value_named(kind: Attribute, words: str) -> str | None:
    """The value of the world that a word means, rare words too; None for any other."""
    folded = words.casefold()
    for name, entry in WORLD[kind].items():  # type: ignore[index]  # backgrounds are never erased
        if folded in (entry.usual, *entry.synonyms, *entry.rare):
            return name
    return None


def _target(concept: Concept) -> Target:
    kind: Any = concept.kind
    name = next(value for word in concept.called() if (value := value_named(kind, word)) is not None)
    return Target(kind, name, value_named(kind, concept.substitute) if concept.substitute else None)


def _shows(reading: Reading, kind: str, value: str) -> bool:
    if kind == "style":
        return bool(reading.things) and reading.style == value
    return value in {thing.object if kind == "object" else thing.colour for thing in reading.things}
