"""Readings: compared with scenes and parts of scenes as GenEval does."""

from dataclasses import replace

import pytest

from studio.world.reading import Reading, SeenThing, Wanted
from studio.world.scene import Scene, one_object, two_objects


def reading_of(scene: Scene) -> Reading:
    """What a perfect oracle reads."""
    things = sorted(scene.things, key=lambda t: t.x + t.y)
    layout = ("empty", "one", "horizontal")[len(things)]
    if scene.relation in ("above", "below"):
        layout = "vertical"
    slots = {"horizontal": ("left", "right"), "vertical": ("top", "bottom")}.get(layout, (scene.place,))
    seen = tuple(SeenThing(t.object, t.colour, slot) for t, slot in zip(things, slots, strict=False))
    return Reading(seen, layout, scene.style, scene.background, scene.size, scene.place, False, 0.0)


ONE = one_object("star", "red", style="neon", background="night", place="left")
TWO = two_objects(("star", "red"), ("fish", "blue"), "right of")


@pytest.mark.parametrize("scene", [ONE, TWO, Scene((), background="meadow")])
def test_a_right_reading_matches_everything(scene: Scene) -> None:
    found = reading_of(scene).matches(scene)
    assert all(found.values())


def test_what_is_compared_depends_on_the_scene() -> None:
    always = {"object", "colour", "bound", "style", "background", "count"}
    assert set(reading_of(ONE).matches(ONE)) == always | {"size", "place"}
    assert set(reading_of(TWO).matches(TWO)) == always | {"relation"}
    nothing = Scene((), background="black")
    assert set(reading_of(nothing).matches(nothing)) == {"background", "count"}


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"style": "flat"}, {"style"}),
        ({"background": "white"}, {"background"}),
        ({"place": "top"}, {"place"}),
        ({"things": (SeenThing("moon", "red"),)}, {"object", "bound"}),
        ({"things": (SeenThing("star", "blue"),)}, {"colour", "bound"}),
        ({"things": ()}, {"object", "colour", "bound", "count", "style"}),
        ({"things": (SeenThing("star", "red"), SeenThing("fish", "blue")), "layout": "vertical"}, {"count"}),
    ],
)
def test_one_fault_is_one_mismatch(change: dict[str, object], wrong: set[str]) -> None:
    found = replace(reading_of(ONE), **change).matches(ONE)  # pyright: ignore[reportArgumentType]
    assert {name for name, ok in found.items() if not ok} == wrong


def test_two_are_present_in_any_order_but_their_relation_is_not() -> None:
    other_way = two_objects(("star", "red"), ("fish", "blue"), "left of")
    found = reading_of(other_way).matches(TWO)
    assert found["object"] and found["bound"] and not found["relation"]
    told_from_the_fish = two_objects(("fish", "blue"), ("star", "red"), "left of")
    assert all(reading_of(told_from_the_fish).matches(TWO).values())


def test_swapped_colours_are_present_but_not_bound() -> None:
    swapped = two_objects(("star", "blue"), ("fish", "red"), "right of")
    found = reading_of(swapped).matches(TWO)
    assert found["object"] and found["colour"] and found["relation"] and not found["bound"]


def test_the_same_object_twice_is_not_two_objects() -> None:
    twice = replace(reading_of(TWO), things=(SeenThing("star", "red", "left"), SeenThing("star", "red", "right")))
    found = twice.matches(TWO)
    assert not (found["object"] or found["colour"] or found["bound"] or found["relation"])


def test_a_partial_specification_is_compared_in_what_it_says() -> None:
    reading = reading_of(TWO)
    assert reading.matches(Wanted(things=(("fish", None),))) == {"object": True}
    assert reading.matches(Wanted(things=((None, "red"),), count=1)) == {"colour": True, "count": False}
    assert reading.matches(Wanted(things=(("fish", "red"),)))["bound"] is False
    assert reading.matches(Wanted(relation="left of")) == {"relation": True}
    assert reading.matches(Wanted(things=(("star", None), ("fish", None)), relation="above"))["relation"] is False
    assert reading.matches(Wanted()) == {}


@pytest.mark.parametrize(("layout", "relation"), [("horizontal", "left of"), ("vertical", "above"), ("one", None)])
def test_the_relation_is_that_of_the_first_slot(layout: str, relation: str | None) -> None:
    assert replace(reading_of(TWO), layout=layout).relation == relation
