"""Layouts: overlaps, matching, SDI, and the boxes of what is read in a picture of the world."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest

from studio.metrics.layout import MAX_BOXES, Box, layout_similarity, overlap, sdi
from studio.world.boxes import boxes
from studio.world.oracle import Oracle
from studio.world.render import render_uint8
from studio.world.scene import PLACES, SIZES, one_object, two_objects

UNIT: Box = (0, 0, 1, 1)


def test_overlap_is_intersection_over_union() -> None:
    assert overlap(UNIT, UNIT) == 1 and overlap(UNIT, (1, 0, 2, 1)) == 0 and overlap((0, 0, 0, 0), (0, 0, 0, 0)) == 0
    assert overlap(UNIT, (0.5, 0, 1.5, 1)) == pytest.approx(0.5 / 1.5)
    assert overlap((0, 0, 2, 2), UNIT) == pytest.approx(0.25)


def test_the_matching_is_the_best_there_is() -> None:
    rng = np.random.default_rng(0)
    for few, many in ((1, 3), (2, 2), (3, 4)):
        corners = rng.random((few + many, 2))
        layout: list[Box] = [(x, y, x + 0.6, y + 0.6) for x, y in corners.tolist()]
        first, second = layout[:few], layout[few:]
        best = max(
            sum(overlap(box, second[place]) for box, place in zip(first, places, strict=True))
            for places in permutations(range(many), few)
        )
        assert layout_similarity(first, second) == pytest.approx(best / many)
        assert layout_similarity(second, first) == pytest.approx(best / many)


def test_alike_is_nothing_and_apart_is_one() -> None:
    far: Box = (5, 5, 6, 6)
    assert sdi([[UNIT], [UNIT], [UNIT]]) == 0 and sdi([[UNIT], [far]]) == 1 and sdi([[], []]) == 0
    assert sdi([[UNIT], []]) == 1 and sdi([[UNIT], [UNIT, far]]) == pytest.approx(0.5)
    assert sdi([[UNIT], [UNIT], [far]]) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="one picture"):
        sdi([[UNIT]])
    with pytest.raises(ValueError, match="at most 16"):
        layout_similarity([UNIT], [UNIT] * (MAX_BOXES + 1))


def test_boxes_are_where_the_scene_has_its_things() -> None:
    scenes = [one_object("star", "red", size=size) for size in SIZES]
    scenes += [one_object("star", "red", place=place) for place in PLACES]
    scenes += [two_objects(("star", "red"), ("heart", "blue"), relation) for relation in ("left of", "above")]
    readings = Oracle.load().read(np.stack([render_uint8(scene) for scene in scenes]))
    for scene, reading in zip(scenes, readings, strict=True):
        expected = [(t.x - t.size, t.y - t.size, t.x + t.size, t.y + t.size) for t in scene.things]
        assert boxes(reading) == [pytest.approx(box) for box in expected], scene
