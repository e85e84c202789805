"""The picture one looks at, drawn again with the edits as they are now: same recipe, same seed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from studio.core.errors import NotFound, StudioError
from studio.core.recipe import Recipe
from studio.ui.components import caption
from studio.ui.components.query import Query
from studio.ui.edit_stack import Stack
from studio.ui.prompt import jobs, view
from studio.ui.prompt.view import GIVES, PromptView
from studio.ui.tabs.base import Page
from studio.ui.wiring import Answer, Event, Wiring

if TYPE_CHECKING:
    from studio.services.studio import Studio


def redraw(
    studio: Studio,
    picture_id: int,
    stack: Stack,
    watched: str | None,
    previous_job: str | None,
    query: Query | None = None,
) -> tuple[str | None, str | None, PromptView]:
    """Queue it. Gives the job to watch, the redrawing job, and how things stand.

    previous_job: the last redrawing job, which gives way if it is not done: a slider that was moved twice means the
        second.
    query: what the history shows.
    """
    try:
        picture = studio.history.get(picture_id) if picture_id else None
    except NotFound:
        picture = None
    if picture is None:
        return watched, previous_job, view.as_it_is(studio, watched)
    recipe = picture.recipe.model_copy(update={"edits": stack.refs})
    drawing, is_there = _drawing(studio, previous_job), set(picture.recipe.edits) == set(stack.refs)
    if drawing == recipe or is_there and drawing is None:
        return watched, previous_job, view.as_it_is(studio, watched)
    try:
        if previous_job and drawing is not None:
            studio.jobs.stop(previous_job, keep=False)
            watched = None if watched == previous_job else watched
        if is_there:  # a switch there and back: the picture that was being replaced is the right one after all
            back = {
                "canvas": view.picture_html(studio, picture),
                "caption": caption.caption_html(picture),
                "progress": "",
            }
            return watched, None, replace(view.as_it_is(studio, watched), **back)
        job = studio.pictures.submit([recipe])
    except StudioError as error:
        return watched, None, jobs.refused(studio, error, watched)
    watched, prompt_view = jobs.follow(studio, job, watched, query)
    return watched, job, prompt_view


def _drawing(studio: Studio, job_id: str | None) -> Recipe | None:
    """What a redrawing job draws; None if it is over."""
    job = studio.jobs.get(job_id) if job_id else None
    return Recipe.load(job.payload["recipes"][0]) if job and not job.over else None


def wire(page: Page, wiring: Wiring) -> None:
    """After every change of the stack."""
    studio, panel = page.studio, page.sidebar.edits

    def on_stack(event: Event) -> Answer:
        # Alone with the stack, or of two redrawings the older might be queued last.
        with panel.of(event) as session:
            previous_job = session.drawing
            job, session.drawing, prompt_view = redraw(
                studio, event["picture_id"], session.value, event["job"], previous_job, event["query"]
            )
            # A picture that was put back stays, whatever is told of the job that was stopped for it.
            put_back = session.drawing is None and prompt_view.canvas is not None
        return {"job": job, "pinned": put_back, **view.answer(prompt_view)}

    panel.on_change(wiring, on_stack, ("picture_id", "job", "query"), ("job", "pinned", *GIVES))
