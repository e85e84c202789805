"""The walkthrough on the page: a line above the tabs that says the next step of the loop, and leads to it.

It is there on a first visit, until it is closed; the dialog behind `?` brings it back. What is done is read off the
workspace (studio.services.walkthrough), so every step is the real one, taken on its tab.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr
from starlette.routing import Route

from studio.services import walkthrough
from studio.ui.addresses import get_route, post_route

if TYPE_CHECKING:
    from studio.services.studio import Studio

SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
# Of each step: its title, what to do, the tab and the part of it where that is done.
WORDS = {
    "generate": ("Generate", "Press Generate: the model draws the prompt.", "prompt", ""),
    "erase": ("Erase", "Press Erase: stars become hearts, beside what stays. Then accept the edit.", "erase", ""),
    "compare": ("Compare", "Choose the edit under Add rows, add its strengths 0 and 1, and press Draw.", "compare", ""),
    "label": ("Label", "Say which of two pictures you like better, ten times, by the arrow keys.", "label", "Collect"),
    "align": ("Align", "Press Train: the model learns what you liked. Then test it blind.", "label", "Align"),
}


def build() -> None:
    """Lay it out, above the tabs."""
    gr.HTML("", apply_default_css=False, js_on_load=SCRIPT, elem_id="walkthrough")


def standing(studio: Studio) -> dict[str, Any]:
    """What the page's script shows."""
    return {
        "steps": [
            {
                "id": step.id,
                "done": step.is_done,
                "count": step.count,
                "wanted": step.goal,
                **dict(zip(("title", "text", "tab", "part"), WORDS[step.id], strict=True)),
            }
            for step in walkthrough.steps(studio)
        ]
    }


def routes(studio: Studio) -> list[Route]:
    """`/walkthrough` says how far one is; a POST to `/walkthrough/label` makes pairs to label."""

    def prepare(values: Any) -> dict[str, Any]:
        return {"campaign": walkthrough.prepare_labels(studio)}

    return [
        get_route("/walkthrough", lambda request: lambda query: standing(studio)),
        post_route("/walkthrough/label", lambda request: prepare),
    ]
