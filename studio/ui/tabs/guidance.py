"""Guidance: several rules on one seed, and why each does what it does. See studio/ui/guidance."""

from __future__ import annotations

from studio.ui.guidance.tab import TITLE, build
from studio.ui.tabs.base import Tab

TAB = Tab(TITLE, order=40, build=build, accepts=True, remembers=True)
