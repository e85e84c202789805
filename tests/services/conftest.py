from collections.abc import Callable
from pathlib import Path

import pytest

from studio.core.recipe import Recipe
from studio.core.settings import Settings
from tests.quick_trainings import quick_trainings as quick_trainings
from tests.quick_workers import quick_workers as quick_workers
from tests.quick_workspaces import quick_workspaces as quick_workspaces
from tests.tiny_model import SIZE_PX, build_once


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small random model."""
    return build_once(tmp_path_factory)


@pytest.fixture
def settings(tiny_model: Path, tmp_path: Path) -> Settings:
    """A fresh workspace and the small model."""
    # One thread by name: what torch takes by default depends on which tests ran before, and is part of the record.
    return Settings(workspace=tmp_path / "workspace", model_dir=tiny_model, device="cpu", port=0, threads=1)


@pytest.fixture(scope="session")
def draw() -> Callable[..., Recipe]:
    """Recipes the small model makes in milliseconds."""

    def make(**values: object) -> Recipe:
        return Recipe.load({"prompt": "a red star", "width": SIZE_PX, "height": SIZE_PX, "steps": 3, **values})

    return make
