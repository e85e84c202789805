"""The edit stack in the sidebar, on every tab: switch, weigh, order, add, import, export, rename, delete, undo.

The stack of a page is in its session, of which the browser keeps a copy, and goes with every recipe that is submitted:
who wants it takes `StackPanel.given` as the first inputs and asks `StackPanel.of`. A tab that wants to hear of changes
calls `StackPanel.on_change`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.core.errors import BadInput, StudioError
from studio.services.edits import use
from studio.services.edits.fit import misfit
from studio.services.edits.library import OWN_STYLE
from studio.services.edits.peft_zip import opened
from studio.ui import edit_stack, order
from studio.ui.components import menu
from studio.ui.components import stack as look
from studio.ui.components.stack import Known
from studio.ui.edit_stack import Stack, StackSession
from studio.ui.errors import sentence, told
from studio.ui.markup import alert
from studio.ui.sessions import Sessions
from studio.ui.values import ANYTHING, FIELDS, TEXT, TURN_OR_REVISION, holds, read_event, remembered

if TYPE_CHECKING:
    from studio.services.edits.library import EditEntry
    from studio.services.studio import Studio

QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
# Gradio drops an event that comes while another of its kind is under way, unless it is told otherwise.
EVERY: dict[str, Any] = {**QUICK, "trigger_mode": "multiple"}
TURN = order.turn("stack")
TYPES = [".safetensors", ".zip"]


# -- handlers -------------------------------------------------------------------------------------------------------


def show(studio: Studio, stack: Stack, model: str) -> str:
    """The rows as HTML, with what is known of each edit."""
    entries = studio.edits.known(row.edit for row in stack.rows)
    bases = studio.status().made_by.get("bases")
    return look.stack_html(stack, {row.edit: _known(studio, entries.get(row.edit), model, bases) for row in stack.rows})


def addable(studio: Studio, stack: Stack) -> list[tuple[str, str]]:
    """(label, id) of the edits of the workspace that are not in the stack."""
    return look.to_add(studio.edits.list(), _held(studio, stack))


def change(studio: Studio, stack: Stack, what: str, edit: str, value: Any) -> Stack:
    """Do one thing to the stack (`edit_stack.change`), or to an edit of it: rename (value: its new name), delete.

    A row keeps the name that its edit had: recipes do too, and both still find it. Raises StudioError.
    """
    if what == "rename":
        studio.edits.rename(edit, value.strip() if isinstance(value, str) else "")
        return stack
    if what == "delete":
        known = studio.edits.known(stack.names | {edit})
        gone = use.remove(studio, edit)
        return edit_stack.forget(stack, {edit, *(name for name, one in known.items() if one.id == gone.id)})
    return edit_stack.change(stack, what, edit, value)


def add(studio: Studio, stack: Stack, wanted: Any) -> Stack:
    """Put an edit of the workspace on the stack, if it is not there. wanted: its id; none is no wish.

    Raises NotFound, BadInput.
    """
    if not wanted or not isinstance(wanted, str):
        return stack
    entry = studio.edits.show(wanted)
    return stack if entry.id in _held(studio, stack) else edit_stack.change(stack, "add", entry.id)


def check(studio: Studio, path: str | None, model: str) -> tuple[str, bool, bool]:
    """What of a file has a place in the model; whether it can be taken, and whether only in part."""
    if not path:
        return "", False, False
    try:
        with opened(Path(path), studio.archive.workspace.scratch) as found:
            result = studio.edits.inspect(found, model)
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
    with opened(Path(path), studio.archive.workspace.scratch) as found:
        entry = studio.edits.import_file(found, (name or "").strip() or None, model, partial=partial)
    with contextlib.suppress(OSError):
        Path(path).unlink()
    return add(studio, stack, entry.id), alert(f"{entry.name} is in the workspace and on the stack.", kind="note")


def _held(studio: Studio, stack: Stack) -> set[str]:
    """The ids of its edits as they are now."""
    return {entry.id for entry in studio.edits.known(row.edit for row in stack.rows).values()}


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
    """sessions: the stacks of the pages. state: the browser's copy. html, add: what shows it. revision: of what is
    shown.
    """

    sessions: Sessions[StackSession]
    state: gr.BrowserState
    html: gr.HTML
    add: gr.Dropdown
    revision: gr.HTML
    changes: list[Any] = field(default_factory=list)

    @property
    def given(self) -> list[Any]:
        """What an event brings along for `of`. One with the script TURN has its turn in the revision's place."""
        return [self.revision, self.state]

    @property
    def outputs(self) -> list[Any]:
        """What `updates` gives values for."""
        return [self.state, self.html, self.add, self.revision]

    def of(self, request: gr.Request, turn: Any, kept: Any) -> AbstractContextManager[StackSession]:
        """The session of the page that asks, alone inside. turn, kept: as `given`."""
        return self.sessions.of(request.session_hash, kept, turn)

    def updates(self, studio: Studio, session: StackSession, model: str, said: str = "") -> list[Any]:
        """A stack as values. said: HTML over its rows, until they are shown again."""
        stack = session.value
        others = addable(studio, stack)
        add = gr.Dropdown(others, value=None, visible=bool(others))
        return [session.kept, said + show(studio, stack, model), add, str(session.revision)]

    def on_change(self, handler: Callable[..., Any], inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
        """Call a handler after the user has changed what the stack does."""
        for change in self.changes:
            change.then(handler, list(inputs), list(outputs), **EVERY)


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
    revision = gr.HTML("0", visible="hidden", js_on_load=order.WATCH, elem_id="stack-revision")
    holds(revision, TURN_OR_REVISION)
    holds(state, remembered(FIELDS))
    panel = StackPanel(Sessions(StackSession), state, html, add, revision)
    _wire(studio, panel, model, demo)
    _wire_import(studio, panel, model, file, said, name, partial, accept)
    return panel


def _wire(studio: Studio, panel: StackPanel, model: gr.Dropdown, demo: gr.Blocks) -> None:
    @told
    def on_op(request: gr.Request, event: gr.EventData, turn: Any, kept: Any, name: str) -> list[Any]:
        said = ""
        with panel.of(request, turn, kept) as session:
            try:
                what, edit = read_event(event, "op", TEXT), read_event(event, "edit", TEXT)
                stack = change(studio, session.value, what, edit, read_event(event, "value", ANYTHING))
            except StudioError as error:  # said where it was asked for, and the rows are shown as they are
                stack, said = session.value, alert(sentence(error))
            session.put(stack)
            return panel.updates(studio, session, name, said)

    @told
    def on_add(request: gr.Request, turn: Any, kept: Any, name: str, wanted: str | None) -> list[Any]:
        with panel.of(request, turn, kept) as session:
            session.put(add(studio, session.value, wanted))
            return panel.updates(studio, session, name)

    @told
    def on_open(request: gr.Request, turn: Any, kept: Any, name: str) -> list[Any]:
        with panel.of(request, turn, kept) as session:
            session.begin()
            return panel.updates(studio, session, name)

    @told
    def on_model(request: gr.Request, turn: Any, kept: Any, name: str) -> list[Any]:
        with panel.of(request, turn, kept) as session:
            session.put(session.value)  # newer than an answer that was made for the other model
            return panel.updates(studio, session, name)

    @told
    def on_behind(request: gr.Request, event: gr.EventData, turn: Any, kept: Any, name: str) -> list[Any]:
        with panel.of(request, turn, kept) as session:
            session.raise_above(read_event(event, "newest", ANYTHING))
            return panel.updates(studio, session, name)

    given = [*panel.given, model]
    panel.changes.append(panel.html.op(on_op, given, panel.outputs, js=TURN, **EVERY))
    # Empty again once it is added, the menu tells of that too when it is left; what it says then is no choice any more,
    # which Gradio's own check would refuse.
    adding = menu.chosen(panel.add)(on_add, [*given, panel.add], panel.outputs, js=TURN, preprocess=False, **EVERY)
    panel.changes.append(adding)
    panel.revision.behind(on_behind, given, panel.outputs, **EVERY)  # type: ignore[attr-defined]
    demo.load(on_open, given, panel.outputs, **QUICK)
    menu.chosen(model)(on_model, given, panel.outputs, js=TURN, **EVERY)


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
    def on_accept(
        request: gr.Request, turn: Any, kept: Any, chosen: str, path: str | None, wanted: str, part: bool
    ) -> list[Any]:
        with panel.of(request, turn, kept) as session:
            stack, message = take(studio, path, wanted, chosen, part, session.value)
            session.put(stack)
            return [None, *shown(message, False, False), *panel.updates(studio, session, chosen)]

    gr.on([file.upload, file.clear], on_file, [file, model], fields, **QUICK)
    given = [*panel.given, model, file, name, partial]
    panel.changes.append(accept.click(on_accept, given, [file, *fields, *panel.outputs], js=TURN, **QUICK))
