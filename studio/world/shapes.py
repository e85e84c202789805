"""Signed distance of every object: negative inside, positive outside, zero on the edge.

Each function takes local coordinates x, y ([H, W] float32, y up, the object spans about [-1, 1]) and returns
distances in the same unit. They need to be true distances near the edge only (antialiasing, outlines, glow).
Source of the constructions: I. Quilez, "2D distance functions" (the formulas, not the text).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
Shape = Callable[[FloatArray, FloatArray], FloatArray]


def _disc(x: FloatArray, y: FloatArray, cx: float, cy: float, radius: float) -> FloatArray:
    return np.hypot(x - cx, y - cy) - np.float32(radius)


def _box(x: FloatArray, y: FloatArray, cx: float, cy: float, half_width: float, half_height: float) -> FloatArray:
    dx = np.abs(x - cx) - np.float32(half_width)
    dy = np.abs(y - cy) - np.float32(half_height)
    outside = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0))
    return outside + np.minimum(np.maximum(dx, dy), 0)


def polygon(x: FloatArray, y: FloatArray, corners: list[tuple[float, float]]) -> FloatArray:
    """Exact signed distance of a simple polygon, corners in order (either way round)."""
    squared = np.full_like(x, np.inf)
    inside = np.zeros(x.shape, dtype=bool)
    for (ax, ay), (bx, by) in zip(corners, corners[1:] + corners[:1], strict=True):
        ex, ey = bx - ax, by - ay
        wx, wy = x - np.float32(ax), y - np.float32(ay)
        along = np.clip((wx * ex + wy * ey) / np.float32(ex * ex + ey * ey), 0, 1)
        squared = np.minimum(squared, (wx - along * ex) ** 2 + (wy - along * ey) ** 2)
        crosses = (y >= ay) != (y >= by)
        if ey != 0:
            inside ^= crosses & (wx < wy * np.float32(ex / ey))
    return np.sqrt(squared) * np.where(inside, np.float32(-1), np.float32(1))


def circle(x: FloatArray, y: FloatArray) -> FloatArray:
    """A disc."""
    return _disc(x, y, 0, 0, 0.92)


def ring(x: FloatArray, y: FloatArray) -> FloatArray:
    """A band around an empty middle."""
    return np.abs(np.hypot(x, y) - np.float32(0.69)) - np.float32(0.25)


def moon(x: FloatArray, y: FloatArray) -> FloatArray:
    """A crescent, open to the right."""
    return np.maximum(_disc(x, y, -0.05, 0, 0.95), -_disc(x, y, 0.42, 0.12, 0.74))


def square(x: FloatArray, y: FloatArray) -> FloatArray:
    """A square that stands on a side."""
    return _box(x, y, 0, 0, 0.78, 0.78)


def house(x: FloatArray, y: FloatArray) -> FloatArray:
    """Walls under a gable roof, with a door cut out."""
    walls = _box(x, y, 0, -0.4, 0.66, 0.5)
    roof = polygon(x, y, [(-0.98, 0.08), (0.98, 0.08), (0.0, 0.95)])
    door = _box(x, y, 0, -0.68, 0.2, 0.34)
    return np.maximum(np.minimum(walls, roof), -door)


def triangle(x: FloatArray, y: FloatArray) -> FloatArray:
    """A triangle that stands on a side."""
    return polygon(x, y, [(-0.95, -0.72), (0.95, -0.72), (0.0, 0.92)])


def _star_corners() -> list[tuple[float, float]]:
    radii, angles = np.tile([1.0, 0.45], 5), np.pi / 2 + np.arange(10) * np.pi / 5
    return [(float(r * np.cos(a)), float(r * np.sin(a))) for r, a in zip(radii, angles, strict=True)]


_STAR = _star_corners()


def star(x: FloatArray, y: FloatArray) -> FloatArray:
    """A star of five points, one of them up."""
    return polygon(x, y, _STAR)


def heart(x: FloatArray, y: FloatArray) -> FloatArray:
    """A heart, its tip down."""
    scale = np.float32(1.62)
    px, py = np.abs(x) / scale, (y + np.float32(0.92)) / scale
    lobe = np.hypot(px - np.float32(0.25), py - np.float32(0.75)) - np.float32(np.sqrt(2) / 4)
    middle = np.maximum(px + py, 0) * np.float32(0.5)
    flank = np.sqrt(np.minimum(px**2 + (py - 1) ** 2, (px - middle) ** 2 + (py - middle) ** 2)) * np.sign(px - py)
    return np.where(px + py > 1, lobe, flank).astype(np.float32) * scale


def cross(x: FloatArray, y: FloatArray) -> FloatArray:
    """Two bars of one width and length that cross in their middle."""
    return np.minimum(_box(x, y, 0, 0, 0.92, 0.32), _box(x, y, 0, 0, 0.32, 0.92))


def flower(x: FloatArray, y: FloatArray) -> FloatArray:
    """Six petals around an empty eye."""
    angles = np.pi / 2 + np.arange(6) * np.pi / 3
    petals = [_disc(x, y, float(0.6 * np.cos(a)), float(0.6 * np.sin(a)), 0.36) for a in angles]
    bloom = np.minimum.reduce([*petals, _disc(x, y, 0, 0, 0.5)])
    return np.maximum(bloom, -_disc(x, y, 0, 0, 0.22))


def tree(x: FloatArray, y: FloatArray) -> FloatArray:
    """A round crown of leaves on a trunk."""
    crown = np.minimum.reduce(
        [_disc(x, y, cx, cy, 0.47) for cx, cy in ((-0.42, 0.1), (0.42, 0.1), (0, 0.46), (0, 0.2))]
    )
    return np.minimum(crown, _box(x, y, 0, -0.55, 0.17, 0.42))


def fish(x: FloatArray, y: FloatArray) -> FloatArray:
    """A body between two arcs, nose to the left, with a tail fin and an eye cut out."""
    body = np.maximum(_disc(x, y, -0.22, -0.36, 0.92), _disc(x, y, -0.22, 0.36, 0.92))
    tail = polygon(x, y, [(0.3, 0.0), (0.98, 0.58), (0.98, -0.58)])
    eye = _disc(x, y, -0.6, 0.14, 0.13)
    return np.maximum(np.minimum(body, tail), -eye)


SHAPES: dict[str, Shape] = {
    f.__name__: f for f in (circle, ring, moon, square, house, triangle, star, heart, cross, flower, tree, fish)
}
