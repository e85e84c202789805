"""The left column, on every tab: the model, the edit stack, the queue."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.ui import stack_panel
from studio.ui.components import queue
from studio.ui.markup import alert, facts, tag, text
from studio.ui.models import Listed, choices, listed
from studio.ui.stack_panel import StackPanel

if TYPE_CHECKING:
    from studio.engine.backend import EngineStatus
    from studio.services.studio import Studio

WORDMARK = (
    '<div class="wordmark" role="img" aria-label="Palimpsest">'
    '<span class="under" aria-hidden="true"></span><span class="over" aria-hidden="true">Palimpsest</span>'
    "</div>"
)
STATES = {
    "starting": "Loading the model",
    "ready": "Ready",
    "busy": "Drawing",
    "stalled": "No progress",
    "broken": "Could not start; tries again with the next job",
    "closed": "Closed",
}
SHOWN = (("device", "{}"), ("dtype", "{}"), ("threads", "threads: {}"))  # what is told of the engine, and how
KEYS = (
    (("Ctrl", "Enter"), "generate"),
    (("Ctrl", "."), "stop"),
    (("←", "→"), "move between tabs"),
    (("F",), "favourite"),
    (("Del",), "delete the picture"),
    (("/",), "find"),
)
STACK = '<section class="side title"><h2>Edit stack</h2></section>'
QUEUE = '<section class="side title"><h2>Queue</h2></section>'


@dataclass(frozen=True)
class Sidebar:
    """Its parts that others touch. model: the choice of model. status: filled with `status_html`. queue, ended: with
    those of `components.queue`; they tell of "act", and the first of "refresh". edits: the stack.
    """

    model: gr.Dropdown
    status: gr.HTML
    queue: gr.HTML
    ended: gr.HTML
    edits: StackPanel


def build(studio: Studio, demo: gr.Blocks) -> Sidebar:
    """Lay the sidebar out."""
    found = listed(studio)
    usable = choices(found)
    with gr.Sidebar(width=264, elem_id="sidebar"):
        gr.HTML(WORDMARK, apply_default_css=False)
        model = gr.Dropdown(usable, value=usable[0][1], label="Model", info="What draws. It stays loaded.",
                            elem_id="model")  # fmt: skip
        gr.HTML(broken_html(found), apply_default_css=False, elem_id="broken-models")
        status = gr.HTML(status_html(studio.status()), apply_default_css=False, elem_id="status")
        gr.HTML(QUEUE, apply_default_css=False)
        waiting = gr.HTML(queue.queue_html([]), apply_default_css=False, js_on_load=queue.CLICK, elem_id="queue")
        ended = gr.HTML("", apply_default_css=False, js_on_load=queue.CLICK, elem_id="ended")
        gr.HTML(STACK, apply_default_css=False)
        edits = stack_panel.build(studio, model, demo)
        gr.HTML(_keys(), apply_default_css=False, elem_id="keys")
    return Sidebar(model, status, waiting, ended, edits)


def broken_html(found: list[Listed]) -> str:
    """The models that cannot be used, with their reasons; "" if all can."""
    broken = [one for one in found if one.problem]
    if not broken:
        return ""
    count = f"{len(broken)} model{'s' * (len(broken) > 1)} cannot be used"
    return tag("details", tag("summary", count) + facts([(one.label, one.problem) for one in broken]), class_="broken")


def status_html(status: EngineStatus) -> str:
    """The engine's state."""
    return tag("section", _model(status), class_="side engine")


def _section(title: str, inner: str) -> str:
    return tag("section", tag("h2", text(title)) + inner, class_="side")


def _model(status: EngineStatus) -> str:
    made_by = status.made_by
    state = tag("span", "", class_=f"dot {status.state}") + text(STATES[status.state])
    known = [how.format(made_by[key]) for key, how in SHOWN if made_by.get(key)]
    if memory := resident_bytes(status.pid):
        known.append(f"{memory / 2**20:,.0f} MB")
    told = (
        tag("p", text(status.message), class_="hint")
        if status.message and status.state not in ("ready", "busy")
        else ""
    )
    return (
        tag("p", state, class_="state", role="status")
        + told
        + alert(status.trouble)
        + tag("p", text(" · ".join(known)), class_="engine-facts")
        + _weights(made_by)
    )


def _weights(made_by: dict[str, Any]) -> str:
    """What the engine holds, and whether it is what the files say."""
    lines = ""
    if parts := made_by.get("resident"):
        each = [f"{part['part']} of {' and '.join(part['models'])}: {megabytes(part['bytes'])}" for part in parts]
        total = megabytes(sum(part["bytes"] for part in parts))
        lines = tag("p", text(f"Weights in memory: {total}"), class_="engine-facts", title="\n".join(each))
    if (proof := made_by.get("equals_base")) is not None:
        why = "Measured bit for bit after the latest picture with edits."
        said = f"Weights equal the base: {'yes' if proof else 'no'}"
        lines += tag("p", text(said), class_="engine-facts proof" + ("" if proof else " wrong"), title=why)
    return lines


def megabytes(count: int) -> str:
    """Bytes as people say them."""
    return f"{count / 2**20:,.0f} MB" if count < 10 * 2**30 else f"{count / 2**30:,.1f} GB"


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
    rows = "".join(tag("li", " ".join(tag("kbd", key) for key in keys) + f" {what}") for keys, what in KEYS)
    return _section("Keys", tag("ul", rows))
