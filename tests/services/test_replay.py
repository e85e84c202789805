"""Replay: the same bits, or how many differ and what may be why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.services.checks import settled
from studio.services.direct import generate_unrecorded
from studio.services.replay import compare, replay
from studio.services.studio import Studio
from studio.storage.png import encode_png, read_png


def test_what_the_studio_stored_replays_bit_identical(settings: Settings, draw: Callable[..., Recipe]) -> None:
    shared = [draw(seed=seed, batching="shared") for seed in (3, 4)]
    with Studio(settings, backend="inline") as studio:
        made = studio.pictures.draw([draw(seed=7, negative_prompt="a blue square"), *shared])
    result = replay(settings, made[0].image_path)
    assert result.identical and result.causes == () and result.different_pixels == 0
    assert result.sentence() == "Bit-identical: all 1024 pixels are the same."
    assert replay(settings, made[1].image_path).max_difference <= 1


def test_a_changed_picture_is_told(settings: Settings, draw: Callable[..., Recipe], tmp_path: Path) -> None:
    picture = generate_unrecorded(settings, [draw()])[0]
    image = picture.image.copy()
    red, green, blue = image.getpixel((3, 4))  # type: ignore[misc]
    image.putpixel((3, 4), (red, green ^ 64, blue))
    path = tmp_path / "changed.png"
    path.write_bytes(encode_png(image, picture.recipe, {**picture.made_by, "torch": "1.0"}))
    result = replay(settings, path)
    assert (result.identical, result.different_pixels, result.max_difference) == (False, 1, 64)
    assert result.sentence().startswith("Not identical: 1 of 1024 pixels differ, by up to 64 of 255.")
    assert "the version of torch (1.0, now " in result.sentence()


def test_a_file_without_a_recipe(settings: Settings, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "plain.png")
    with pytest.raises(BadInput, match="no recipe"):
        replay(settings, tmp_path / "plain.png")


def test_other_sizes_differ_everywhere() -> None:
    assert compare(Image.new("RGB", (8, 8)), Image.new("RGB", (8, 4))) == (32, 255)


def test_unrecorded_pictures_are_those_the_studio_stores(settings: Settings, draw: Callable[..., Recipe]) -> None:
    with Studio(settings, backend="inline") as studio:
        stored = studio.pictures.draw([draw(seed=5)])[0].image_path.read_bytes()
    picture = generate_unrecorded(settings, [draw(seed=5)])[0]
    assert picture.png() == stored
    assert read_png(stored).recipe == settled(draw(seed=5))


def test_a_job_carries_the_threads_that_were_asked_for(settings: Settings, draw: Callable[..., Recipe]) -> None:
    with Studio(settings) as studio:
        first, second = studio.pictures.submit([draw()], threads=1), studio.pictures.submit([draw()])
        assert studio.jobs.find(first).payload["threads"] == 1
        assert "threads" not in studio.jobs.find(second).payload
