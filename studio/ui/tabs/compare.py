"""Compare: any recipes side by side, on the same prompts and seeds. See studio/ui/compare."""

from __future__ import annotations

from pathlib import Path

from studio.ui.compare import links, tab
from studio.ui.components import views
from studio.ui.tabs.base import Tab

TAB = Tab(
    tab.TITLE,
    order=50,
    build=tab.build,
    accepts=True,
    remembers=True,
    routes=links.routes,
    style=(Path(tab.__file__).parent / "style.css").read_text(encoding="utf-8"),
    primary="#compare-go",
    stop="#compare-stop",
    keys=views.keys(),
    shortcuts=views.shortcuts(),
    drop="compare-dropped",
    wide=True,
)
