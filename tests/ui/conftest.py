from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.quick_workspaces import quick_workspaces as quick_workspaces
from tests.ui.fake_studio import FakeStudio
from tests.ui.serving import Served, serving

# None of them answers, and the SOCKS one needs a package that is not there.
DEAD_PROXIES = {
    **dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"), "http://user:word@127.0.0.1:9"),
    **dict.fromkeys(("ALL_PROXY", "all_proxy"), "socks5h://127.0.0.1:9"),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), ""),
}


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeStudio]:
    """A studio without a model, quick enough to wait for; slower where a test sets `sketcher.step_s`."""
    with FakeStudio(tmp_path / "workspace", step_s=0.001) as studio:
        yield studio


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The page over a studio without a model, in a process of its own, among proxies that are dead."""
    folder = tmp_path_factory.mktemp("workspace")
    with serving(["-m", "tests.ui.serve_fake", str(folder)], folder, DEAD_PROXIES) as found:
        yield found
