from pathlib import Path

import pytest

from tests.quick_workers import quick_workers as quick_workers
from tests.tiny_model import build_once


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a small random model."""
    return build_once(tmp_path_factory)
