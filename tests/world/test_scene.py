"""Scenes: drawn from the generator alone, split by combination, biased by known amounts."""

import numpy as np
import pytest

from studio.world.scene import (
    COLOUR_NAMES,
    OBJECTS,
    PLACES,
    RELATIONS,
    SIZES,
    STEREOTYPES,
    STYLE_NAMES,
    Scene,
    Thing,
    one_object,
    random_scene,
    two_objects,
)


def draw(n: int, seed: int = 0, **options: object) -> list[Scene]:
    rng = np.random.default_rng(seed)
    return [random_scene(rng, **options) for _ in range(n)]  # pyright: ignore[reportArgumentType]


def test_the_world_is_as_large_as_promised() -> None:
    assert len(OBJECTS) >= 12 and len(STYLE_NAMES) >= 8 and len(COLOUR_NAMES) >= 8
    assert len(set(OBJECTS)) == len(OBJECTS)


def test_a_scene_depends_on_the_generator_alone() -> None:
    np.random.seed(1)
    first = draw(50, seed=5)
    np.random.seed(2)
    assert draw(50, seed=5) == first
    assert draw(50, seed=6) != first


def test_held_out_share_is_an_eighth_and_the_splits_are_disjoint() -> None:
    either = draw(6000, two=0.3, empty=0.0, biased=False, held_out=None)
    share = np.mean([s.held_out for s in either])
    assert share == pytest.approx(1 / 8, abs=0.02)
    training = {s.key for s in draw(3000, seed=1)}
    kept = {s.key for s in draw(1000, seed=2, empty=0.0, held_out=True)}
    assert not training & kept
    assert all(s.held_out for s in draw(50, seed=3, empty=0.0, held_out=True))


def test_the_split_ignores_geometry_and_the_order_of_two() -> None:
    assert one_object("star", "red", size="large").key == one_object("star", "red", place="left").key
    a, b = ("star", "red"), ("fish", "blue")
    assert two_objects(a, b, "above").key == two_objects(b, a, "left of", style="neon").key


def test_every_value_of_every_attribute_is_in_training() -> None:
    scenes = draw(4000)
    things = [t for s in scenes for t in s.things]
    assert {t.object for t in things} == set(OBJECTS) and {t.colour for t in things} == set(COLOUR_NAMES)
    assert {s.style for s in scenes} == set(STYLE_NAMES)
    assert {s.size for s in scenes} == set(SIZES) and {s.place for s in scenes} == set(PLACES)
    assert {s.relation for s in scenes} == {None, *RELATIONS}
    assert {len(s.things) for s in scenes} == {0, 1, 2}


def test_stereotypes_have_their_strengths() -> None:
    """A stereotype's colour: its share, plus what it gets of the uniform rest."""
    drawn = draw(14_000, seed=4, two=0.0, empty=0.0, held_out=None)
    for name, (usual, strength) in STEREOTYPES.items():
        colours = [s.things[0].colour for s in drawn if s.things[0].object == name]
        expected = strength + (1 - strength) / len(COLOUR_NAMES)
        assert np.mean([c == usual for c in colours]) == pytest.approx(expected, abs=0.06), name


def test_unbiased_scenes_have_no_stereotypes() -> None:
    drawn = draw(14_000, seed=4, two=0.0, empty=0.0, biased=False, held_out=None)
    hearts = [s.things[0].colour for s in drawn if s.things[0].object == "heart"]
    assert np.mean([c == "red" for c in hearts]) == pytest.approx(1 / len(COLOUR_NAMES), abs=0.05)


@pytest.mark.parametrize("relation", RELATIONS)
def test_the_first_of_two_stands_where_the_relation_says(relation: str) -> None:
    first, second = two_objects(("star", "red"), ("fish", "blue"), relation).things
    across, down = first.x - second.x, first.y - second.y
    assert {"left of": across, "right of": -across, "above": down, "below": -down}[relation] < -0.4
    assert min(abs(across), abs(down)) == 0


def test_objects_stay_inside_the_picture_and_apart() -> None:
    for scene in draw(2000, held_out=None):
        for t in scene.things:
            assert min(t.x, t.y, 1 - t.x, 1 - t.y) - t.size > -0.03, scene
        if len(scene.things) == 2:
            a, b = scene.things
            assert a.object != b.object
            assert np.hypot(a.x - b.x, a.y - b.y) > 0.99 * (a.size + b.size)


def test_an_empty_scene_is_never_held_out() -> None:
    assert not Scene(()).held_out


def test_a_scene_is_a_value() -> None:
    assert Scene((Thing("star", "red"),)) == Scene((Thing("star", "red"),))
    assert len({one_object("star", "red"), one_object("star", "red")}) == 1
