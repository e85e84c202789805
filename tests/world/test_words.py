"""Words: each names one thing, and every value of every attribute has its words."""

from collections import Counter

import pytest

from studio.world.backgrounds import BACKGROUNDS
from studio.world.scene import COLOUR_NAMES, OBJECTS, PLACES, RELATIONS, SIZES, STYLE_NAMES
from studio.world.words import (
    BACKGROUND_WORDS,
    COLOUR_WORDS,
    GRAMMAR,
    INVERSE,
    OBJECT_WORDS,
    PLACE_PHRASES,
    RELATION_PHRASES,
    SIZE_WORDS,
    STYLE_WORDS,
    Words,
    vocabulary,
)

TABLES: dict[str, tuple[dict[str, Words], tuple[str, ...]]] = {
    "object": (OBJECT_WORDS, OBJECTS),
    "colour": (COLOUR_WORDS, COLOUR_NAMES),
    "style": (STYLE_WORDS, STYLE_NAMES),
    "background": (BACKGROUND_WORDS, tuple(BACKGROUNDS)),
    "size": (SIZE_WORDS, tuple(SIZES)),
}


@pytest.mark.parametrize("kind", TABLES)
def test_every_value_has_its_words(kind: str) -> None:
    table, names = TABLES[kind]
    assert tuple(table) == names
    assert all(entry.usual == name for name, entry in table.items())


def test_places_and_relations_have_phrases() -> None:
    assert set(PLACE_PHRASES) == set(PLACES) and set(RELATION_PHRASES) == set(RELATIONS) == set(INVERSE)
    assert all(INVERSE[INVERSE[r]] == r != INVERSE[r] for r in RELATIONS)


def test_no_word_means_two_things() -> None:
    words = [w for table, _ in TABLES.values() for e in table.values() for w in (e.usual, *e.synonyms, *e.rare)]
    assert not [w for w, n in Counter(words).items() if n > 1]


def test_rare_words_are_neither_synonyms_nor_grammar() -> None:
    for table, _ in TABLES.values():
        for entry in table.values():
            assert not set(entry.rare) & {entry.usual, *entry.synonyms, *GRAMMAR}


def test_every_object_has_a_rare_word_for_attacks() -> None:
    assert all(entry.rare for entry in OBJECT_WORDS.values())


def test_the_vocabulary_covers_every_word_once() -> None:
    words = vocabulary()
    assert len(set(words)) == len(words) and words == vocabulary()
    for table, _ in TABLES.values():
        for entry in table.values():
            assert {entry.usual, *entry.synonyms, *entry.rare} <= set(words)
    for phrases in (*PLACE_PHRASES.values(), *RELATION_PHRASES.values()):
        assert {w for phrase in phrases for w in phrase.split()} <= set(words)
    assert all(word == word.lower() and " " not in word for word in words)
