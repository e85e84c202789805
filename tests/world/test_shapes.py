"""Shapes and styles: signed distances that antialias, objects that fill their frame and can be told apart."""

from itertools import combinations

import numpy as np
import pytest

from studio.world.colours import COLOURS, shade, tint
from studio.world.render import distance, mask
from studio.world.scene import OBJECTS, Thing
from studio.world.shapes import SHAPES, polygon

AXIS = np.linspace(-1.3, 1.3, 261, dtype=np.float32)
X, Y = np.meshgrid(AXIS, AXIS)


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_is_a_distance_near_its_edge(name: str) -> None:
    """One pixel of coverage is right only where the distance grows by one per unit: within 10 % on 90 % of the edge."""
    d = SHAPES[name](X, Y)
    step = float(AXIS[1] - AXIS[0])
    down, across = np.gradient(d.astype(np.float64), step)
    slope = np.hypot(down, across)[np.abs(d) < 2 * step]
    assert np.quantile(np.abs(slope - 1), 0.9) < 0.1


@pytest.mark.parametrize("name", SHAPES)
def test_a_shape_fills_its_frame(name: str) -> None:
    inside = SHAPES[name](X, Y) < 0
    across, up = np.abs(X[inside]).max(), np.abs(Y[inside]).max()
    assert 0.75 < max(across, up) < 1.08
    assert 0.2 < inside.mean() * 2.6**2 / 4 < 0.85  # of the 2 x 2 frame


@pytest.mark.parametrize(("first", "second"), list(combinations(OBJECTS, 2)))
def test_no_two_shapes_are_nearly_the_same(first: str, second: str) -> None:
    a, b = SHAPES[first](X, Y) < 0, SHAPES[second](X, Y) < 0
    assert (a & b).sum() / (a | b).sum() < 0.85


def test_a_polygon_is_exact() -> None:
    square = [(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5)]
    x = np.asarray([[0.0, 0.9, 0.5, 0.8]], np.float32)
    y = np.asarray([[0.0, 0.0, 0.5, 0.9]], np.float32)
    for corners in (square, square[::-1]):
        np.testing.assert_allclose(polygon(x, y, corners), [[-0.5, 0.4, 0.0, 0.5]], atol=1e-6)


def test_distance_is_in_picture_widths() -> None:
    edge, _, _ = distance(Thing("circle", "red", size=0.25))
    assert edge.min() == pytest.approx(-0.92 * 0.25, abs=0.01)


def test_turning_a_thing_turns_its_mask() -> None:
    upright, turned = Thing("triangle", "red"), Thing("triangle", "red", angle=np.pi / 2)
    np.testing.assert_allclose(np.rot90(mask(upright)), mask(turned), atol=0.02)


def test_colours_are_far_apart() -> None:
    for (a, rgb_a), (b, rgb_b) in combinations(COLOURS.items(), 2):
        assert np.linalg.norm(np.subtract(rgb_a, rgb_b)) > 0.3, (a, b)


def test_tint_and_shade_reach_white_and_black() -> None:
    red = COLOURS["red"]
    assert tint(red, 1) == (1, 1, 1) and shade(red, 1) == (0, 0, 0) and tint(red, 0) == red == shade(red, 0)
