"""The edit stack in the sidebar, on every tab: switch, weigh, order, add, import, export, undo.

The stack is kept in the browser and goes with every recipe that is submitted. A tab that wants to hear of changes calls
`StackPanel.on_change`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.core.errors import BadInput, StudioError
from studio.services.edit_fit import inspect, misfit
from studio.services.edits import OWN_STYLE
from studio.services.peft_zip import opened
from studio.ui import edit_stack
from studio.ui.components import menu
from studio.ui.components import stack as look
from studio.ui.components.stack import Known
from studio.ui.edit_stack import Stack
from studio.ui.errors import sentence, told
from studio.ui.markup import alert

if TYPE_CHECKING:
    from studio.services.edits import EditEntry
    from studio.services.generate import Studio

QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
TYPES = [".safetensors", ".zip"]


# -- handlers -------------------------------------------------------------------------------------------------------


def show(studio: Studio, stack: Stack, model: str) -> str:
    """The rows as HTML, with what is known of each edit."""
    entries = {entry.id: entry for entry in studio.edits.list()}
    bases = studio.status().made_by.get("bases")
    return look.stack_html(stack, {row.edit: _known(studio, entries.get(row.edit), model, bases) for row in stack.rows})


def addable(studio: Studio, stack: Stack) -> list[tuple[str, str]]:
    """(label, id) of the edits of the workspace that are not in the stack."""
    return look.to_add(studio.edits.list(), stack)


def check(studio: Studio, path: str | None, model: str) -> tuple[str, bool, bool]:
    """What of a file has a place in the model; whether it can be taken, and whether only in part."""
    if not path:
        return "", False, False
    try:
        with opened(Path(path)) as found:
            result = inspect(studio, found, model)
    except StudioError as error:
        return alert(sentence(error)), False, False
    # An edit of ours is taken whole or not at all.
    part = bool(result.left) and result.style != OWN_STYLE
    usable = result.matched > 0 and (part or not result.left)
    return look.check_html(result, Path(path).name), usable, part


def take(studio: Studio, path: str | None, name: str, model: str, partial: bool, stack: Stack) -> tuple[Stack, str]:
    """Import a file and put it on the stack. Gives the new stack and what to say. Raises StudioError; then the file is
    still there, to be tried otherwise.
    """
    if not path:
        raise BadInput("Choose a file first.")
    with opened(Path(path)) as found:
        entry = studio.edits.import_file(found, (name or "").strip() or None, model, partial=partial)
    with contextlib.suppress(OSError):
        Path(path).unlink()
    if entry.id not in (row.edit for row in stack.rows):
        stack = edit_stack.change(stack, "add", value=entry.id)
    return stack, alert(f"{entry.name} is in the workspace and on the stack.", kind="note")


def _known(studio: Studio, entry: EditEntry | None, model: str, bases: Any) -> Known:
    if entry is None or entry.problem:
        return Known(entry)
    base = ""
    if isinstance(bases, dict) and entry.base:
        same = all(bases.get(component) in (None, made_on) for component, made_on in entry.base.items())
        base = "same" if same else "other"
    return Known(entry, misfit(entry, studio.sources, model), base)


# -- layout and wiring ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StackPanel:
    """state: the stack's plain value, to be read with `edit_stack.read`. html, add: what shows it."""

    state: gr.BrowserState
    html: gr.HTML
    add: gr.Dropdown
    changes: list[Any] = field(default_factory=list)

    @property
    def outputs(self) -> list[Any]:
        """What `updates` gives values for."""
        return [self.state, self.html, self.add]

    def updates(self, studio: Studio, stack: Stack, model: str) -> list[Any]:
        """A stack as values."""
        others = addable(studio, stack)
        return [stack.plain(), show(studio, stack, model), gr.Dropdown(others, value=None, visible=bool(others))]

    def on_change(self, handler: Callable[..., Any], inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Call a handler after the user has changed what the stack does."""
        for change in self.changes:
            change.then(handler, list(inputs), list(outputs), **QUICK)


def build(studio: Studio, model: gr.Dropdown, demo: gr.Blocks) -> StackPanel:
    """Lay the panel out in the sidebar, and wire it."""
    html = gr.HTML(look.EMPTY, apply_default_css=False, js_on_load=look.CLICK, elem_id="edit-stack")
    add = gr.Dropdown(
        [],
        value=None,
        visible=False,
        label="Add an edit",
        info="Of those in the workspace.",
        elem_id="add-edit",
        filterable=True,
    )
    with gr.Accordion("Import an edit", open=False, elem_id="import-edit"):
        file = gr.File(label="LoRA or edit (.safetensors), or a zipped peft folder", file_types=TYPES, type="filepath",
                       height=110, elem_id="edit-file", elem_classes="drop")  # fmt: skip
        said = gr.HTML("", apply_default_css=False, elem_id="edit-said")
        name = gr.Textbox(label="Name", info="The file's own, if left empty.", max_lines=1, max_length=100,
                          visible=False, elem_id="edit-name")  # fmt: skip
        partial = gr.Checkbox(False, label="Take what fits", info="And leave the rest of the file out.", visible=False,
                              elem_id="edit-partial")  # fmt: skip
        accept = gr.Button("Take it in", variant="primary", visible=False, elem_id="edit-accept")
    state = gr.BrowserState(None, storage_key="palimpsest-stack", secret="palimpsest-page")
    panel = StackPanel(state, html, add)
    _wire(studio, panel, model, demo)
    _wire_import(studio, panel, model, file, said, name, partial, accept)
    return panel


def _wire(studio: Studio, panel: StackPanel, model: gr.Dropdown, demo: gr.Blocks) -> None:
    @told
    def on_op(kept: Any, name: str, event: gr.EventData) -> list[Any]:
        stack = edit_stack.change(edit_stack.read(kept), str(event.op), int(event.at), event.value)
        return panel.updates(studio, stack, name)

    @told
    def on_add(kept: Any, name: str, wanted: str | None) -> list[Any]:
        stack = edit_stack.read(kept)
        return panel.updates(studio, edit_stack.change(stack, "add", value=wanted) if wanted else stack, name)

    @told
    def on_show(kept: Any, name: str) -> list[Any]:
        return panel.updates(studio, edit_stack.read(kept), name)[1:]

    given = [panel.state, model]
    panel.changes.append(panel.html.op(on_op, given, panel.outputs, **QUICK))
    panel.changes.append(menu.chosen(panel.add)(on_add, [*given, panel.add], panel.outputs, **QUICK))
    demo.load(on_show, given, panel.outputs[1:], **QUICK)
    menu.chosen(model)(on_show, given, panel.outputs[1:], **QUICK)


def _wire_import(
    studio: Studio, panel: StackPanel, model: gr.Dropdown, file: gr.File, said: gr.HTML, name: gr.Textbox,
    partial: gr.Checkbox, accept: gr.Button,
) -> None:  # fmt: skip
    fields = [said, name, partial, accept]

    def shown(message: str, usable: bool, part: bool) -> list[Any]:
        return [message, gr.Textbox("", visible=usable), gr.Checkbox(False, visible=part), gr.Button(visible=usable)]

    @told
    def on_file(path: str | None, chosen: str) -> list[Any]:
        return shown(*check(studio, path, chosen))

    @told
    def on_accept(kept: Any, chosen: str, path: str | None, wanted: str, part: bool) -> list[Any]:
        stack, message = take(studio, path, wanted, chosen, part, edit_stack.read(kept))
        return [None, *shown(message, False, False), *panel.updates(studio, stack, chosen)]

    gr.on([file.upload, file.clear], on_file, [file, model], fields, **QUICK)
    given = [panel.state, model, file, name, partial]
    panel.changes.append(accept.click(on_accept, given, [file, *fields, *panel.outputs], **QUICK))
