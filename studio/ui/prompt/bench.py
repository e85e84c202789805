"""The parts of the Prompt tab that more than one subject touches, and how a stage becomes values for them."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.core.params import shown
from studio.core.recipe import Recipe
from studio.ui import edit_stack
from studio.ui.components.form import Form, values_of
from studio.ui.components.stage import PARTS, Stage
from studio.ui.edit_stack import StackSession
from studio.ui.tabs.base import Page

# Every listener is private: the page is no API. None is queued, so none waits for another.
QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


@dataclass(frozen=True)
class Bench:
    """form: the recipe's controls. html: the parts that a stage has HTML for, by its names.

    job: id of the job that is watched. pinned: a picture was chosen from the history while a job runs, and polls leave
    it in place. shown: number of the picture one looks at, 0 for none. asked: what the history shows, a
    `history.Query`. seen: number of the newest picture that was told. timer: runs while there is work. stop, cancel:
    the buttons that are of use while a job is watched.
    """

    page: Page
    form: Form
    html: dict[str, gr.HTML]
    stop: gr.Button
    cancel: gr.Button
    job: gr.BrowserState
    pinned: gr.State
    shown: gr.State
    asked: gr.State
    seen: gr.State
    timer: gr.Timer

    @property
    def outputs(self) -> list[Any]:
        """What `updates` gives values for."""
        return [*(self.html[name] for name in PARTS), self.shown, self.seen, self.timer, self.stop, self.cancel]

    def updates(self, now: Stage) -> list[Any]:
        """A stage as values. Left alone where None, so that a poll does not disturb what is being looked at."""
        html = [gr.skip() if (value := getattr(now, name)) is None else value for name in PARTS]
        # The timer runs for nothing else: a page at rest asks for nothing.
        ticking = gr.Timer(active=now.busy)
        numbers = [gr.skip() if number is None else number for number in (now.shown, now.seen)]
        buttons = [gr.Button(interactive=now.drawing) for _ in (self.stop, self.cancel)]
        return [*html, *numbers, ticking, *buttons]

    @property
    def restored(self) -> list[Any]:
        """What `restoring` gives values for."""
        return [*self.form.components, *self.page.sidebar.edits.outputs]

    def restoring(self, recipe: Recipe | None, session: StackSession) -> list[Any]:
        """A recipe as values of the form and of the page's edit stack. None changes nothing."""
        if recipe is None:
            return [gr.skip() for _ in self.restored]
        if recipe.edits != session.value.refs:
            session.put(edit_stack.from_refs(recipe.edits, session.value))
        values = values_of(recipe)
        if beyond := self.form.beyond(values):
            named = ", ".join(f"{name.replace('_', ' ')} {shown(value)}" for name, value in beyond.items())
            gr.Warning(html.escape(f"Not restored, for it is not here: {named}."))
        panel = self.page.sidebar.edits.updates(self.page.studio, session, recipe.model)
        return [*self.form.update(values), *panel]
