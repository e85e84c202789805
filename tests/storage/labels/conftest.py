from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.quick_workspaces import quick_workspaces as quick_workspaces
from tests.storage.labels.setting import Setting


@pytest.fixture
def setting(tmp_path: Path) -> Iterator[Setting]:
    """A workspace of its own."""
    made = Setting(tmp_path)
    yield made
    made.archive.close()
