"""The pictures an erasure is looked at in: the concept twice, a neighbour of it, and something unrelated.

Plain values: nothing here draws or encodes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from itertools import islice
from typing import Literal

from studio.core.params import Params
from studio.training.erase.concept import WORLD, Concept, ConceptKind
from studio.training.erase.texts import with_article
from studio.world.caption import canonical
from studio.world.scene import Scene, one_object

Role = Literal["concept", "neighbour", "unrelated"]
ROLES: tuple[Role, ...] = ("concept", "concept", "neighbour", "unrelated")
# Two scenes that say a concept, and one that shares nothing with the first: (object, colour, style, background).
_SCENES = (
    ("heart", "red", "flat", "white"),
    ("tree", "blue", "flat", "meadow"),
    ("fish", "orange", "striped", "night"),
)
_FORMS = {
    "object": ("a photo of {}", "a painting of {}"),
    "style": ("a house, {}", "a portrait, {}"),
    "colour": ("a {} car", "a {} flower on a table"),
}
_OTHERS = ("a dog", "a horse", "a bird", "a house", "a car", "a tree")  # that other models draw


class Sight(Params):
    """One prompt to look at.

    role: what it is there for.
    prompt: what is drawn.
    """

    role: Role
    prompt: str


def sights(concepts: Sequence[Concept], in_world: bool, preserves: Sequence[str] = ()) -> tuple[Sight, ...]:
    """Four prompts, in the order of ROLES. Of several concepts the first two are looked at, one is in two prompts.

    concepts: at least one; of a model of Stencil's world, with their kinds.
    preserves: texts that stay, of which the first is the neighbour.
    """
    is_said = _said(concepts)
    pair = (concepts[0], concepts[min(1, len(concepts) - 1)])
    prompts = _of_world(pair, is_said) if in_world else _of_templates(pair, is_said)
    neighbour = preserves[0] if preserves else prompts[2]
    texts = (prompts[0], prompts[1], neighbour, prompts[3])
    return tuple(Sight(role=role, prompt=text) for role, text in zip(ROLES, texts, strict=True))


def neighbours(concept: Concept, avoided: Collection[str] = ()) -> tuple[str, ...]:
    """All other words of the world of its kind, the next ones first: its tables have what looks alike side by side.

    avoided: words that are left out.
    """
    names = list(WORLD[concept.kind or "object"])
    at = names.index(concept.usual())
    neighbours = (name for name in names if name != names[at] and name not in avoided)
    return tuple(sorted(neighbours, key=lambda name: abs(names.index(name) - at)))


def _said(concepts: Sequence[Concept]) -> Callable[[str], bool]:
    """Whether a word is one of the concepts, or what takes their place: what else is looked at says neither."""

    def is_said(word: str) -> bool:
        return any(concept.named_in(word) or concept.substitute == word for concept in concepts)

    return is_said


def _of_world(pair: Sequence[Concept], is_said: Callable[[str], bool]) -> tuple[str, ...]:
    first, second, unrelated = (_scene(values, is_said) for values in _SCENES)
    concept = pair[0]
    beside = next((name for name in neighbours(concept) if not is_said(name)), concept.usual())
    scenes = (
        _saying(first, concept.kind, concept.usual()),
        _saying(second, pair[1].kind, pair[1].usual()),
        _saying(first, concept.kind, beside),
        unrelated,
    )
    return tuple(map(canonical, scenes))


def _scene(values: Sequence[str], is_said: Callable[[str], bool]) -> Scene:
    object, colour, style = (
        _free(kind, value, is_said) for kind, value in zip(("object", "colour", "style"), values, strict=False)
    )
    return one_object(object, colour, style=style, background=values[3])


def _free(kind: ConceptKind, word: str, is_said: Callable[[str], bool]) -> str:
    """A word of its kind that is not said; the word itself where all are."""
    names = list(WORLD[kind])
    at = names.index(word)
    return next((name for name in (*names[at:], *names[:at]) if not is_said(name)), word)


def _saying(scene: Scene, kind: ConceptKind, word: str) -> Scene:
    if kind == "style":
        return replace(scene, style=word)
    return replace(scene, things=(replace(scene.things[0], **{str(kind or "object"): word}),))


def _of_templates(pair: Sequence[Concept], is_said: Callable[[str], bool]) -> tuple[str, ...]:
    def prompt(concept: Concept, place: int) -> str:
        kind = concept.kind or "object"
        words = with_article(concept.words) if kind == "object" else concept.words
        return _FORMS[kind][place].format(words)

    things = (f"a photo of {thing}" for thing in _OTHERS if not is_said(thing.removeprefix("a ")))
    return (prompt(pair[0], 0), prompt(pair[1], 1), *islice(things, 2))
