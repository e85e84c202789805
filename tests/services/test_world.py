"""Rendering scenes from words."""

from __future__ import annotations

from typing import Any

import pytest

from studio.core.errors import BadInput
from studio.services.world import CHOICES, render_random, render_scene


def test_words_become_a_picture() -> None:
    made = render_scene({"object": "star", "colour": "red"}, 64)
    assert made.image.size == (64, 64)
    assert "red star" in made.caption
    assert made.words["objects"] == [{"object": "star", "colour": "red"}]
    assert made.png().startswith(b"\x89PNG")


def test_two_objects() -> None:
    words = {"object": "star", "second_object": "square", "second_colour": "blue", "relation": "above"}
    made = render_scene(words)
    assert len(made.words["objects"]) == 2 and "above" in made.caption


@pytest.mark.parametrize("name", CHOICES)
def test_unknown_words_are_named(name: str) -> None:
    with pytest.raises(BadInput, match=f"{name} must be one of .*not 'zebra'"):
        render_scene({name: "zebra"})


def test_random_scenes_depend_on_the_seed_alone() -> None:
    first, again, other = render_random(3, 1, 32), render_random(3, 1, 32), render_random(3, 2, 32)
    assert [one.png() for one in first] == [one.png() for one in again] != [one.png() for one in other]


@pytest.mark.parametrize(
    ("count", "seed", "size"),
    [
        (0, 1, 32),
        (10_001, 1, 32),
        (1, -1, 32),
        (1, 2**64, 32),
        (1, 1, 4),
        (1, 1, 4096),
        (1.5, 1, 32),
        ("x", 1, 32),
        (True, 1, 32),
    ],
)
def test_numbers_out_of_range(count: Any, seed: Any, size: Any) -> None:
    with pytest.raises(BadInput, match="must be a whole number from"):
        render_random(count, seed, size)
