"""The picture one looks at, drawn again with the edits as they are now: same recipe, same seed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.core.errors import NotFound, StudioError
from studio.ui import edit_stack
from studio.ui.components import stage
from studio.ui.edit_stack import Stack
from studio.ui.errors import sentence, told
from studio.ui.markup import alert
from studio.ui.prompt import jobs
from studio.ui.prompt.bench import Bench

if TYPE_CHECKING:
    from studio.services.generate import Studio


def redraw(
    studio: Studio, shown: int, stack: Stack, watched: str | None, before: str | None
) -> tuple[str | None, str | None, stage.Stage]:
    """Queue it. Gives the job to watch, the redrawing job, and how things stand.

    before: the last redrawing job, which gives way if it is not done: a slider that was moved twice means the second.
    """
    try:
        recipe = studio.generation(shown).recipe if shown else None
    except NotFound:
        recipe = None
    if recipe is None or set(recipe.edits) == set(stack.refs):
        return watched, before, jobs.look(studio, watched)
    try:
        if before and not studio.job(before).over:
            studio.stop(before, keep=False)
        job = studio.submit([recipe.model_copy(update={"edits": stack.refs})])
    except StudioError as error:
        return watched, None, replace(jobs.look(studio, watched), message=alert(sentence(error)))
    watched, now = jobs.follow(studio, job, None if watched == before else watched)
    return watched, job, now


def wire(bench: Bench) -> None:
    """After every change of the stack."""
    studio, panel = bench.page.studio, bench.page.sidebar.edits
    last = gr.State(None)

    @told
    def on_stack(kept: Any, shown: int, watched: str | None, before: str | None) -> list[Any]:
        job, redrawing, now = redraw(studio, shown, edit_stack.read(kept), watched, before)
        return [job, redrawing, False, *bench.updates(now)]

    panel.on_change(
        on_stack, [panel.state, bench.shown, bench.job, last], [bench.job, last, bench.pinned, *bench.outputs]
    )
