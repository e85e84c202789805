"""Components that every tab lays out in the same way."""

from __future__ import annotations

import gradio as gr

from studio.ui import order
from studio.ui.values import TURN_OR_REVISION, holds


def element(html: str, id: str, script: str | None = None) -> gr.HTML:
    """HTML with the page's own style alone. id: in the page. script: run when it is there (`js_on_load`)."""
    return gr.HTML(html, apply_default_css=False, js_on_load=script, elem_id=id)


def revision(name: str, id: str, *, drops: bool = True) -> gr.HTML:
    """The hidden mark of a revision. name, drops: as of `order.watcher`."""
    mark = gr.HTML(order.revision(name, 0), visible="hidden", js_on_load=order.watcher(name, drops=drops), elem_id=id)
    holds(mark, TURN_OR_REVISION)
    return mark
