"""Rows out of what there is: each says where it comes from, and is a recipe that can be drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from studio.core.errors import BadInput
from studio.core.recipe import EditRef, Recipe
from studio.core.settings import Settings
from studio.services.comparisons import rows
from studio.services.edits.library import EditEntry
from studio.services.presets import GuidancePresets
from studio.services.sources import Sources
from studio.storage.png import encode_png
from tests.tiny_model import SIZE_PX

Draw = Callable[..., Recipe]
ENTRY = EditEntry("no-stars-0123456789ab", Path("x"), 1, datetime.now(UTC), name="No stars")


def test_edits_go_on_top_and_one_that_is_there_gets_its_strength(draw: Draw) -> None:
    base = draw(edits=[{"edit": "other"}, {"edit": ENTRY.id, "strength": 0.5}])
    row = rows.with_edit(base, ENTRY, -2.0)
    assert row.recipe.edits == (EditRef(edit="other"), EditRef(edit=ENTRY.id, strength=-2.0))
    assert (row.name, row.source) == ("No stars at -2", f"edit {ENTRY.id}")
    with pytest.raises(BadInput, match="it is broken"):
        rows.with_edit(base, replace(ENTRY, problem="it is broken"))
    with pytest.raises(BadInput, match="strength must be"):
        rows.with_edit(base, ENTRY, 11.0)
    live = rows.with_training(base, "abc", "taste")
    assert live.is_live and live.name == "taste, so far" and not row.is_live


def test_presets_and_models_change_what_is_theirs(draw: Draw, settings: Settings, tmp_path: Path) -> None:
    base = draw(edits=[{"edit": "x"}], seed=5)
    preset = GuidancePresets(tmp_path).listing()[0].name
    loaded = GuidancePresets(tmp_path).load(preset)
    row = rows.with_preset(base, loaded)
    assert row.recipe == base.model_copy(update={"guidance": loaded.spec}) and preset in row.source
    by_model = rows.with_model(draw(width=64, seed=5), "stencil", Sources(settings)).recipe
    assert (by_model.width, by_model.height, by_model.seed, by_model.edits) == (SIZE_PX, SIZE_PX, 5, ())


def test_a_picture_file_gives_its_recipe_and_says_what_is_left_out(
    draw: Draw, settings: Settings, tmp_path: Path
) -> None:
    recipe = draw(seed=7)
    path = tmp_path / "star.png"
    path.write_bytes(encode_png(Image.new("RGB", (SIZE_PX, SIZE_PX)), recipe, {}))
    row, dropped = rows.of_file(path, Sources(settings))
    assert row.recipe == recipe and row.source == "file star.png" and dropped.ours
    path.write_bytes(encode_png(Image.new("RGB", (64, 64)), recipe.model_copy(update={"model": "elsewhere"}), {}))
    row, dropped = rows.of_file(path, Sources(settings))
    assert row.recipe.model == "stencil" and any("elsewhere" in part for part in dropped.left_out)
