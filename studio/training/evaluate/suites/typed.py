"""What people type first: an object and little else; and each object in turn with everything said."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from studio.training.evaluate.cases import SUITES, Case, Suite, turns
from studio.world.caption import canonical
from studio.world.reading import Wanted
from studio.world.scene import BACKGROUND_NAMES, OBJECTS, STYLE_NAMES, Scene, random_scene

OPEN_SEED, OPEN_APART = 70_000, 1_000  # seeds of the first kind of open prompts, and from one kind to the next
EACH_SEED, EACH_APART = 75_000, 100  # likewise of the objects
BACKGROUND_PHRASES = {"meadow": "in a meadow", "sunset": "at sunset", "night": "at night"}


def with_article(words: str) -> str:
    """The words with "a" or "an" before them."""
    return ("an " if words[0] in "aeiou" else "a ") + words


def open_prompts(n: int) -> dict[str, list[Case]]:
    """kind -> n cases: an object alone, on a background, in a style; every object as often."""
    prompts: dict[str, list[tuple[str, Wanted]]] = {
        "object alone": [(with_article(name), Wanted(((name, None),), count=1)) for name in OBJECTS]
    }
    prompts["with background"] = [
        (
            f"{with_article(name)} {BACKGROUND_PHRASES.get(value, f'on a {value} background')}",
            Wanted(((name, None),), background=value, count=1),
        )
        for name, value in _crossed(BACKGROUND_NAMES)
    ]
    prompts["with style"] = [
        (with_article(f"{value} {name}"), Wanted(((name, None),), style=value, count=1))
        for name, value in _crossed(STYLE_NAMES)
    ]
    return {
        kind: [
            Case(text, OPEN_SEED + OPEN_APART * k + i, expectation, kind)
            for i, (text, expectation) in enumerate(_first(kind_prompts, n))
        ]
        for k, (kind, kind_prompts) in enumerate(prompts.items())
    }


def _first(prompts: Sequence[tuple[str, Wanted]], n: int) -> list[tuple[str, Wanted]]:
    """The first n, over and over where there are fewer."""
    return [prompts[i % len(prompts)] for i in range(n)]


def _crossed(values: Sequence[str]) -> list[tuple[str, str]]:
    """Every object with every value, in an order whose beginning already meets all of both evenly."""
    count = len(OBJECTS)
    return [(OBJECTS[i % count], values[(i + i // count) % len(values)]) for i in range(count * len(values))]


def each_object(n: int) -> dict[str, list[Case]]:
    """object -> n canonical captions of held-out scenes with that object alone, everything said, none twice."""
    rng = np.random.default_rng((63, 0))
    scenes: dict[str, dict[str, Scene]] = {name: {} for name in OBJECTS}
    while any(len(captions) < n for captions in scenes.values()):
        scene = random_scene(rng, two=0.0, empty=0.0, biased=False, held_out=True)
        of_object = scenes[scene.things[0].object]
        if len(of_object) < n:
            of_object.setdefault(canonical(scene), scene)
    return {
        name: [
            Case(text, EACH_SEED + EACH_APART * k + i, Wanted.of(scene), name, scene=scene)
            for i, (text, scene) in enumerate(captions.items())
        ]
        for k, (name, captions) in enumerate(scenes.items())
    }


def _shared(pictures: int, parts: int) -> int:
    """How many each of so many parts has to give."""
    return -(-pictures // parts)


SUITES.register("open-prompts")(
    Suite(
        "An object and little else: alone, on a background, in a style.",
        900,
        72,
        3 * OPEN_APART,
        lambda pictures: turns(open_prompts(_shared(pictures, 3)), pictures),
    )
)
SUITES.register("each-object")(
    Suite(
        "Every object in turn, everything said, in combinations no training set has held.",
        720,
        96,
        len(OBJECTS) * EACH_APART,
        lambda pictures: turns(each_object(_shared(pictures, len(OBJECTS))), pictures),
    )
)
