"""Sentences that say an object and leave what is balanced unsaid, and the same with each attribute."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from studio.core.errors import BadInput
from studio.training.balance.plan import BalancePlan
from studio.training.erase.concept import WORLD, Concept
from studio.training.erase.texts import UNRELATED, sentences
from studio.world.caption import caption
from studio.world.scene import random_scene
from studio.world.words import Words

MOST_DRAWN = 40_000
_LOCKED = {"colour": ("colour",), "style": ("style", "colour")}  # a style's word stands before the colour's


def unsaid(plan: BalancePlan, count: int, seed: int) -> list[str]:
    """So many sentences with the object, each once as far as there are, which say none of the attributes' kind.

    Where a style is balanced they leave colours unsaid too, so that its word can stand right before the object.
    """
    rng = np.random.default_rng(seed)
    concept = plan.object
    name = concept.usual()
    locked = [_any_of(entry) for kind in _LOCKED[plan.kind] for entry in WORLD[kind].values()]  # type: ignore[index]
    distinct: dict[str, None] = {}
    for _ in range(MOST_DRAWN):
        if len(distinct) == count:
            break
        scene = random_scene(rng, two=0.0, empty=0.0)
        text = caption(replace(scene, things=(replace(scene.things[0], object=name),)), rng)
        if concept.named_in(text) and not any(words.named_in(text) for words in locked):
            distinct[text] = None
    if not distinct:
        raise BadInput(f"The world has no sentence about a {name} that leaves its {plan.kind} unsaid.")
    texts = list(distinct)
    return [texts[k % len(texts)] for k in range(count)]


def saying(plan: BalancePlan, texts: list[str], attribute: str) -> list[tuple[str, str]]:
    """Each sentence beside the same with an attribute before the object, with the article that this asks for."""
    concept = plan.object
    pairs = []
    for text in texts:
        word = next(word for word in concept.called() if Concept(words=word).named_in(text))
        attributed = Concept(words=word, substitute=f"{attribute} {word}").replaced_in(text)
        pairs.append((text, attributed))
    return pairs


def staying(plan: BalancePlan, seed: int) -> list[str]:
    """Sentences about anything else, the empty prompt and what the plan keeps."""
    rng = np.random.default_rng(seed)
    concept = plan.object
    unrelated: dict[str, None] = dict.fromkeys(("", *plan.preserves))
    for text in sentences(True, rng):
        if not concept.named_in(text):
            unrelated[text] = None
        if len(unrelated) > UNRELATED:
            return list(unrelated)
    raise AssertionError("sentences of the world have no end")


def _any_of(entry: Words) -> Concept:
    return Concept(words=entry.usual, synonyms=(*entry.synonyms, *entry.rare))
