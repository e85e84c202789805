"""Captions: true of the scene, made of known words, varied, and without the rare words unless asked."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from studio.world.caption import canonical, caption, swapped
from studio.world.scene import Scene, one_object, random_scene, two_objects
from studio.world.words import (
    BACKGROUND_WORDS,
    COLOUR_WORDS,
    INVERSE,
    OBJECT_WORDS,
    RELATION_PHRASES,
    SIZE_WORDS,
    STYLE_WORDS,
    Words,
    vocabulary,
)

TABLES = (OBJECT_WORDS, COLOUR_WORDS, STYLE_WORDS, BACKGROUND_WORDS, SIZE_WORDS)
RARE = {w for table in TABLES for entry in table.values() for w in entry.rare}


@cache
def scenes(n: int, seed: int = 0, two: float = 0.4) -> tuple[Scene, ...]:
    rng = np.random.default_rng(seed)
    return tuple(random_scene(rng, two=two, empty=0.05, held_out=None) for _ in range(n))


def words_of(text: str) -> list[str]:
    return text.replace(",", "").split()


def any_word(entry: Words) -> set[str]:
    return {entry.usual, *entry.synonyms, *entry.rare}


def test_no_rare_word_by_default() -> None:
    rng = np.random.default_rng(1)
    said = {w for scene in scenes(4000) for w in words_of(caption(scene, rng))}
    assert not said & RARE


def test_rare_words_when_asked() -> None:
    rng = np.random.default_rng(1)
    said = {w for scene in scenes(4000) for w in words_of(caption(scene, rng, rare=1.0))}
    assert said >= RARE
    assert not said & {w for e in OBJECT_WORDS.values() for w in (e.usual, *e.synonyms)}


def test_every_word_is_in_the_vocabulary() -> None:
    rng, known = np.random.default_rng(2), set(vocabulary())
    for scene in scenes(3000):
        assert set(words_of(caption(scene, rng, rare=0.3))) <= known
        assert set(words_of(canonical(scene))) <= known


def test_every_synonym_is_met_in_training_captions() -> None:
    rng = np.random.default_rng(3)
    said = {w for scene in scenes(6000) for w in words_of(caption(scene, rng))}
    for table in TABLES:
        for entry in table.values():
            assert {entry.usual, *entry.synonyms} - {"medium"} <= said
    assert "medium" in said


@pytest.mark.parametrize("seed", range(40))
def test_a_full_caption_tells_everything_and_nothing_else(seed: int) -> None:
    scene = scenes(1, seed=seed + 100)[0]
    text = caption(scene, np.random.default_rng(seed), full=True)
    said = set(words_of(text))
    pairs = [(BACKGROUND_WORDS, scene.background)]
    if scene.things:
        pairs.append((STYLE_WORDS, scene.style))
    for thing in scene.things:
        pairs += [(OBJECT_WORDS, thing.object), (COLOUR_WORDS, thing.colour)]
    for table, name in pairs:
        assert said & any_word(table[name]), (text, name)
    for table in (OBJECT_WORDS, COLOUR_WORDS, STYLE_WORDS, BACKGROUND_WORDS):
        meant = {name for t, name in pairs if t is table}
        for name, entry in table.items():
            assert name in meant or not said & any_word(entry), (text, name)


def test_a_relation_is_told_from_either_side_and_truly() -> None:
    scene, rng = two_objects(("star", "red"), ("fish", "blue"), "left of"), np.random.default_rng(4)
    sides = set()
    for _ in range(200):
        text = caption(scene, rng)
        first = "star" if text.index("star") < text.index("fish") else "fish"
        told = [r for r, phrases in RELATION_PHRASES.items() if any(f" {p} " in text for p in phrases)]
        if told:
            assert told == ["left of" if first == "star" else INVERSE["left of"]], text
            sides.add(first)
    assert sides == {"star", "fish"}


def test_captions_vary_and_depend_on_the_generator_alone() -> None:
    scene = one_object("heart", "red", style="neon", background="sunset", size="large")
    texts = [caption(scene, np.random.default_rng(i)) for i in range(60)]
    assert len(set(texts)) > 25
    assert texts == [caption(scene, np.random.default_rng(i)) for i in range(60)]


@pytest.mark.parametrize(
    ("scene", "text"),
    [
        (one_object("star", "red"), "a flat red star on a white background"),
        (one_object("moon", "pink", style="outlined", background="grey"), "an outlined pink moon on a grey background"),
        (one_object("fish", "blue", size="large", background="black"), "a large flat blue fish on a black background"),
        (one_object("fish", "blue", place="left"), "a flat blue fish on the left on a white background"),
        (
            two_objects(("star", "red"), ("tree", "green"), "above"),
            "a flat red star above a flat green tree on a white background",
        ),
        (Scene((), background="meadow"), "an empty meadow background"),
    ],
)
def test_the_canonical_caption(scene: Scene, text: str) -> None:
    assert canonical(scene) == text


def test_articles_fit() -> None:
    rng = np.random.default_rng(5)
    for scene in scenes(2000):
        words = words_of(caption(scene, rng, rare=0.2))
        for article, word in zip(words, words[1:], strict=False):
            assert article != "a" or word[0] not in "aeiou", words
            assert article != "an" or word[0] in "aeiou", words


def test_swapping_changes_one_attribute() -> None:
    scene = two_objects(("star", "red"), ("fish", "blue"), "above", style="neon")
    assert swapped(scene, "style", "flat") == replace(scene, style="flat")
    other = swapped(scene, "colour", "green")
    assert [t.colour for t in other.things] == ["green", "blue"] and scene.things[0].colour == "red"
