from __future__ import annotations

from pathlib import Path

import pytest

from tests.ui.fake_studio import FakeStudio


@pytest.fixture
def fake(tmp_path: Path) -> FakeStudio:
    """A studio without a model, quick enough to wait for."""
    return FakeStudio(tmp_path, step_s=0.001)
