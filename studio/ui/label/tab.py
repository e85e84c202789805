"""The Label tab: its parts beside each other. What is sent to it, the campaigns take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

from studio.ui.label.parts import parts
from studio.ui.tabs.base import Page

if TYPE_CHECKING:
    from starlette.routing import Route

    from studio.services.studio import Studio

TITLE = "Label"


def build(page: Page) -> None:
    """Lay out and wire the tab."""
    if len(parts()) == 1:
        parts()[0].build(page)
    else:
        # In a second row where the page is narrow: a menu of those without room could not be reached by keys.
        with gr.Tabs(elem_id="label-parts", overflow_behavior="wrap"):
            for part in parts():
                with gr.Tab(part.title, id=part.id, elem_id=part.id):
                    part.build(page)


def routes(studio: Studio) -> list[Route]:
    """The addresses of all parts."""
    return [route for part in parts() for route in part.routes(studio)]


def style() -> str:
    """The style sheets of all parts."""
    return "".join(part.style for part in parts())
