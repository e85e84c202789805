"""What is to be erased, what takes its place and what stays; in plain values, as page and command line give them."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator

from studio.core.errors import BadInput
from studio.core.params import Params
from studio.world.words import COLOUR_WORDS, OBJECT_WORDS, STYLE_WORDS, Words

ConceptKind = Literal["", "object", "style", "colour"]
MAX_WORDS_CHARS = 100
MAX_CONCEPTS = 50
MAX_PRESERVES = 200
WORLD: dict[ConceptKind, dict[str, Words]] = {"object": OBJECT_WORDS, "style": STYLE_WORDS, "colour": COLOUR_WORDS}


class Concept(Params):
    """One concept and where it goes.

    words: what it is called first of all.
    synonyms: other words for it, which are erased with it.
    substitute: what takes its place; "" leaves the words out, as a style can be.
    kind: what sort of thing it is, which says in which sentences it stands; "" asks the world's own words.
    """

    words: str = Field(min_length=1, max_length=MAX_WORDS_CHARS)
    synonyms: tuple[str, ...] = Field(default=(), max_length=20)
    substitute: str = Field(default="", max_length=MAX_WORDS_CHARS)
    kind: ConceptKind = ""

    @field_validator("words", "substitute")
    @classmethod
    def _tidy(cls, value: str) -> str:
        return " ".join(value.split())

    @field_validator("synonyms")
    @classmethod
    def _each_tidy(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(" ".join(word.split()) for word in value if word.strip()))

    def check(self) -> None:
        """Raise BadInput for a concept without a name, and for one that takes the place of itself."""
        if not self.words:
            raise BadInput("A concept needs a name.", "Say what is to be erased.", field="concepts")
        if self.substitute.casefold() in {word.casefold() for word in self.called()}:
            raise BadInput(
                f"{self.words!r} cannot take the place of itself.", "Choose another substitute.", field="concepts"
            )

    def called(self) -> tuple[str, ...]:
        """All its words, the longest first, so that none is read as a part of another."""
        return tuple(sorted((self.words, *self.synonyms), key=len, reverse=True))

    def named_in(self, text: str) -> bool:
        """Whether a text says it, as words of their own."""
        return _pattern(self.called()).search(text) is not None

    def replaced_in(self, text: str) -> str:
        """The text with the substitute in the concept's place, and the article that this asks for.

        Without a substitute, "in the style of" and the like go with the words.
        """
        if not self.substitute:
            text = _phrase(self.called()).sub("", text)
        swapped = _pattern(self.called()).sub(lambda match: _with_article(match, self.substitute), text)
        return " ".join(swapped.split()).strip(" ,")

    def usual(self) -> str:
        """The world's usual word for it, of a concept that has its kind and its other words (`in_world`)."""
        words = {word.casefold() for word in self.called()}
        table = WORLD[self.kind or "object"]
        return next(name for name, entry in table.items() if words & {entry.usual, *entry.synonyms})

    def in_world(self) -> Concept:
        """The same with its kind and its other words, as Stencil's world has them.

        Raises BadInput for words that are no object, style or colour of it.
        """
        name = self.words.casefold()
        for kind, table in WORLD.items():
            for entry in table.values():
                words = (entry.usual, *entry.synonyms)
                if name in words or name in entry.rare:
                    of_world = (word for word in words if word != name)
                    return self.model_copy(update={"kind": kind, "synonyms": (*self.synonyms, *of_world)})
        raise BadInput(
            f"{self.words!r} is no object, style or colour of Stencil's.",
            f"Name one, such as {', '.join(OBJECT_WORDS)}.",
            field="concepts",
        )


def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    """Any of the words: with the article before it, where there is one, and the first letter of what follows."""
    either = "|".join(re.escape(word) for word in words)
    return re.compile(rf"(?:\b(?P<article>an?)\s+)?\b(?:{either})\b(?=\s*(?P<next>\w?))", re.IGNORECASE)


def _phrase(words: tuple[str, ...]) -> re.Pattern[str]:
    """Any of the words as a style or a maker is said: "in neon style", "by Monet", ", in the style of Monet"."""
    either = "|".join(re.escape(word) for word in words)
    return re.compile(rf"(?:\s*,)?\s*\b(?:in (?:the style of )?|by )(?:{either})\b(?: style)?", re.IGNORECASE)


def _with_article(match: re.Match[str], substitute: str) -> str:
    if not match["article"]:
        return substitute
    first = (substitute or match["next"])[:1].lower()  # with the words left out, the article is the next word's
    return f"{'an' if first and first in 'aeiou' else 'a'} {substitute}"
