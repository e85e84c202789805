"""Collect: the pad, where pairs, lists and single pictures are answered."""

from __future__ import annotations

from studio.ui.elements import element
from studio.ui.label import pad, routes
from studio.ui.label.parts import Part
from studio.ui.markup import tag
from studio.ui.tabs.base import Page


def build(page: Page) -> None:
    """Lay the pad out. What it does it does in the browser, and by addresses of its own."""
    element(tag("div", "", class_=pad.CLASS), "label-pad", pad.script(routes.BASE))


PART = Part("Collect", order=10, build=build, routes=routes.routes, style=pad.STYLE)
