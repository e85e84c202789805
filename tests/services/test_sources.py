"""Sources: names to models, what the page may know of them, and what the engine is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from studio.core.errors import AssetError, NotFound
from studio.core.settings import Settings
from studio.services.sources import Sources
from tests.ldm_checkpoint import write_checkpoint
from tests.tiny_model import CONTEXT, SIZE_PX
from tests.tiny_sdxl import XL_SIZE_PX, build_xl


@pytest.fixture
def sources(settings: Settings, tiny_model: Path, tmp_path: Path) -> Sources:
    models = tmp_path / "models"
    build_xl(models / "large")
    write_checkpoint(tiny_model, models / "one.safetensors")
    shutil.copytree(tiny_model, models / "one", ignore=shutil.ignore_patterns("*.safetensors"))
    (models / "broken").mkdir()
    return Sources(settings.model_copy(update={"models_dir": models, "memory_budget": 1.5}))


def test_listing_and_cards(sources: Sources) -> None:
    assert [(model.name, model.problem is None) for model in sources.listing()] == [
        ("stencil", True),
        ("broken", False),
        ("large", True),
        ("one.safetensors", True),
    ]
    assert sources.card("large").default_size_px == XL_SIZE_PX
    assert sources.card("one.safetensors").default_size_px == SIZE_PX
    assert sources.tokenizer("one.safetensors").context == sources.tokenizer("large").context == CONTEXT
    with pytest.raises(AssetError, match="model_index.json is missing"):
        sources.card("broken")
    with pytest.raises(NotFound, match="there are stencil, broken, large, one.safetensors"):
        sources.card("nothing")


def test_a_model_put_there_later_is_found(sources: Sources, tiny_model: Path) -> None:
    assert sources.settings.models_dir is not None
    shutil.copytree(tiny_model, sources.settings.models_dir / "later")
    assert sources.card("later").family == "sd"
    assert "later" in [model.name for model in sources.listing()]


def test_what_the_engine_is_told(sources: Sources, settings: Settings) -> None:
    config = sources.engine_config()
    assert config.models == {"stencil": settings.model_dir} and config.models_dir == sources.settings.models_dir
    assert config.memory_budget == 1_500_000_000 and config.preload == "stencil"
    assert Sources(settings).engine_config().memory_budget is None
