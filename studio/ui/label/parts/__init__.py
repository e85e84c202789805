"""The parts of the Label tab, a file each: a module beside this one with a `PART` is in it, and nothing else names it.

A part that wants to have a campaign labelled tells the pad so, in the browser:

    window.dispatchEvent(new CustomEvent('palimpsest-label-campaign', {detail: id}))

and the pad has it chosen; after `palimpsest-changed` (studio.ui.wiring.ANNOUNCE) it looks again at what there is.
Another tab calls the script of studio.ui.handover.LABEL, for there the pad may not be on the page yet.
"""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.routing import Route

    from studio.services.studio import Studio
    from studio.ui.tabs.base import Page


@dataclass(frozen=True)
class Part:
    """One part: what a tab in the tab shows.

    title: on its button.
    order: from left to right.
    build: lays out and wires, inside of it.
    routes: addresses of its own, over a studio.
    style: its style sheet, as CSS.
    """

    title: str
    order: int
    build: Callable[[Page], None]
    routes: Callable[[Studio], Sequence[Route]] = lambda studio: ()
    style: str = ""

    @property
    def id(self) -> str:
        """What the page calls it by, within the Label tab."""
        return f"label-{self.title.lower().replace(' ', '-')}"


@functools.cache
def parts() -> tuple[Part, ...]:
    """Every part, from left to right."""
    modules = [importlib.import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    return tuple(sorted((module.PART for module in modules if hasattr(module, "PART")), key=lambda part: part.order))
