from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from studio.core.recipe import Recipe
from studio.services.dropped import Dropped
from studio.ui.prompt import dropped
from tests.services.test_dropped import A1111, png
from tests.ui.fake_studio import FakeStudio


def test_a_picture_of_ours_restores_its_recipe_and_is_not_kept(fake: FakeStudio, tmp_path: Path) -> None:
    fake.ended(fake.pictures.submit([Recipe(prompt="a ring", seed=9, steps=1)]))
    file = Path(shutil.copy(fake.history.get(1).image_path, tmp_path / "it.png"))
    recipe, said = dropped.restore(fake, str(file), "stencil")
    assert recipe == fake.history.get(1).recipe and "the picture was made with" in said
    assert not file.exists()


def test_a_picture_of_a1111_tells_what_was_left_out(fake: FakeStudio, tmp_path: Path) -> None:
    recipe, said = dropped.restore(fake, str(png(tmp_path / "it.png", parameters=A1111)), "stencil")
    assert recipe is not None and recipe.model == "stencil" and recipe.steps == 30
    assert "dreamshaper" in said and "&lt;lora:x:1&gt;" in said and said.count("<li>") >= 3


def test_a_picture_of_another_model_is_restored_in_the_size_of_the_one_that_draws(
    fake: FakeStudio, tmp_path: Path
) -> None:
    assert "Size: 512x768" in A1111
    recipe, said = dropped.restore(fake, str(png(tmp_path / "it.png", parameters=A1111)), "stencil")
    assert recipe is not None and (recipe.width, recipe.height) == (128, 128)
    assert "size: 512 × 768 (another model&#x27;s; stencil draws 128 × 128)" in said


@pytest.mark.parametrize("data", [b"", b"<html><script>alert(1)</script>", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_an_evil_file_is_refused_with_a_sentence_and_removed(fake: FakeStudio, tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "<img src=x>.png"
    file.write_bytes(data)
    recipe, said = dropped.restore(fake, str(file), "stencil")
    assert recipe is None and 'role="alert"' in said and "<img" not in said and not file.exists()


def test_everything_taken_over_is_said_too() -> None:
    assert "All of its settings" in dropped.told_html(Dropped(Recipe()))
