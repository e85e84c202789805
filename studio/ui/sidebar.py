"""The left column, on every tab: the model, the edit stack, the queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from studio.ui.markup import facts, tag, text

WORDMARK = (
    '<div class="wordmark" role="img" aria-label="Palimpsest">'
    '<span class="under" aria-hidden="true">diffusion</span><span class="over" aria-hidden="true">Palimpsest</span>'
    "</div>"
)
NO_EDITS = (
    '<p class="empty-line">No edits: the weights equal the base.</p>'
    '<p class="hint">An edit is a named change of the weights, made by erasing or aligning. '
    "It will be listed here, to switch on and off and to weaken.</p>"
)


def build(status: Mapping[str, Any]) -> gr.HTML:
    """Lay the sidebar out. Gives the part that changes, to be filled with `status_html` again."""
    with gr.Sidebar(width=264, elem_id="sidebar"):
        gr.HTML(WORDMARK, apply_default_css=False)
        shown = gr.HTML(status_html(status), apply_default_css=False, elem_id="status")
        gr.HTML(_section("Edit stack", NO_EDITS), apply_default_css=False, elem_id="edit-stack")
        gr.HTML(_keys(), apply_default_css=False, elem_id="keys")
    return shown


def status_html(status: Mapping[str, Any]) -> str:
    """Model and queue. status: what the service tells of itself; a value it does not tell is not shown."""
    return _section("Model", _model(status)) + _section("Queue", _queue(status))


def _section(title: str, inner: str) -> str:
    return tag("section", tag("h2", text(title)) + inner, class_="side")


def _model(status: Mapping[str, Any]) -> str:
    worker = str(status.get("worker", "idle"))
    rows: list[tuple[str, object]] = [("Device", status.get("device", "not chosen yet"))]
    if memory := status.get("memory_bytes"):
        rows.append(("Memory", f"{memory / 2**20:,.0f} MB"))
    state = tag("span", "", class_=f"dot {worker}") + text(WORKER_STATES.get(worker, worker))
    name = tag("p", text(status.get("model", "no model")), class_="model-name")
    return name + tag("p", state, class_="worker-state", role="status") + facts(rows)


def _queue(status: Mapping[str, Any]) -> str:
    waiting, running = int(status.get("waiting", 0)), int(status.get("running", 0))
    if not waiting and not running:
        return tag("p", "Nothing is waiting.", class_="empty-line")
    drawing = "One job is being drawn" if running else "Nothing is being drawn"
    return tag("p", f"{drawing}, {waiting} waiting." if waiting else f"{drawing}.", class_="empty-line")


def _keys() -> str:
    keys = (("Ctrl", "Enter", "generate"), ("←", "→", "move between tabs"))
    rows = "".join(tag("li", f"<kbd>{a}</kbd> <kbd>{b}</kbd> {what}") for a, b, what in keys)
    return _section("Keys", tag("ul", rows))


WORKER_STATES = {
    "idle": "Asleep; it wakes with the first picture",
    "starting": "Loading the model",
    "ready": "Ready",
    "busy": "Drawing",
    "dead": "Stopped; it restarts by itself",
}
