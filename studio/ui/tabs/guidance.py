"""Guidance: several rules on one seed, and why each does what it does. See studio/ui/guidance."""

from __future__ import annotations

from studio.ui.guidance.tab import build
from studio.ui.tabs.base import Tab

TAB = Tab("Guidance", order=40, build=build, accepts=True)
