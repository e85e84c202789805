"""The tabs, one file each: a module beside this one with a `TAB` is on the page."""

from __future__ import annotations

import importlib
import pkgutil

from studio.ui.tabs.base import Page, Tab

__all__ = ["Page", "Tab", "tabs"]


def tabs() -> tuple[Tab, ...]:
    """Every tab, from left to right."""
    modules = [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    found = [module.TAB for module in modules if hasattr(module, "TAB")]
    return tuple(sorted(found, key=lambda tab: tab.order))
