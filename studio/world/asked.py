"""What a typed prompt asks of a picture of the world, word by word, and which of these words a picture misses.

Words are looked up in the tables of the world, synonyms and rare ones among them. A colour belongs to the object that
it stands before, or after; what is said with "no" or "without" is not asked for; words of no table ask for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from studio.world.phrasing import STYLE_ADJECTIVES
from studio.world.reading import Reading, SeenThing, Wanted
from studio.world.words import BACKGROUND_WORDS, COLOUR_WORDS, INVERSE, OBJECT_WORDS, SIZE_WORDS, STYLE_WORDS, Words

MAX_THINGS = 4  # further objects are missed, for no picture of the world has more than two
_WORD = re.compile(r"[a-z0-9]+")
_ALTERNATING = re.compile(r"\[[^\[\]]*\]")  # what a prompt says in some steps alone
_NEGATIONS = frozenset({"no", "without", "not"})
_BETWEEN = frozenset({"a", "an", "the", "of", "and", "with"})  # what may stand between a negation and its object
_STYLE_STEMS = {
    "outline": "outlined",
    "outlines": "outlined",
    "stripe": "striped",
    "stripes": "striped",
    "polka": "dotted",
    "dot": "dotted",
    "dots": "dotted",
    "spots": "dotted",
    "checks": "checkered",
    "shading": "shaded",
}
_BACKGROUND_STEMS = {"grass": "meadow"}
_ASIDE = {"left of": "left", "right of": "right"}
_OVER = {"above": "above", "over": "above", "below": "below", "under": "below", "beneath": "below"}
_PLACES = {
    "left": "left",
    "right": "right",
    "top": "top",
    "bottom": "bottom",
    "middle": "center",
    "center": "center",
    "centre": "center",
}


def _table(words: Mapping[str, Words]) -> dict[str, str]:
    """Every word for a value, plurals among them -> the value."""
    listed = {word: name for name, entry in words.items() for word in (entry.usual, *entry.synonyms, *entry.rare)}
    return listed | {f"{word}s": name for word, name in listed.items() if f"{word}s" not in listed}


_OBJECTS, _COLOURS, _SIZES = _table(OBJECT_WORDS), _table(COLOUR_WORDS), _table(SIZE_WORDS)
_BACKGROUNDS = _table(BACKGROUND_WORDS) | _BACKGROUND_STEMS
_STYLES = (
    _table(STYLE_WORDS)
    | {word: name for name, phrases in STYLE_ADJECTIVES.items() for word in phrases if " " not in word}
    | _STYLE_STEMS
)


@dataclass(frozen=True)
class AskedWord:
    """A word of a prompt that a picture can be held against.

    word: as it was typed, in lower case; of a relation all its words.
    attribute: object, colour, style, background, size, place or relation.
    value: which of the world's it is.
    thing: index of the object that it speaks of; None where it speaks of the picture.
    """

    word: str
    attribute: str
    value: str
    thing: int | None = None


@dataclass(frozen=True)
class Asked:
    """All that a prompt asks for, in its order."""

    words: tuple[AskedWord, ...]

    @property
    def expectation(self) -> Wanted:
        """The same as what a reading is compared with."""

        def value(attribute: str) -> str | None:
            return next((word.value for word in self.words if word.attribute == attribute), None)

        return Wanted(
            self._things(),
            style=value("style"),
            background=value("background"),
            size=value("size"),
            place=value("place"),
            relation=value("relation"),
        )

    def missed(self, reading: Reading) -> tuple[AskedWord, ...]:
        """The words that a picture does not show, in their order; of an invalid picture all.

        A colour is missed where its object has another, though that colour may be elsewhere in the picture.
        """
        if reading.invalid:
            return self.words
        matches = reading.matches(self.expectation)
        seen_by_thing = _matched(self._things(), reading.things)
        return tuple(word for word in self.words if not self._is_shown(word, matches, seen_by_thing))

    def _is_shown(
        self, word: AskedWord, matches: Mapping[str, bool], seen_by_thing: Sequence[SeenThing | None]
    ) -> bool:
        if word.thing is None:
            return matches.get(word.attribute, False)
        thing_read = seen_by_thing[word.thing] if word.thing < len(seen_by_thing) else None
        if thing_read is None:
            return False
        if word.attribute == "object":
            return thing_read.object == word.value
        kind = self._things()[word.thing][0]
        return thing_read.colour == word.value and kind in (None, thing_read.object)

    def _things(self) -> tuple[tuple[str | None, str | None], ...]:
        indices = sorted({word.thing for word in self.words if word.thing is not None})
        pairs: list[tuple[str | None, str | None]] = []
        for index in indices:
            mine = {word.attribute: word.value for word in self.words if word.thing == index}
            pairs.append((mine.get("object"), mine.get("colour")))
        return tuple(pairs)


def asked_of(prompt: str) -> Asked:
    """Read a prompt, in any of the prompt languages: weights and brackets say nothing here."""
    tokens = _asked_tokens(_WORD.findall(_ALTERNATING.sub(" ", prompt).lower()))
    places = [i for i, token in enumerate(tokens) if token in _OBJECTS]
    words: list[tuple[int, AskedWord]] = [
        (i, AskedWord(tokens[i], "object", _OBJECTS[tokens[i]], k)) for k, i in enumerate(places)
    ]
    words += _colours(tokens, places)
    words += _first(tokens, "style", _STYLES)
    words += _first(tokens, "background", _BACKGROUNDS)
    if len(places) == 1:
        words += _first(tokens, "size", _SIZES)
        words += _first(tokens, "place", _PLACES)
    elif len(places) > 1:
        words += _relation(tokens, places)
    return Asked(tuple(word for _, word in sorted(words, key=lambda entry: entry[0])))


def _asked_tokens(tokens: Sequence[str]) -> list[str]:
    """The tokens without a negation and what it is about, up to its object or background."""
    stated: list[str] = []
    is_negated = False
    for token in tokens:
        if token in _NEGATIONS:
            is_negated = True
        elif not is_negated:
            stated.append(token)
        elif token in _OBJECTS or token in _BACKGROUNDS or not _says_something(token):
            is_negated = token in _BETWEEN
    return stated


def _says_something(token: str) -> bool:
    return any(token in table for table in (_OBJECTS, _COLOURS, _STYLES, _BACKGROUNDS, _SIZES))


def _first(tokens: Sequence[str], attribute: str, table: Mapping[str, str]) -> list[tuple[int, AskedWord]]:
    """The first word of a table: pictures have one style and one background."""
    return [(i, AskedWord(token, attribute, table[token])) for i, token in enumerate(tokens) if token in table][:1]


def _colours(tokens: Sequence[str], places: Sequence[int]) -> list[tuple[int, AskedWord]]:
    """Each colour with the object it belongs to, one for each object."""
    words: list[tuple[int, AskedWord]] = []
    coloured: set[int] = set()
    for i, token in enumerate(tokens):
        if token not in _COLOURS or (i + 1 < len(tokens) and _is_scenery(tokens[i + 1])):
            continue
        thing = _owner(tokens, places, i)
        if thing not in coloured:
            coloured.add(thing)
            words.append((i, AskedWord(token, "colour", _COLOURS[token], thing)))
    return words


def _is_scenery(token: str) -> bool:
    """What a colour before it is the colour of, and not of an object: "on a green meadow", "a red background"."""
    return token in ("background", "sky") or _BACKGROUNDS.get(token) == "meadow"


def _owner(tokens: Sequence[str], places: Sequence[int], at: int) -> int:
    """Which object a colour belongs to: the next, where only adjectives stand between; else the one before it."""
    earlier = [k for k, place in enumerate(places) if place < at]
    later = next((k for k, place in enumerate(places) if place > at), None)
    if later is None:
        return earlier[-1] if earlier else 0
    is_before_noun = all(_says_something(token) for token in tokens[at + 1 : places[later]])
    return later if is_before_noun or not earlier else earlier[-1]


def _relation(tokens: Sequence[str], places: Sequence[int]) -> list[tuple[int, AskedWord]]:
    """How the first object stands to the second, where that is said."""
    for i in range(places[0] + 1, places[1]):
        pair = " ".join(tokens[i : i + 2])
        if pair in _ASIDE:
            return [(i, AskedWord(pair, "relation", pair))]
        if tokens[i] in _OVER:
            return [(i, AskedWord(tokens[i], "relation", _OVER[tokens[i]]))]
    for i in range(places[1] + 1, len(tokens) - 1):
        if tokens[i] in _OVER and tokens[i + 1] == "it":  # "a heart with a star under it"
            return [(i, AskedWord(tokens[i], "relation", INVERSE[_OVER[tokens[i]]]))]
    for near, far, relation in (("left", "right", "left of"), ("top", "bottom", "above")):
        if near in tokens and far in tokens:
            i, j = sorted((tokens.index(near), tokens.index(far)))
            stands = relation if tokens[i] == near else INVERSE[relation]
            return [(i, AskedWord(f"{tokens[i]}, {tokens[j]}", "relation", stands))]
    return []


def _matched(
    things: Sequence[tuple[str | None, str | None]], seen: Sequence[SeenThing]
) -> tuple[SeenThing | None, ...]:
    """For each thing that is asked for the one of the picture that comes nearest, each taken once."""
    things = things[:MAX_THINGS]
    places: list[SeenThing | None] = [*seen, *(None for _ in things)]

    def right(order: Sequence[SeenThing | None]) -> int:
        return sum(
            (2 * (kind == seen.object) if kind else 1) + (colour == seen.colour and kind in (None, seen.object))
            for (kind, colour), seen in zip(things, order, strict=True)
            if seen is not None
        )

    return max(permutations(places, len(things)), key=right)
