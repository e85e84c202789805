"""Erase: take a concept out of the model, and see what else has changed. See studio/ui/erase."""

from __future__ import annotations

from pathlib import Path

from studio.ui.erase import cards, tab
from studio.ui.tabs.base import Tab

TAB = Tab(
    tab.TITLE,
    order=20,
    build=tab.build,
    remembers=True,
    routes=cards.routes,
    style=(Path(tab.__file__).parent / "style.css").read_text(encoding="utf-8") + cards.STYLE,
    primary="#erase-go",
    stop="#erase-stop",
)
