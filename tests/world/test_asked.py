"""What prompts ask for: the truth of the suites that state it, captions of known scenes, and which words are missed."""

from __future__ import annotations

import numpy as np
import pytest

from studio.training.evaluate.suites.wordings import PHRASINGS
from studio.world.asked import asked_of
from studio.world.caption import canonical
from studio.world.reading import Reading, SeenThing, Wanted
from studio.world.scene import random_scene
from tests.world.test_reading import reading_of


@pytest.mark.parametrize(("prompt", "stated"), PHRASINGS)
def test_forty_phrasings_are_read_as_they_are_meant(prompt: str, stated: Wanted) -> None:
    asked = asked_of(prompt).expectation
    assert sorted(map(str, asked.things)) == sorted(map(str, stated.things))
    assert (asked.style, asked.background) == (stated.style, stated.background)
    if stated.relation is not None:  # of the first that is named to the second
        is_turned = asked.things != stated.things
        inverse = {"left of": "right of", "above": "below", "right of": "left of", "below": "above"}
        assert asked.relation == (inverse[stated.relation] if is_turned else stated.relation)


def test_a_caption_of_a_scene_is_met_by_that_scene_and_by_no_other_colour() -> None:
    rng = np.random.default_rng(5)
    for _ in range(200):
        scene = random_scene(rng, held_out=None)
        if not scene.things:
            continue
        asked, reading = asked_of(canonical(scene)), reading_of(scene)
        assert asked.missed(reading) == () and len(asked.words) >= 4
        things = tuple(SeenThing(thing.object, "nothing", thing.slot) for thing in reading.things)
        wrong = Reading(
            things, reading.layout, reading.style, reading.background, reading.size, reading.place, False, 0
        )
        assert {word.attribute for word in asked.missed(wrong)} == {"colour"}
        assert len(asked.missed(wrong)) == len(scene.things)


def one(object: str, colour: str, **values: object) -> Reading:
    plain = {"style": "flat", "background": "white", "size": "medium", "place": "center"} | values
    return Reading((SeenThing(object, colour),), "one", invalid=False, invalid_score=0.0, **plain)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("prompt", "reading", "missed"),
    [
        ("a (scarlet:1.3) star", one("star", "red"), ()),
        ("a scarlet star", one("star", "blue"), ("scarlet",)),
        ("a red star", one("heart", "red"), ("red", "star")),  # that red is another object's
        ("a neon star at midnight", one("star", "red"), ("neon", "midnight")),
        ("a star without a heart", one("star", "red"), ()),
        ("a star, no red heart, striped", one("star", "blue"), ("striped",)),
        ("a star on a green meadow", one("star", "blue", background="meadow"), ()),
        ("a [red:blue:0.5] star", one("star", "pink"), ()),
        ("a large star on the left", one("star", "red", size="large"), ("left",)),
        ("two stars", one("star", "red"), ()),
        ("a star and a heart", one("star", "red"), ("heart",)),
        ("", one("star", "red"), ()),
        ("please, something lovely", one("star", "red"), ()),
    ],
)
def test_missed_words_are_those_the_picture_does_not_show(
    prompt: str, reading: Reading, missed: tuple[str, ...]
) -> None:
    assert tuple(word.word for word in asked_of(prompt).missed(reading)) == missed


def test_swapped_colours_are_missed_and_a_broken_picture_shows_nothing() -> None:
    asked = asked_of("a red star left of a blue fish")
    things = (SeenThing("star", "blue", "left"), SeenThing("fish", "red", "right"))
    swapped = Reading(things, "horizontal", "flat", "white", "small", "center", False, 0.0)
    assert tuple(word.word for word in asked.missed(swapped)) == ("red", "blue")
    turned = Reading(things[::-1], "horizontal", "flat", "white", "small", "center", False, 0.0)
    assert tuple(word.word for word in asked.missed(turned)) == ("red", "left of", "blue")
    broken = Reading(things, "horizontal", "flat", "white", "small", "center", True, 1.0)
    assert asked.missed(broken) == asked.words
