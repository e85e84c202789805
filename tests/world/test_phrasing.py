"""Phrases: true of the scene, without rare words, and leaving much unsaid."""

import re

import numpy as np
import pytest

from studio.world.phrasing import STYLE_ADJECTIVES, STYLE_ENDINGS, USUAL_COLOURS, phrase, stated_attributes
from studio.world.scene import STYLE_NAMES, Scene, random_scene
from studio.world.words import BACKGROUND_WORDS, COLOUR_WORDS, OBJECT_WORDS, SIZE_WORDS, STYLE_WORDS, Words

TABLES = (OBJECT_WORDS, COLOUR_WORDS, STYLE_WORDS, BACKGROUND_WORDS, SIZE_WORDS)
# Words that state something of the picture in one place and belong to another word of the tables in a second.
SHARED = {"painted", "rose", "green", "plus"}


def scenes(n: int) -> list[Scene]:
    rng = np.random.default_rng(0)
    return [random_scene(rng, two=0.4, empty=0.0, held_out=None) for _ in range(n)]


@pytest.fixture(scope="module")
def phrases() -> list[tuple[Scene, str]]:
    rng = np.random.default_rng(1)
    return [(scene, phrase(scene, rng)) for scene in scenes(4000)]


def names_of(text: str, table: dict[str, Words]) -> set[str]:
    """Which attributes of a table a text names, by usual word or synonym."""
    words = set(re.findall(r"[a-z0-9]+", text)) - SHARED
    return {name for name, entry in table.items() if words & {entry.usual, *entry.synonyms}}


def test_what_is_said_is_true_of_the_scene(phrases: list[tuple[Scene, str]]) -> None:
    for scene, text in phrases:
        assert names_of(text, OBJECT_WORDS) <= {thing.object for thing in scene.things}, text
        assert names_of(text, COLOUR_WORDS) <= {thing.colour for thing in scene.things}, text
        assert names_of(text, STYLE_WORDS) <= {scene.style}, text
        assert names_of(text, BACKGROUND_WORDS) <= {scene.background}, text


def test_every_object_is_named_and_no_word_is_rare(phrases: list[tuple[Scene, str]]) -> None:
    rare = {word for table in TABLES for entry in table.values() for word in entry.rare}
    for scene, text in phrases:
        words = set(re.findall(r"[a-z0-9]+", text))
        for thing in scene.things:
            assert words & {OBJECT_WORDS[thing.object].usual, *OBJECT_WORDS[thing.object].synonyms}, text
        assert not words & rare, text


def test_much_is_left_unsaid_and_flat_oftenest() -> None:
    rng = np.random.default_rng(2)
    drawn = [(scene, stated_attributes(scene, rng)) for scene in scenes(6000)]
    of_style = {
        name: np.mean(["style" in said for scene, said in drawn if scene.style == name]) for name in STYLE_NAMES
    }
    assert of_style["flat"] < min(share for name, share in of_style.items() if name != "flat") - 0.2
    assert np.mean([not said & {"style", "colour", "background"} for _, said in drawn]) > 0.03
    assert np.mean([said >= {"style", "colour", "background"} for _, said in drawn]) > 0.08


def test_a_place_away_from_the_middle_is_always_said() -> None:
    rng = np.random.default_rng(3)
    for scene in scenes(2000):
        if len(scene.things) == 1 and scene.place != "center":
            assert "place" in stated_attributes(scene, rng)


def test_every_style_can_be_said_in_both_ways() -> None:
    assert set(STYLE_ADJECTIVES) == set(STYLE_ENDINGS) == set(STYLE_NAMES)


def test_the_same_generator_gives_the_same_phrases() -> None:
    def some() -> list[str]:
        rng = np.random.default_rng(5)
        return [phrase(scene, rng) for scene in scenes(50)]

    assert some() == some()


def test_a_scene_of_nothing_has_no_phrase() -> None:
    with pytest.raises(ValueError, match="without objects"):
        phrase(Scene(()), np.random.default_rng(0))


def test_the_usual_colour_goes_without_saying_oftener_than_others() -> None:
    rng = np.random.default_rng(4)
    alone = [(scene.things[0], stated_attributes(scene, rng)) for scene in scenes(8000) if len(scene.things) == 1]
    unsaid = [thing for thing, said in alone if "colour" not in said]
    usual = np.mean([thing.colour == USUAL_COLOURS[thing.object] for thing in unsaid])
    assert usual > 0.45 and usual > 1.6 * np.mean([thing.colour == USUAL_COLOURS[thing.object] for thing, _ in alone])
    assert set(USUAL_COLOURS) == set(OBJECT_WORDS) and set(USUAL_COLOURS.values()) <= set(COLOUR_WORDS)
