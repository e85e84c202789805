"""How an object is painted. Textures are coarse on purpose: periods of 2 to 3 latent cells (8 px at 128 px).

A style takes a `Stroke` (distances, coordinates, colour) and the picture so far ([H, W, 3] float32 in [0, 1]) and
returns the picture with the object painted over it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from studio.world.colours import RGB, shade, tint

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Stroke:
    """One object about to be painted.

    distance: [H, W], signed distance in picture widths.
    x, y: [H, W], picture coordinates in [0, 1], y down.
    lx, ly: [H, W], the object's own coordinates in about [-1, 1], y up.
    pixel: width of a pixel, 1 / H.
    phases: two numbers in [0, 1) that place the texture.
    light: whether the background is light.
    """

    distance: FloatArray
    x: FloatArray
    y: FloatArray
    lx: FloatArray
    ly: FloatArray
    pixel: float
    rgb: RGB
    phases: tuple[float, float]
    light: bool


Style = Callable[[Stroke, FloatArray], FloatArray]


def _cover(distance: FloatArray, pixel: float) -> FloatArray:
    """Share of each pixel inside the edge, [H, W, 1] in [0, 1] (box filter of one pixel)."""
    return np.clip(0.5 - distance / np.float32(pixel), 0, 1)[..., None].astype(np.float32)


def _mix(below: FloatArray, above: FloatArray, share: FloatArray) -> FloatArray:
    return (below + (above - below) * share).astype(np.float32)


def _rgb(colour: RGB) -> FloatArray:
    return np.asarray(colour, dtype=np.float32)


def flat(s: Stroke, picture: FloatArray) -> FloatArray:
    """Filled with the colour."""
    return _mix(picture, _rgb(s.rgb), _cover(s.distance, s.pixel))


def outlined(s: Stroke, picture: FloatArray) -> FloatArray:
    """Filled with the colour, inside a line that stands out against the background."""
    line = (0.08, 0.07, 0.10) if s.light else (0.97, 0.97, 0.97)  # always against the background
    picture = _mix(picture, _rgb(line), _cover(s.distance, s.pixel))
    return _mix(picture, _rgb(s.rgb), _cover((s.distance + np.float32(0.036)).astype(np.float32), s.pixel))


def striped(s: Stroke, picture: FloatArray) -> FloatArray:
    """Level stripes of the colour and of a pale tint of it."""
    period = 0.172
    wave = np.abs(np.mod(s.y / period + s.phases[0], 1) - 0.5) - 0.25
    fill = _mix(_rgb(s.rgb), _rgb(tint(s.rgb, 0.66)), _cover((wave * np.float32(period)).astype(np.float32), s.pixel))
    return _mix(picture, fill, _cover(s.distance, s.pixel))


def dotted(s: Stroke, picture: FloatArray) -> FloatArray:
    """Pale dots on the colour, in rows."""
    period = 0.18
    column = np.mod(s.x / period + s.phases[0], 1) - 0.5
    row = np.mod(s.y / period + s.phases[1], 1) - 0.5
    dots = np.hypot(column, row).astype(np.float32) * np.float32(period) - np.float32(0.052)
    fill = _mix(_rgb(s.rgb), _rgb(tint(s.rgb, 0.78)), _cover(dots, s.pixel))
    return _mix(picture, fill, _cover(s.distance, s.pixel))


def checkered(s: Stroke, picture: FloatArray) -> FloatArray:
    """Squares of the colour and of a dark shade of it."""
    cell = 0.125
    column = np.abs(np.mod(s.x / (2 * cell) + s.phases[0], 1) - 0.5) - 0.25
    row = np.abs(np.mod(s.y / (2 * cell) + s.phases[1], 1) - 0.5) - 0.25
    edge = (2 * cell * np.minimum(np.abs(column), np.abs(row)) * np.sign(column * row)).astype(np.float32)
    fill = _mix(_rgb(s.rgb), _rgb(shade(s.rgb, 0.6)), _cover(edge, s.pixel))
    return _mix(picture, fill, _cover(s.distance, s.pixel))


def shaded(s: Stroke, picture: FloatArray) -> FloatArray:
    """Lit from the upper left: a highlight there, deep shade on the lower right."""
    facing = ((s.ly - s.lx) * np.float32(0.6))[..., None]
    dark = np.clip(-facing, 0, 1) ** np.float32(0.8)
    bright = np.clip(1 - np.hypot(s.lx + 0.32, s.ly - 0.32) / np.float32(0.62), 0, 1)[..., None]
    fill = _mix(_rgb(s.rgb) * np.float32(0.92), _rgb(shade(s.rgb, 0.78)), dark)
    fill = _mix(fill, _rgb((1.0, 1.0, 1.0)), (bright * np.float32(0.9)).astype(np.float32))
    return _mix(picture, fill, _cover(s.distance, s.pixel))


def neon(s: Stroke, picture: FloatArray) -> FloatArray:
    """A glowing line of the colour along the edge, with a halo outside and darkness within."""
    halo = np.float32(0.55) * np.exp(-np.maximum(s.distance, 0) / np.float32(0.045))[..., None]
    picture = _mix(picture, _rgb(s.rgb), halo * (s.distance > 0)[..., None])
    picture = _mix(picture, _rgb(shade(s.rgb, 0.88)), _cover(s.distance, s.pixel))
    rim = np.abs(s.distance + np.float32(0.012))
    picture = _mix(picture, _rgb(s.rgb), _cover(rim - np.float32(0.022), s.pixel))
    return _mix(picture, _rgb(tint(s.rgb, 0.8)), _cover(rim - np.float32(0.0075), s.pixel))


def watercolor(s: Stroke, picture: FloatArray) -> FloatArray:
    """Paint that pools and thins on wet paper, with an uneven edge."""
    a, b = (2 * np.pi * p for p in s.phases)
    pools = np.sin(7.1 * s.x + 3.3 * s.y + a) + np.sin(4.7 * s.y - 5.9 * s.x + b) + np.sin(11 * s.y + 9 * s.x + a + b)
    wobble = np.float32(0.008) * np.sin(31 * s.x + a) * np.sin(29 * s.y + b)
    soft = np.clip(0.5 - (s.distance + wobble) / np.float32(0.035), 0, 1)
    rim = np.exp(-(((s.distance + np.float32(0.035)) / np.float32(0.022)) ** 2))
    alpha = np.clip(soft * (0.62 + 0.12 * pools + 0.30 * rim), 0, 1)[..., None].astype(np.float32)
    paper = _mix(picture, _rgb((1.0, 1.0, 1.0)), (0.75 * soft)[..., None].astype(np.float32))
    return _mix(paper, _rgb(s.rgb), alpha)


STYLES: dict[str, Style] = {
    f.__name__: f for f in (flat, outlined, striped, dotted, checkered, shaded, neon, watercolor)
}
