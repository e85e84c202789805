"""Guidance: several rules on one seed, and why each does what it does. See studio/ui/guidance."""

from __future__ import annotations

from pathlib import Path

from studio.ui.guidance import files, tab
from studio.ui.tabs.base import Tab

TAB = Tab(
    tab.TITLE,
    order=40,
    build=tab.build,
    accepts=True,
    remembers=True,
    routes=files.routes,
    style=(Path(tab.__file__).parent / "style.css").read_text(encoding="utf-8"),
    primary="#compare",
    stop="#guidance-stop",
)
