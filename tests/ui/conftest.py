from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.ui.fake_studio import FakeStudio


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeStudio]:
    """A studio without a model, quick enough to wait for; slower where a test sets `sketcher.step_s`."""
    with FakeStudio(tmp_path / "workspace", step_s=0.001) as studio:
        yield studio
