"""Sentences that say a concept, the same with its substitute, and sentences that must stay as they are.

Of a model of Stencil's world they are drawn from its caption grammar, which is what its text encoder was taught; of any
other from templates, as ESD and UCE have them (arXiv:2303.07345, arXiv:2308.14761), and plain nouns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice, product

import numpy as np

from studio.training.erase.concept import WORLD, Concept
from studio.world.caption import canonical, caption
from studio.world.scene import Scene, Thing, random_scene

PAIRS = 60  # of a concept; 20 and 200 measured alike
UNRELATED = 60
MOST_DRAWN = 20 * PAIRS  # sentences that are looked through for such as say one concept alone
TWO_OBJECTS = 0.15  # share of sentences
EMPTY_SCENE = "an empty scene"  # in place of an object without a substitute, where no grammar says what is left

_OBJECT_FORMS = ("a photo of {}", "a picture of {}", "an image of {}", "a painting of {}", "a portrait of {}", "{}")
_STYLE_FORMS = ("{} style", "a painting by {}", "art by {}", "a picture in the style of {}", "a landscape, {}", "{}")
_COLOUR_FORMS = ("a {} car", "a {} house", "a photo of a {} flower", "a {} ball on a table", "a {} dress", "{}")
_PLACES = (
    "",
    " in a room",
    " in a field",
    " on a table",
    " at night",
    ", close up",
    ", highly detailed",
    " in the city",
)
_THINGS = (
    "dog, cat, horse, bird, tree, house, car, boat, bridge, mountain, river, flower, table, chair, lamp, book, guitar, "
    "clock, bicycle, train, airplane, castle, street, beach, forest, man, woman, child, crowd, chef, bowl of fruit, "
    "cup of coffee, slice of bread, pair of shoes"
).split(", ")


@dataclass(frozen=True)
class Wordings:
    """Sentences of one concept.

    pairs: (a sentence that says it, the same with its substitute).
    unrelated: sentences that do not say it; the first is the empty prompt.
    """

    pairs: tuple[tuple[str, str], ...]
    unrelated: tuple[str, ...]


def wordings(
    concept: Concept, in_world: bool, seed: int, preserves: Sequence[str] = (), beside: Sequence[Concept] = ()
) -> Wordings:
    """Sentences of a concept: equal seeds give equal ones, and others give others as far as there are.

    in_world: whether the model speaks Stencil's language. preserves: what else must stay, as it is.
    beside: concepts that are erased together with it. What says one of them too is left out where anything else is
        there: it would be sent where that concept stays, and by that one where this concept stays.
    """
    rng = np.random.default_rng(seed)
    source = _from_world(concept, rng) if in_world else _from_templates(concept, rng)
    pairs = dict.fromkeys(_of_it_alone(source, beside) if beside else islice(source, PAIRS))
    others = (text for text in sentences(in_world, rng) if not concept.named_in(text))
    return Wordings(tuple(pairs), tuple(dict.fromkeys(("", *preserves, *islice(others, UNRELATED)))))


def _of_it_alone(source: Iterator[tuple[str, str]], beside: Sequence[Concept]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    alone: list[tuple[str, str]] = []
    for pair in islice(source, MOST_DRAWN):
        pairs.append(pair)
        if not any(concept.named_in(pair[0]) for concept in beside):
            alone.append(pair)
            if len(alone) == PAIRS:
                break
    return alone or pairs[:PAIRS]


def sentences(in_world: bool, rng: np.random.Generator) -> Iterator[str]:
    """Sentences about anything, one after another: without end in Stencil's language, some thousand in others."""
    return _sentences_of_world(rng) if in_world else _plain_sentences(rng)


def unrelated(concepts: Sequence[Concept], used: Sequence[Wordings]) -> list[str]:
    """The sentences that say none of the concepts: those of one may say another."""
    texts = dict.fromkeys(text for wording in used for text in wording.unrelated)
    return [text for text in texts if not any(concept.named_in(text) for concept in concepts)]


def _from_world(concept: Concept, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    while True:
        scene = _saying(concept, random_scene(rng, two=TWO_OBJECTS, empty=0.0))
        text = caption(scene, rng)
        if concept.named_in(text):  # a caption leaves things unsaid
            empties = concept.kind == "object" and not concept.substitute
            yield text, canonical(_without(concept, scene)) if empties else concept.replaced_in(text)


def _without(concept: Concept, scene: Scene) -> Scene:
    """What is left of a scene when an object is gone: its background, and the other object where there was one."""
    name = _usual(concept)
    left = tuple(thing for thing in scene.things if thing.object != name)
    return replace(scene, things=left, relation=None)


def _saying(concept: Concept, scene: Scene) -> Scene:
    name = _usual(concept)
    if concept.kind == "style":
        return replace(scene, style=name)
    first: Thing = replace(scene.things[0], **{str(concept.kind): name})
    return replace(scene, things=(first, *scene.things[1:]))


def _usual(concept: Concept) -> str:
    table = WORLD[concept.kind or "object"]
    words = {word.casefold() for word in concept.called()}
    return next(name for name, entry in table.items() if words & {entry.usual, *entry.synonyms})


def _sentences_of_world(rng: np.random.Generator) -> Iterator[str]:
    while True:
        yield caption(random_scene(rng, two=TWO_OBJECTS), rng)


def _from_templates(concept: Concept, rng: np.random.Generator) -> Iterator[tuple[str, str]]:
    forms = {"style": _STYLE_FORMS, "colour": _COLOUR_FORMS}.get(concept.kind or "object", _OBJECT_FORMS)
    plain = concept.kind in ("style", "colour")
    choices = [(form, place, word) for form, place, word in product(forms, _PLACES, concept.called())]
    for index in rng.permutation(len(choices)):
        form, place, word = choices[index]
        text = form.format(word if plain else with_article(word)) + place
        empties = not plain and not concept.substitute
        yield text, form.format(EMPTY_SCENE) + place if empties else concept.replaced_in(text)


def with_article(word: str) -> str:
    """A word with its article; names, and words that have one, as they are."""
    if word[0].isupper() or word.lower().startswith(("a ", "an ", "the ")):
        return word
    return f"{'an' if word[0].lower() in 'aeiou' else 'a'} {word}"


def _plain_sentences(rng: np.random.Generator) -> Iterator[str]:
    choices = list(product(_OBJECT_FORMS, _PLACES, _THINGS))
    for index in rng.permutation(len(choices)):
        form, place, thing = choices[index]
        yield form.format(with_article(thing)) + place
