import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.storage.archive import Archive
from studio.storage.workspace import DATABASE_NAME
from tests.storage.labels.setting import Setting


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database of today's shape with nothing in it: to bring one there takes longer than most tests."""
    root = tmp_path_factory.mktemp("blank")
    Archive.open(root).close()
    return root / DATABASE_NAME


@pytest.fixture
def setting(tmp_path: Path, blank: Path) -> Iterator[Setting]:
    """A workspace of its own."""
    shutil.copyfile(blank, tmp_path / DATABASE_NAME)
    made = Setting(tmp_path)
    yield made
    made.archive.close()
