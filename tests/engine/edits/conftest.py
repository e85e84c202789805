from pathlib import Path

import pytest

from studio.models.embedded import EmbeddedModel, load_stencil


@pytest.fixture(scope="module")
def stencil(stencil_dir: Path) -> EmbeddedModel:
    """The shipped model, loaded for this file alone: its tests may edit it, and must put it back."""
    return load_stencil(stencil_dir)
