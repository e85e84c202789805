"""The left column, on every tab: the model, the edit stack, the queue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import gradio as gr

from studio.ui import stack_panel, watch
from studio.ui.components import engine, queue, scale_range
from studio.ui.markup import facts, tag, text
from studio.ui.models import Listed, choices, listed
from studio.ui.stack_panel import StackPanel
from studio.ui.values import TEXT
from studio.ui.wiring import Event, Wiring

if TYPE_CHECKING:
    from studio.services.studio import Studio

WORDMARK = (
    '<div class="wordmark" role="img" aria-label="Palimpsest">'
    '<span class="under" aria-hidden="true"></span><span class="over" aria-hidden="true">Palimpsest</span>'
    "</div>"
)
KEYS = (
    (("Ctrl", "Enter"), "generate"),
    (("Ctrl", "."), "stop"),
    (("←", "→"), "move between tabs"),
    (("F",), "favourite"),
    (("Del",), "delete the picture"),
    (("/",), "find"),
    (("?",), "all keys"),
)
STACK = '<section class="side title"><h2>Edit stack</h2></section>'
QUEUE = '<section class="side title"><h2>Queue</h2></section>'


@dataclass(frozen=True)
class Sidebar:
    """Its parts that others touch.

    model: the choice of model.
    edits: the stack.
    """

    model: gr.Dropdown
    edits: StackPanel


def build(studio: Studio, demo: gr.Blocks) -> Sidebar:
    """Lay the sidebar out. It looks at the engine and the queue by itself, and for all tabs (studio.ui.watch)."""
    models = listed(studio)
    usable = choices(models)
    with gr.Sidebar(width=264, elem_id="sidebar"):
        gr.HTML(WORDMARK, apply_default_css=False)
        model = gr.Dropdown(
            usable,
            value=usable[0][1],
            label="Model",
            info="Draws the pictures. It stays in memory.",
            elem_id="model",
        )
        scale_range.build(studio, model)
        gr.HTML(broken_html(models), apply_default_css=False, elem_id="broken-models")
        gr.HTML(adding_html(studio.settings.models_dir is not None), apply_default_css=False, elem_id="adding-models")
        _watched(engine.status_html(studio.status()), "status", watch.SCRIPT)
        gr.HTML(QUEUE, apply_default_css=False)
        waiting = _watched(queue.queue_html([]), "queue", queue.CLICK)
        ended = _watched("", "ended", queue.CLICK + queue.UNFOLDED)
        gr.HTML(STACK, apply_default_css=False)
        edits = stack_panel.build(studio, model, demo)
        gr.HTML(_keys(), apply_default_css=False, elem_id="keys")

    def on_act(event: Event) -> None:
        act(studio, event)

    wiring = Wiring({})
    for part in (waiting, ended):
        wiring.on(part.act, on_act, announces=True)  # type: ignore[attr-defined]
    return Sidebar(model, edits)


def act(studio: Studio, event: Event) -> None:
    """A button of the queue was pressed; what came of it is told by the watcher. Raises as `queue.act`."""
    queue.act(studio, event.read("act", TEXT), event.read("job", TEXT))


def slim_line() -> None:
    """The line that stands for engine, queue and progress where the sidebar is folded."""
    _watched("", "slim", "")


def _watched(html: str, name: str, script: str) -> gr.HTML:
    """A part that shows what the watcher tells under a name."""
    return gr.HTML(html, apply_default_css=False, js_on_load=watch.filled(name) + script, elem_id=name)


def broken_html(models: list[Listed]) -> str:
    """The models that cannot be used, with their reasons; "" if all can."""
    broken = [model for model in models if model.problem]
    if not broken:
        return ""
    count = f"{len(broken)} model{'s' * (len(broken) > 1)} cannot be used"
    reasons = facts([(model.label, model.problem) for model in broken])
    return tag("details", tag("summary", count) + reasons, class_="broken", data_keep="broken")


def adding_html(has_folder: bool) -> str:
    """How another model gets here. has_folder: whether the studio was started with one for models."""
    where, how = ("the", "again") if has_folder else ("a", "with <code>--models-dir</code> and that folder")
    flag = " that <code>--models-dir</code> names" if has_folder else ""
    sentence = (
        f"Put its .safetensors file, or its diffusers folder, into {where} folder{flag}, and start the studio {how}: "
        "it is in this list then. Stable Diffusion 1.x, 2.x and SDXL work."
    )
    return tag(
        "details",
        tag("summary", "Add a checkpoint") + tag("p", sentence, class_="hint"),
        class_="broken",
        data_keep="adding",
    )


def _section(title: str, inner: str) -> str:
    return tag("section", tag("h2", text(title)) + inner, class_="side")


def _keys() -> str:
    rows = "".join(tag("li", " ".join(tag("kbd", key) for key in keys) + f" {action}") for keys, action in KEYS)
    button = tag("button", "Keys, settings, versions", type="button", class_="small", data_about="true")
    return _section("Keys", tag("ul", rows) + button)
