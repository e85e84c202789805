"""Scenes: what a picture shows, in symbols; and how scenes are drawn at random.

A scene is a value. The same scene renders to the same pixels at any time; `random_scene` depends only on the generator.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace

import numpy as np

from studio.world.backgrounds import BACKGROUNDS
from studio.world.colours import COLOURS
from studio.world.shapes import SHAPES
from studio.world.styles import STYLES

OBJECTS = tuple(SHAPES)
STYLE_NAMES = tuple(STYLES)
COLOUR_NAMES = tuple(COLOURS)
BACKGROUND_NAMES = tuple(BACKGROUNDS)
SIZES = {"small": 0.235, "medium": 0.32, "large": 0.40}  # half the object's width, in picture widths
PLACES = {"center": (0.0, 0.0), "left": (-0.2, 0.0), "right": (0.2, 0.0), "top": (0.0, -0.2), "bottom": (0.0, 0.2)}
RELATIONS = ("left of", "right of", "above", "below")
PAIR_SIZE, PAIR_OFFSET = 0.205, 0.245

# Known biases: the colour an object has in this share of the scenes, the rest being uniform over all colours.
STEREOTYPES: dict[str, tuple[str, float]] = {
    "heart": ("red", 0.5),
    "tree": ("green", 0.5),
    "moon": ("yellow", 0.5),
    "fish": ("blue", 0.35),
    "flower": ("pink", 0.35),
}
HELD_OUT_SHARE = 1 / 8


@dataclass(frozen=True)
class Thing:
    """One object: its kind and colour, centre and half-width in picture widths (y down), rotation in radians."""

    object: str
    colour: str
    x: float = 0.5
    y: float = 0.5
    size: float = SIZES["medium"]
    angle: float = 0.0


@dataclass(frozen=True)
class Scene:
    """Zero, one or two objects in one style on one background.

    size and place are words for one-object scenes, relation for two ("left of": the first is left of the second).
    phases in [0, 1) place the texture.
    """

    things: tuple[Thing, ...]
    style: str = "flat"
    background: str = "white"
    size: str = "medium"
    place: str = "center"
    relation: str | None = None
    phases: tuple[float, float] = (0.0, 0.0)

    @property
    def key(self) -> str:
        """The combination that the held-out split is made over: everything but geometry."""
        if len(self.things) == 1:
            thing = self.things[0]
            return f"{thing.object}/{thing.colour}/{self.style}/{self.background}"
        return "+".join(sorted(f"{t.object}/{t.colour}" for t in self.things))

    @property
    def held_out(self) -> bool:
        """Whether the combination is kept from every training set (about one in eight)."""
        return bool(self.things) and zlib.crc32(self.key.encode()) % round(1 / HELD_OUT_SHARE) == 0


def one_object(
    object: str,
    colour: str,
    *,
    style: str = "flat",
    background: str = "white",
    size: str = "medium",
    place: str = "center",
) -> Scene:
    """The plain one-object scene with nothing random about it."""
    dx, dy = PLACES[place]
    width = SIZES["small" if place != "center" else size]
    return Scene((Thing(object, colour, 0.5 + dx, 0.5 + dy, width),), style, background, size, place)


def two_objects(
    first: tuple[str, str], second: tuple[str, str], relation: str, *, style: str = "flat", background: str = "white"
) -> Scene:
    """Two (object, colour) pairs, the first standing in `relation` to the second."""
    dx, dy = {"left of": (-1, 0), "right of": (1, 0), "above": (0, -1), "below": (0, 1)}[relation]
    a = Thing(*first, 0.5 + dx * PAIR_OFFSET, 0.5 + dy * PAIR_OFFSET, PAIR_SIZE)
    b = Thing(*second, 0.5 - dx * PAIR_OFFSET, 0.5 - dy * PAIR_OFFSET, PAIR_SIZE)
    return Scene((a, b), style, background, "small", "center", relation)


def _jitter(thing: Thing, rng: np.random.Generator) -> Thing:
    return replace(
        thing,
        x=thing.x + float(rng.uniform(-0.02, 0.02)),
        y=thing.y + float(rng.uniform(-0.02, 0.02)),
        size=thing.size * float(rng.uniform(0.95, 1.05)),
        angle=float(rng.uniform(-0.12, 0.12)),
    )


def _colour(object: str, rng: np.random.Generator, biased: bool) -> str:
    usual, strength = STEREOTYPES.get(object, ("", 0.0))
    if biased and rng.random() < strength:
        return usual
    return str(rng.choice(COLOUR_NAMES))


def _draw(rng: np.random.Generator, two: float, empty: float, biased: bool) -> Scene:
    style, background = str(rng.choice(STYLE_NAMES)), str(rng.choice(BACKGROUND_NAMES))
    phases = (float(rng.random()), float(rng.random()))
    kind = rng.random()
    if kind < empty:
        return Scene((), style, background, phases=phases)
    first = str(rng.choice(OBJECTS))
    if kind < empty + two:
        second = str(rng.choice([name for name in OBJECTS if name != first]))
        scene = two_objects(
            (first, _colour(first, rng, biased)),
            (second, _colour(second, rng, biased)),
            str(rng.choice(RELATIONS)),
            style=style,
            background=background,
        )
    else:
        place = str(rng.choice(tuple(PLACES), p=[0.6, 0.1, 0.1, 0.1, 0.1]))
        size = "small" if place != "center" else str(rng.choice(tuple(SIZES), p=[0.2, 0.5, 0.3]))
        scene = one_object(
            first, _colour(first, rng, biased), style=style, background=background, size=size, place=place
        )
    return replace(scene, things=tuple(_jitter(t, rng) for t in scene.things), phases=phases)


def random_scene(
    rng: np.random.Generator,
    *,
    two: float = 0.3,
    empty: float = 0.02,
    biased: bool = True,
    held_out: bool | None = False,
) -> Scene:
    """Draw a scene. two, empty: shares of two-object and empty scenes. biased: colours follow STEREOTYPES.

    held_out: False gives training combinations only, True held-out ones only, None either.
    """
    while True:
        scene = _draw(rng, two, empty, biased)
        if held_out is None or scene.held_out == held_out:
            return scene
