"""The left column, on every tab: the model, the edit stack, the queue."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from studio.ui.markup import facts, tag, text

if TYPE_CHECKING:
    from studio.engine.backend import EngineStatus

WORDMARK = (
    '<div class="wordmark" role="img" aria-label="Palimpsest">'
    '<span class="under" aria-hidden="true">diffusion</span><span class="over" aria-hidden="true">Palimpsest</span>'
    "</div>"
)
STATES = {
    "starting": "Loading the model",
    "ready": "Ready",
    "busy": "Drawing",
    "broken": "Could not start; tries again with the next job",
    "closed": "Closed",
}
SHOWN = (("Device", "device"), ("Precision", "dtype"), ("Threads", "threads"))
NO_EDITS = (
    '<p class="empty-line">No edits: the weights equal the base.</p>'
    '<p class="hint">An edit is a named change of the weights, made by erasing or aligning. '
    "It will be listed here, to switch on and off and to weaken.</p>"
)


def build(status: EngineStatus) -> gr.HTML:
    """Lay the sidebar out. Gives the part that changes, to be filled with `status_html` again."""
    with gr.Sidebar(width=264, elem_id="sidebar"):
        gr.HTML(WORDMARK, apply_default_css=False)
        shown = gr.HTML(status_html(status), apply_default_css=False, elem_id="status")
        gr.HTML(_section("Edit stack", NO_EDITS), apply_default_css=False, elem_id="edit-stack")
        gr.HTML(_keys(), apply_default_css=False, elem_id="keys")
    return shown


def status_html(status: EngineStatus) -> str:
    """Model and queue."""
    return _section("Model", _model(status)) + _section("Queue", _queue(status))


def _section(title: str, inner: str) -> str:
    return tag("section", tag("h2", text(title)) + inner, class_="side")


def _model(status: EngineStatus) -> str:
    made_by = status.made_by
    state = tag("span", "", class_=f"dot {status.state}") + text(STATES[status.state])
    rows: list[tuple[str, object]] = [(title, made_by[key]) for title, key in SHOWN if made_by.get(key)]
    if memory := resident_bytes(status.pid):
        rows.append(("Memory", f"{memory / 2**20:,.0f} MB"))
    told = (
        tag("p", text(status.message), class_="hint")
        if status.message and status.state not in ("ready", "busy")
        else ""
    )
    return (
        tag("p", "Stencil", class_="model-name") + tag("p", state, class_="state", role="status") + told + facts(rows)
    )


def _queue(status: EngineStatus) -> str:
    drawing = "One job is being drawn" if status.running else "Nothing is being drawn"
    return tag("p", f"{drawing}, {status.waiting or 'none'} waiting.", class_="empty-line")


def resident_bytes(pid: int | None) -> int | None:
    """Memory of a process, where the system tells it (Linux); None elsewhere, and for a process that is gone."""
    if pid is None:
        return None
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return None


def _keys() -> str:
    keys = (("Ctrl", "Enter", "generate"), ("←", "→", "move between tabs"))
    rows = "".join(tag("li", f"<kbd>{a}</kbd> <kbd>{b}</kbd> {what}") for a, b, what in keys)
    return _section("Keys", tag("ul", rows))
