"""Pictures of the procedural world, rendered and not generated: what the model was taught from."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.world.caption import canonical
from studio.world.render import render
from studio.world.scene import (
    BACKGROUND_NAMES,
    COLOUR_NAMES,
    OBJECTS,
    PLACES,
    RELATIONS,
    SIZES,
    STYLE_NAMES,
    Scene,
    one_object,
    random_scene,
    two_objects,
)

MAX_SCENES = 10_000
MIN_SIZE_PX, MAX_SIZE_PX = 16, 2048

# Attribute -> what it may be, and what it is when left out.
CHOICES: dict[str, tuple[Sequence[str], str]] = {
    "object": (OBJECTS, OBJECTS[0]),
    "colour": (COLOUR_NAMES, COLOUR_NAMES[0]),
    "style": (STYLE_NAMES, STYLE_NAMES[0]),
    "background": (BACKGROUND_NAMES, BACKGROUND_NAMES[0]),
    "size": (tuple(SIZES), "medium"),
    "place": (tuple(PLACES), "center"),
    "second_object": (OBJECTS, ""),
    "second_colour": (COLOUR_NAMES, COLOUR_NAMES[0]),
    "relation": (RELATIONS, RELATIONS[0]),
}


@dataclass(frozen=True)
class Rendered:
    """One scene as a picture.

    caption: the plain sentence that says all of it.
    words: its attributes.
    """

    image: Image.Image
    caption: str
    words: dict[str, Any]

    def png(self) -> bytes:
        """Give the picture as a PNG file."""
        buffer = io.BytesIO()
        self.image.save(buffer, "PNG")
        return buffer.getvalue()


def render_scene(words: Mapping[str, str | None], size_px: int = 128) -> Rendered:
    """Render one scene from words; what is None takes its default. With a second_object there are two.

    Raises BadInput naming the attribute, what it may be and the word given.
    """
    chosen: dict[str, str] = {}
    for name, (allowed, default) in CHOICES.items():
        word = words.get(name)
        if word is not None and word not in allowed:
            raise BadInput(f"In a scene, {name} must be one of {', '.join(allowed)}, not {shown(word)}.", field=name)
        chosen[name] = default if word is None else word
    first = (chosen["object"], chosen["colour"])
    look = {"style": chosen["style"], "background": chosen["background"]}
    if chosen["second_object"]:
        second = (chosen["second_object"], chosen["second_colour"])
        return _rendered(two_objects(first, second, chosen["relation"], **look), size_px)
    return _rendered(one_object(*first, **look, size=chosen["size"], place=chosen["place"]), size_px)


def render_random(count: int, seed: int, size_px: int = 128) -> list[Rendered]:
    """Render scenes drawn as the training set's are; the same seed gives the same scenes. Raises BadInput."""
    _check_range("random", count, 1, MAX_SCENES)
    _check_range("seed", seed, 0, 2**64 - 1)
    rng = np.random.default_rng(seed)
    return [_rendered(random_scene(rng, held_out=None), size_px) for _ in range(count)]


def _rendered(scene: Scene, size_px: int) -> Rendered:
    _check_range("size", size_px, MIN_SIZE_PX, MAX_SIZE_PX)
    words: dict[str, Any] = {
        "objects": [{"object": thing.object, "colour": thing.colour} for thing in scene.things],
        "style": scene.style,
        "background": scene.background,
        "size": scene.size,
        "place": scene.place,
        "relation": scene.relation,
        "held_out": scene.held_out,
    }
    return Rendered(render(scene, size_px), canonical(scene), words)


def _check_range(name: str, value: Any, low: int, high: int) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    if not whole or not low <= value <= high:
        message = f"In a rendering, {name} must be a whole number from {low} to {high}, not {shown(value)}."
        raise BadInput(message, field=name)
