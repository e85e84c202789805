"""Scenes to pixels: signed distances, antialiased by one-pixel coverage, at any resolution."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from studio.world.backgrounds import BACKGROUNDS, LIGHT
from studio.world.colours import COLOURS
from studio.world.scene import Scene, Thing
from studio.world.shapes import SHAPES
from studio.world.styles import STYLES, Stroke

SIZE_PX = 128
FloatArray = npt.NDArray[np.float32]


@lru_cache(maxsize=8)
def _grid(size_px: int) -> tuple[FloatArray, FloatArray]:
    axis = (np.arange(size_px, dtype=np.float32) + np.float32(0.5)) / np.float32(size_px)
    x, y = np.meshgrid(axis, axis)
    return x, y


def distance(thing: Thing, size_px: int = SIZE_PX) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Signed distance in picture widths and the object's own coordinates (y up), each [size_px, size_px]."""
    x, y = _grid(size_px)
    dx, dy = (x - np.float32(thing.x)) / np.float32(thing.size), (np.float32(thing.y) - y) / np.float32(thing.size)
    cos, sin = np.float32(np.cos(thing.angle)), np.float32(np.sin(thing.angle))
    lx, ly = (cos * dx + sin * dy).astype(np.float32), (cos * dy - sin * dx).astype(np.float32)
    return (SHAPES[thing.object](lx, ly) * np.float32(thing.size)).astype(np.float32), lx, ly


def mask(thing: Thing, size_px: int = SIZE_PX) -> FloatArray:
    """Coverage of one object alone, [size_px, size_px] in [0, 1]."""
    return np.clip(0.5 - distance(thing, size_px)[0] * np.float32(size_px), 0, 1)


def render_array(scene: Scene, size_px: int = SIZE_PX) -> FloatArray:
    """Picture as [size_px, size_px, 3] float32 in [0, 1]."""
    x, y = _grid(size_px)
    picture = np.array(BACKGROUNDS[scene.background](x, y), dtype=np.float32)
    for thing in scene.things:
        edge, lx, ly = distance(thing, size_px)
        stroke = Stroke(edge, x, y, lx, ly, 1 / size_px, COLOURS[thing.colour], scene.phases, scene.background in LIGHT)
        picture = STYLES[scene.style](stroke, picture)
    return np.clip(picture, 0, 1)


def render_uint8(scene: Scene, size_px: int = SIZE_PX) -> npt.NDArray[np.uint8]:
    """Picture as [size_px, size_px, 3] uint8, rounded to nearest."""
    return (render_array(scene, size_px) * 255 + 0.5).astype(np.uint8)


def render(scene: Scene, size_px: int = SIZE_PX) -> Image.Image:
    """Picture as a PIL image in sRGB."""
    return Image.fromarray(render_uint8(scene, size_px))
