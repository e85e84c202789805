"""Hidden words: read back from what drew a picture, liked as they won, and drawn the more often for it."""

import numpy as np
import pytest

from studio.core.recipe import Recipe
from studio.preference.answer import FIRST, SECOND, SKIP, TIE, Answer
from studio.preference.hidden_words import chances, draw_words, liking, words_of
from studio.preference.label import Label, Picture

STYLES, COLOURS = ("neon", "flat"), ("red", "blue", "green")


def picture(prompt: str) -> Picture:
    return Picture("0" * 64, Recipe(prompt=prompt))


def label(first: str, second: str, outcome: str, number: int = 0, **values: object) -> Label:
    pictures = (picture(first), picture(second))
    return Label(str(number), number, "c", "ann", "a star at night", pictures, Answer.pair(outcome), **values)  # type: ignore[arg-type]


def test_hidden_words_are_those_the_prompt_does_not_have() -> None:
    assert words_of(picture("a neon red star at night"), "a star at night") == ("neon", "red")
    assert words_of(picture("An outlined star"), "a star") == ("an", "outlined")
    assert words_of(picture("a star"), "a star") == ()
    assert words_of(Picture("0" * 64), "a star") == ()


def test_liking_is_the_share_of_wins_with_one_of_each_added() -> None:
    labels = [
        label("a neon red star at night", "a flat red star at night", FIRST, 1),
        label("a flat blue star at night", "a neon red star at night", SECOND, 2),
        label("a neon blue star at night", "a flat blue star at night", TIE, 3),
        label("a flat red star at night", "a neon red star at night", FIRST, 4, purpose="check"),
        label("a flat red star at night", "a neon red star at night", SKIP, 5),
        label("a flat red star at night", "a neon red star at night", FIRST, 6),
        label("a flat red star at night", "a neon red star at night", FIRST, 7, supersedes="6", is_withdrawn=True),
    ]
    assert liking(labels) == {
        "neon": pytest.approx(3 / 4),
        "flat": pytest.approx(1 / 4),
        "red": pytest.approx(2 / 3),  # once against blue; where both are red it says nothing
        "blue": pytest.approx(1 / 3),
    }


def test_liked_words_are_drawn_more_often_and_none_is_given_up() -> None:
    shares = chances(STYLES, {"neon": 1.0, "flat": 0.0})
    assert sum(shares) == pytest.approx(1) and shares == [pytest.approx(0.875), pytest.approx(0.125)]
    assert chances(STYLES, {"neon": 0.0, "flat": 0.0}) == [pytest.approx(0.5)] * 2
    assert chances(COLOURS, {}) == [pytest.approx(1 / 3)] * 3
    rng, count = np.random.default_rng(0), 2_000
    drawn = [draw_words(rng, (STYLES, COLOURS), {"neon": 1.0, "flat": 0.0}) for _ in range(count)]
    assert all(style in STYLES and colour in COLOURS for style, colour in drawn)
    neon = sum(style == "neon" for style, _ in drawn)
    assert abs(neon - 0.875 * count) < 3 * (count * 0.875 * 0.125) ** 0.5
