"""Rendering: the same pixels every time, at any size, with everything of the scene in them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from studio.world.backgrounds import BACKGROUNDS
from studio.world.colours import COLOURS
from studio.world.render import SIZE_PX, mask, render, render_array, render_uint8
from studio.world.scene import STYLE_NAMES, Scene, Thing, one_object, random_scene, two_objects

REFERENCE = Path(__file__).with_name("renders.png")


def reference_scenes() -> list[Scene]:
    """Eight scenes, one per style, whose pixels are kept in renders.png (side by side)."""
    rng = np.random.default_rng(99)
    return [replace(random_scene(rng, empty=0, held_out=None), style=style) for style in STYLE_NAMES]


def test_pixels_are_those_of_the_kept_renders() -> None:
    """Within one level: other processors round differently, nothing else may move."""
    kept = np.asarray(Image.open(REFERENCE).convert("RGB"), dtype=int)
    for i, scene in enumerate(reference_scenes()):
        tile = kept[:, i * SIZE_PX : (i + 1) * SIZE_PX]
        assert np.abs(render_uint8(scene).astype(int) - tile).max() <= 1, scene


def test_rendering_twice_gives_the_same_bits_and_needs_no_order() -> None:
    scenes = reference_scenes()
    first = [render_uint8(s) for s in scenes]
    for scene, before in list(zip(scenes, first, strict=True))[::-1]:
        assert np.array_equal(render_uint8(scene), before)


@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("style", STYLE_NAMES)
def test_a_render_does_not_depend_on_resolution(style: str, background: str) -> None:
    scene = two_objects(("star", "red"), ("fish", "cyan"), "above", style=style, background=background)
    fine, coarse = render_array(scene, 2 * SIZE_PX), render_array(scene)
    averaged = fine.reshape(SIZE_PX, 2, SIZE_PX, 2, 3).mean((1, 3))
    difference = np.abs(averaged - coarse)
    assert difference.mean() < 0.006 and np.quantile(difference, 0.995) < 0.2


@pytest.mark.parametrize("size_px", [1, 8, 64, 200])
def test_any_size_renders(size_px: int) -> None:
    picture = render_array(one_object("heart", "pink", style="neon"), size_px)
    assert picture.shape == (size_px, size_px, 3) and picture.dtype == np.float32
    assert picture.min() >= 0 and picture.max() <= 1


def test_a_flat_object_is_its_colour_inside_and_the_background_outside() -> None:
    scene = one_object("square", "green", background="grey")
    picture = render_array(scene)
    inside, outside = mask(scene.things[0]) == 1, mask(scene.things[0]) == 0
    np.testing.assert_allclose(picture[inside], np.broadcast_to(COLOURS["green"], (inside.sum(), 3)), atol=1e-6)
    np.testing.assert_allclose(picture[outside], np.broadcast_to((0.60, 0.61, 0.63), (outside.sum(), 3)), atol=1e-6)


@pytest.mark.parametrize("style", STYLE_NAMES)
def test_a_style_paints_the_object_and_leaves_the_rest(style: str) -> None:
    scene = one_object("cross", "purple", style=style, background="white", size="small")
    picture, bare = render_array(scene), render_array(Scene((), background="white"))
    changed = np.abs(picture - bare).max(-1)
    assert changed[mask(scene.things[0]) == 1].mean() > 0.3
    corner = changed[:16, :16]
    assert corner.max() < 0.02  # neon's halo fades


def test_styles_differ_from_each_other() -> None:
    pictures = {s: render_array(one_object("circle", "orange", style=s, background="grey")) for s in STYLE_NAMES}
    for a in STYLE_NAMES:
        for b in STYLE_NAMES:
            assert a == b or np.abs(pictures[a] - pictures[b]).mean() > 0.01, (a, b)


def test_phases_move_the_texture_only() -> None:
    scene = one_object("square", "blue", style="striped")
    moved = replace(scene, phases=(0.5, 0.0))
    difference = np.abs(render_array(scene) - render_array(moved)).max(-1)
    assert difference.max() > 0.2 and difference[mask(scene.things[0]) == 0].max() == 0


def test_things_are_painted_in_their_order() -> None:
    below, above = Thing("circle", "red"), Thing("circle", "blue")
    middle = render_array(Scene((below, above)))[SIZE_PX // 2, SIZE_PX // 2]
    np.testing.assert_allclose(middle, COLOURS["blue"], atol=1e-6)


def test_image_and_array_agree() -> None:
    scene = one_object("moon", "yellow", background="night", style="shaded")
    image = render(scene)
    assert image.mode == "RGB" and image.size == (SIZE_PX, SIZE_PX)
    assert np.array_equal(np.asarray(image), render_uint8(scene))
    assert np.abs(np.asarray(image) / 255 - render_array(scene)).max() <= 0.5 / 255 + 1e-6
