"""The picture one looks at, drawn again with the edits as they are now: same recipe, same seed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.core.errors import NotFound, StudioError
from studio.core.recipe import Recipe
from studio.ui.components import canvas, caption, stage
from studio.ui.edit_stack import Stack
from studio.ui.errors import sentence, told
from studio.ui.markup import alert
from studio.ui.prompt import jobs
from studio.ui.prompt.bench import Bench

if TYPE_CHECKING:
    from studio.services.studio import Studio


def redraw(
    studio: Studio, shown: int, stack: Stack, watched: str | None, before: str | None
) -> tuple[str | None, str | None, stage.Stage]:
    """Queue it. Gives the job to watch, the redrawing job, and how things stand.

    before: the last redrawing job, which gives way if it is not done: a slider that was moved twice means the second.
    """
    try:
        picture = studio.history.get(shown) if shown else None
    except NotFound:
        picture = None
    if picture is None:
        return watched, before, jobs.look(studio, watched)
    wanted = picture.recipe.model_copy(update={"edits": stack.refs})
    drawing, is_there = _drawing(studio, before), set(picture.recipe.edits) == set(stack.refs)
    if drawing == wanted or is_there and drawing is None:
        return watched, before, jobs.look(studio, watched)
    try:
        if before and drawing is not None:
            studio.jobs.stop(before, keep=False)
            watched = None if watched == before else watched
        if is_there:  # a switch there and back: the picture that was being replaced is the right one after all
            back = {"canvas": canvas.picture_html(picture), "caption": caption.caption_html(picture), "progress": ""}
            return watched, None, replace(jobs.look(studio, watched), **back)
        job = studio.pictures.submit([wanted])
    except StudioError as error:
        return watched, None, replace(jobs.look(studio, watched), message=alert(sentence(error)))
    watched, now = jobs.follow(studio, job, watched)
    return watched, job, now


def _drawing(studio: Studio, job_id: str | None) -> Recipe | None:
    """What a redrawing job draws; None if it is over."""
    job = studio.jobs.get(job_id) if job_id else None
    return Recipe.load(job.payload["recipes"][0]) if job and not job.over else None


def wire(bench: Bench) -> None:
    """After every change of the stack."""
    studio, panel = bench.page.studio, bench.page.sidebar.edits

    @told
    def on_stack(request: gr.Request, turn: Any, kept: Any, shown: int, watched: str | None) -> list[Any]:
        # Alone with the stack, or of two redrawings the older might be queued last.
        with panel.of(request, turn, kept) as session:
            job, session.drawing, now = redraw(studio, shown, session.value, watched, session.drawing)
            put_back = session.drawing is None and now.canvas is not None  # and polls of the stopped job leave it there
        return [job, put_back, *bench.updates(now)]

    panel.on_change(on_stack, [*panel.given, bench.shown, bench.job], [bench.job, bench.pinned, *bench.outputs])
