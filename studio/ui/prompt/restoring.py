"""A recipe put back into the form and the edit stack."""

from __future__ import annotations

import html

import gradio as gr

from studio.core.params import shown
from studio.core.recipe import Recipe
from studio.ui import edit_stack, stack_panel
from studio.ui.components.form import Form, values_of
from studio.ui.edit_stack import StackSession
from studio.ui.stack_panel import StackPanel
from studio.ui.wiring import Answer


def gives(form: Form) -> tuple[str, ...]:
    """What `restored` may name."""
    return (*form.names, *stack_panel.GIVES)


def restored(form: Form, panel: StackPanel, recipe: Recipe | None, session: StackSession) -> Answer:
    """A recipe as values of the form and of the page's edit stack. None changes nothing."""
    if recipe is None:
        return {}
    if recipe.edits != session.value.refs:
        session.put(edit_stack.from_refs(recipe.edits, session.value))
    values = values_of(recipe)
    beyond = form.beyond(values)
    if "model" in beyond:  # another will draw, and in a size that is not its own it scatters shapes
        values = {name: value for name, value in values.items() if name not in ("width", "height")}
        beyond["size"] = f"{recipe.width} × {recipe.height}"
    if beyond:
        missing = ", ".join(f"{name.replace('_', ' ')} {shown(value)}" for name, value in beyond.items())
        gr.Warning(html.escape(f"Not restored, for it is not here: {missing}."))
    return {**form.update(values), **panel.answer(session, recipe.model)}
