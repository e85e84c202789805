"""Label: say which pictures are better, blind and by one key each. See studio/ui/label."""

from __future__ import annotations

from studio.ui.label import tab
from studio.ui.tabs.base import Tab

TAB = Tab(
    tab.TITLE,
    order=30,
    build=tab.build,
    accepts=True,
    remembers=True,
    routes=tab.routes,
    style=tab.style(),
    wide=True,
)
