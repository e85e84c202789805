"""The edit stack in the sidebar, on every tab: switch, weigh, order, add, import, export, rename, delete, undo.

The stack of a page is in its session, of which the browser keeps a copy, and goes with every recipe that is submitted:
who wants it has its event take turns of "stack" and asks `StackPanel.of`. A tab that wants to hear of changes calls
`StackPanel.on_change`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.core.errors import BadInput, StudioError
from studio.engine.edits import pickled
from studio.services.edits import use
from studio.services.edits.fit import misfit
from studio.services.edits.incoming import OWN_STYLE
from studio.services.edits.peft_zip import opened
from studio.ui import edit_stack, order, together, watch
from studio.ui.components import menu
from studio.ui.components import stack as look
from studio.ui.components.stack import EditFacts
from studio.ui.edit_stack import Stack, StackSession
from studio.ui.elements import element, revision
from studio.ui.errors import sentence
from studio.ui.markup import alert
from studio.ui.sessions import Sessions
from studio.ui.values import ANYTHING, FIELDS, TEXT, holds, remembered
from studio.ui.wiring import Answer, Event, Handler, Wiring

if TYPE_CHECKING:
    from studio.services.edits.library import EditEntry
    from studio.services.studio import Studio

NAME = "stack"  # of what events take turns of
SESSION = (f"{NAME}_revision", NAME)  # what an event takes to be told of the stack without taking a turn
GIVES = (NAME, "stack_rows", "stack_solving", "stack_add", f"{NAME}_revision")  # what `StackPanel.answer` may name
TYPES = [".safetensors", ".zip", *pickled.SUFFIXES]


# -- handlers -------------------------------------------------------------------------------------------------------


def show(studio: Studio, stack: Stack, model: str) -> str:
    """The rows as HTML, with what is known of each edit."""
    entries = studio.edits.known(row.edit for row in stack.rows)
    bases = studio.status().made_by.get("bases")
    facts = {row.edit: _facts(studio, entries.get(row.edit), model, bases) for row in stack.rows}
    mutual = together.mutual(studio, stack, entries, model)
    for name, why in mutual.disturbed.items():
        facts[name] = replace(facts[name], disturbed=why)
    return look.stack_html(stack, facts) + mutual.html


def addable(studio: Studio, stack: Stack) -> list[tuple[str, str]]:
    """(label, id) of the edits of the workspace that are not in the stack."""
    return look.to_add(studio.edits.list(), _held(studio, stack))


def change(studio: Studio, stack: Stack, op: str, edit: str, value: Any, model: str = "") -> Stack:
    """Do one thing to the stack (`edit_stack.change`), or to an edit of it: rename (value: its new name), delete.

    together, together_sliders: solve for the model's erasures that are on, in one (`studio.ui.together`).
    A row keeps the name that its edit had: recipes do too, and both still find it. Raises StudioError, for an edit
    without a gate too, whose strength is to follow the prompt.
    """
    if op == "auto" and value is True:
        studio.edits.check_gate(edit)
    if op in ("together", "together_sliders"):
        return together.start(studio, stack, model, op == "together_sliders")
    if op == "rename":
        studio.edits.rename(edit, value.strip() if isinstance(value, str) else "")
        return stack
    if op == "delete":
        entries = studio.edits.known(stack.names | {edit})
        gone = use.remove(studio, edit)
        return edit_stack.forget(stack, {edit, *(name for name, entry in entries.items() if entry.id == gone.id)})
    return edit_stack.change(stack, op, edit, value)


def add(studio: Studio, stack: Stack, edit: Any) -> Stack:
    """Put an edit of the workspace on the stack, if it is not there. edit: its id; without one nothing changes.

    Raises NotFound, BadInput.
    """
    if not edit or not isinstance(edit, str):
        return stack
    entry = studio.edits.show(edit)
    return stack if entry.id in _held(studio, stack) else edit_stack.change(stack, "add", entry.id)


def check(studio: Studio, path: str | None, model: str) -> tuple[str, bool, bool]:
    """What of a file has a place in the model; whether it can be taken, and whether only in part."""
    if not path:
        return "", False, False
    try:
        with opened(Path(path), studio.archive.workspace.scratch) as edit_file:
            result = studio.edits.inspect(edit_file, model)
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
    with opened(Path(path), studio.archive.workspace.scratch) as edit_file:
        entry = studio.edits.import_file(edit_file, (name or "").strip() or None, model, partial=partial)
    with contextlib.suppress(OSError):
        Path(path).unlink()
    return add(studio, stack, entry.id), alert(f"Imported: {entry.name}.", kind="note")


def _held(studio: Studio, stack: Stack) -> set[str]:
    """The ids of its edits as they are now."""
    return {entry.id for entry in studio.edits.known(row.edit for row in stack.rows).values()}


def _facts(studio: Studio, entry: EditEntry | None, model: str, bases: Any) -> EditFacts:
    if entry is None or entry.problem:
        return EditFacts(entry)
    base = ""
    if isinstance(bases, dict) and entry.base:
        same = all(bases.get(component) in (None, made_on) for component, made_on in entry.base.items())
        base = "same" if same else "other"
    return EditFacts(entry, misfit(entry, studio.sources, model), base, studio.edits.why_no_gate(entry))


# -- layout and wiring ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StackPanel:
    """The panel.

    studio: whose edits they are.
    sessions: the stacks of the pages.
    parts: its components by name; GIVES is among them.
    changes: the events after which the stack may do something else.
    listeners: what is called after each of them, given the event.
    """

    studio: Studio
    sessions: Sessions[StackSession]
    parts: dict[str, Any]
    changes: list[Any] = field(default_factory=list)
    listeners: list[Callable[[Any], None]] = field(default_factory=list)

    def of(self, event: Event) -> AbstractContextManager[StackSession]:
        """The session of the page that asks, alone inside. event: one that took SESSION, or takes turns of NAME."""
        return self.sessions.of(event.session, event[NAME], event[f"{NAME}_revision"])

    def answer(self, session: StackSession, model: str, message: str = "") -> Answer:
        """A stack as the page shows it. message: HTML over its rows, until they are shown again."""
        stack = session.value
        choices = addable(self.studio, stack)
        return {
            NAME: session.browser_copy,
            "stack_rows": message + show(self.studio, stack, model),
            "stack_solving": together.solving_html(self.studio, stack),
            "stack_add": gr.Dropdown(choices, value=None, visible=bool(choices)),
            f"{NAME}_revision": order.revision(NAME, session.revision),
        }

    def on_change(self, wiring: Wiring, handler: Handler, takes: Sequence[str], gives: Sequence[str]) -> None:
        """Call a handler after the user has changed what the stack does. It is told SESSION and what it takes."""

        def listen(change: Any) -> None:
            wiring.on(change.then, handler, (*SESSION, *takes), gives, mode="multiple", announces=True)

        self.listeners.append(listen)
        for change in self.changes:
            listen(change)

    def replaced_on(
        self, wiring: Wiring, happens: Any, decide: Callable[[Event, Stack], tuple[Stack, str]], message: str
    ) -> None:
        """Have an event of a tab put another stack in place of the page's.

        decide: gives that stack, or the same, and what to say, as HTML. message: name of the part that says it.
        """

        def on_decide(event: Event) -> Answer:
            with self.of(event) as session:
                stack, html = decide(event, session.value)
                answer: Answer = {message: html}
                if stack == session.value:
                    return answer
                session.put(stack)
                return answer | self.answer(session, event["model"])

        gives = (message, *GIVES)
        self.changed_by(
            wiring.on(happens, on_decide, ("model",), gives, turns=(NAME,), mode="multiple", announces=True)
        )

    def changed_by(self, change: Any) -> None:
        """Say that the stack may do something else after an event of a tab."""
        self.changes.append(change)
        for listen in self.listeners:
            listen(change)


def build(studio: Studio, model: gr.Dropdown, demo: gr.Blocks) -> StackPanel:
    """Lay the panel out in the sidebar, and wire it."""
    parts: dict[str, Any] = {
        "model": model,
        "stack_rows": gr.HTML(
            look.EMPTY, apply_default_css=False, js_on_load=look.CLICK + watch.PART, elem_id="edit-stack"
        ),
        "stack_solving": element("", "stack-solving", watch.PART),
        "stack_add": gr.Dropdown(
            [],
            value=None,
            visible=False,
            label="Add an edit",
            info="Of those in the workspace.",
            elem_id="add-edit",
            filterable=True,
        ),
    }
    with gr.Accordion("Import an edit", open=False, elem_id="import-edit"):
        parts |= _import_parts()
    parts[NAME] = gr.BrowserState(None, storage_key="palimpsest-stack", secret="palimpsest-page")
    parts[f"{NAME}_revision"] = revision(NAME, "stack-revision", drops=False)
    holds(parts[NAME], remembered(FIELDS))
    panel = StackPanel(studio, Sessions(StackSession), parts)
    wiring = Wiring(parts)
    _wire(panel, wiring, demo)
    _wire_import(panel, wiring)
    return panel


def _import_parts() -> dict[str, Any]:
    file = gr.File(
        label="LoRA, edit or erased weights (.safetensors, .pt), or a zipped peft folder",
        file_types=TYPES,
        type="filepath",
        height=110,
        elem_id="edit-file",
        elem_classes="drop",
    )
    report = gr.HTML("", apply_default_css=False, elem_id="edit-said")
    name = gr.Textbox(
        label="Name",
        info="The file's own, if left empty.",
        max_lines=1,
        max_length=100,
        visible=False,
        elem_id="edit-name",
    )
    partial = gr.Checkbox(
        False,
        label="Take what fits",
        info="And leave the rest of the file out.",
        visible=False,
        elem_id="edit-partial",
    )
    accept = gr.Button("Import this edit", variant="primary", visible=False, elem_id="edit-accept")
    return {"file": file, "file_said": report, "file_name": name, "file_partial": partial, "file_accept": accept}


def _wire(panel: StackPanel, wiring: Wiring, demo: gr.Blocks) -> None:
    studio, parts = panel.studio, panel.parts

    def on_op(event: Event) -> Answer:
        message = ""
        with panel.of(event) as session:
            try:
                op, edit = event.read("op", TEXT), event.read("edit", TEXT)
                stack = change(studio, session.value, op, edit, event.read("value", ANYTHING), event["model"])
            except StudioError as error:  # said where it was asked for, and the rows are shown as they are
                stack, message = session.value, alert(sentence(error))
            session.put(stack)
            return panel.answer(session, event["model"], message)

    def on_add(event: Event) -> Answer:
        with panel.of(event) as session:
            session.put(add(studio, session.value, event["stack_add"]))
            return panel.answer(session, event["model"])

    def on_open(event: Event) -> Answer:
        with panel.of(event) as session:
            session.begin()
            return panel.answer(session, event["model"])

    def on_model(event: Event) -> Answer:
        with panel.of(event) as session:
            session.put(session.value)  # newer than an answer that was made for the other model
            return panel.answer(session, event["model"])

    def on_behind(event: Event) -> Answer:
        with panel.of(event) as session:
            session.raise_above(event.read("newest", ANYTHING))
            return panel.answer(session, event["model"])

    def on_look(event: Event) -> Answer:
        with panel.of(event) as session:
            return panel.answer(session, event["model"])

    def on_solved(event: Event) -> Answer:
        with panel.of(event) as session:
            stack, message = together.advanced(studio, session.value)
            session.put(stack)
            return panel.answer(session, event["model"], message)

    panel.changed_by(wiring.on(parts["stack_rows"].op, on_op, ("model",), GIVES, turns=(NAME,), mode="multiple"))
    wiring.on(parts["stack_rows"].look, on_look, (*SESSION, "model"), GIVES, mode="multiple")
    solved = parts["stack_solving"].look
    panel.changed_by(wiring.on(solved, on_solved, ("model",), GIVES, turns=(NAME,), mode="multiple", announces=True))
    # Empty again once it is added, the menu tells of that too when it is left; what it says then is no choice any more,
    # which Gradio's own check would refuse.
    inputs = ("model", "stack_add")
    chosen = menu.chosen(parts["stack_add"])
    panel.changed_by(wiring.on(chosen, on_add, inputs, GIVES, turns=(NAME,), mode="multiple", preprocess=False))
    wiring.on(parts[f"{NAME}_revision"].behind, on_behind, (*SESSION, "model"), GIVES, mode="multiple")
    wiring.on(demo.load, on_open, (*SESSION, "model"), GIVES)
    wiring.on(menu.chosen(parts["model"]), on_model, ("model",), GIVES, turns=(NAME,), mode="multiple")


def _wire_import(panel: StackPanel, wiring: Wiring) -> None:
    studio, parts = panel.studio, panel.parts
    fields = ("file_said", "file_name", "file_partial", "file_accept")

    def shown(message: str, usable: bool, part: bool) -> Answer:
        states = (gr.Textbox("", visible=usable), gr.Checkbox(False, visible=part), gr.Button(visible=usable))
        return dict(zip(fields, (message, *states), strict=True))

    def on_file(event: Event) -> Answer:
        return shown(*check(studio, event["file"], event["model"]))

    def on_accept(event: Event) -> Answer:
        with panel.of(event) as session:
            path, name, part = (event[field] for field in ("file", "file_name", "file_partial"))
            stack, message = take(studio, path, name, event["model"], part, session.value)
            session.put(stack)
            return {"file": None, **shown(message, False, False), **panel.answer(session, event["model"])}

    wiring.on([parts["file"].upload, parts["file"].clear], on_file, ("file", "model"), fields)
    inputs = ("model", "file", "file_name", "file_partial")
    panel.changed_by(wiring.on(parts["file_accept"].click, on_accept, inputs, ("file", *fields, *GIVES), turns=(NAME,)))
