"""A concept that a training never meets: in no scene that it is shown, and in no sentence that it reads.

What a model would be had it never seen a concept is what an erasure is held against (FADE, arXiv:2510.12981). Such a
model differs from its base in the data alone, and there in as little as can be: scenes that show the concept give way
to others, sentences that name it are said otherwise, every other sample stays what it was.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np

from studio.core.errors import BadInput
from studio.world.phrasing import ADJECTIVES, CLOSINGS, OPENINGS, STYLE_ADJECTIVES, STYLE_ENDINGS
from studio.world.scene import Scene
from studio.world.words import COLOUR_WORDS, GRAMMAR, OBJECT_WORDS, STYLE_WORDS, WORD, Words

ExcludedKind = Literal["object", "style", "colour"]
TABLES: dict[ExcludedKind, dict[str, Words]] = {"object": OBJECT_WORDS, "style": STYLE_WORDS, "colour": COLOUR_WORDS}


@dataclass(frozen=True)
class Exclusion:
    """One object, style or colour of the world.

    kind: "object", "style" or "colour".
    name: the value's usual word.
    """

    kind: ExcludedKind
    name: str

    @classmethod
    def read(cls, text: str) -> Exclusion:
        """From "object:star". Raises BadInput for what is no object, style or colour of the world."""
        word, _, name = text.partition(":")
        for kind in get_args(ExcludedKind):
            if word == kind and name in TABLES[kind]:
                return cls(kind, name)
        if word in TABLES:
            raise BadInput(f"{name!r} is no {word} of the world.", f"Name one of {', '.join(TABLES[word])}.")
        raise BadInput(f"{text!r} names nothing to leave out.", "Say kind and name, such as object:star.")

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    def shown_in(self, scene: Scene) -> bool:
        """Whether a scene shows it. An empty scene counts as of its style."""
        if self.kind == "style":
            return scene.style == self.name
        return any(getattr(thing, self.kind) == self.name for thing in scene.things)

    @cached_property
    def words(self) -> frozenset[str]:
        """Every word that says it: usual, synonym, rare, plural, and of a style what no other sentence has."""
        entry = TABLES[self.kind][self.name]
        words = {entry.usual, *entry.synonyms, *entry.rare}
        if self.kind == "object":
            words.add(f"{self.name}s")
        if self.kind == "style":
            words |= _of_style(self.name) - {
                word for style in STYLE_WORDS if style != self.name for word in _of_style(style)
            }
            words -= set(GRAMMAR) | _split((*ADJECTIVES, *CLOSINGS, *OPENINGS))
        return frozenset(words)

    def named_in(self, text: str) -> bool:
        """Whether a sentence in lower case says it."""
        return not self.words.isdisjoint(WORD.findall(text))


def _split(texts: tuple[str, ...]) -> set[str]:
    return {word for text in texts for word in WORD.findall(text)}


def _of_style(name: str) -> set[str]:
    return _split((*STYLE_ADJECTIVES[name], *STYLE_ENDINGS[name]))


def say(speak: Callable[[np.random.Generator], str], rng: np.random.Generator, without: Exclusion | None) -> str:
    """The first sentence drawn that does not name what is left out."""
    while True:
        sentence = speak(rng)
        if without is None or not without.named_in(sentence):
            return sentence
