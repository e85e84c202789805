"""The tabs, one file each: a module beside this one with a `TAB` is on the page, and nothing else names it."""

from __future__ import annotations

import functools
import importlib
import pkgutil

from studio.ui.tabs.base import Page, Tab

__all__ = ["Page", "Tab", "tabs"]


@functools.cache
def tabs() -> tuple[Tab, ...]:
    """Every tab, from left to right."""
    modules = [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    declared = [module.TAB for module in modules if hasattr(module, "TAB")]
    return tuple(sorted(declared, key=lambda tab: tab.order))
