"""The picture one looks at, drawn again with the edits as they are now: same recipe, same seed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from studio.core.errors import NotFound, StudioError
from studio.core.recipe import Recipe
from studio.ui.components import caption
from studio.ui.edit_stack import Stack
from studio.ui.prompt import jobs, stage
from studio.ui.prompt.stage import GIVES, Stage
from studio.ui.tabs.base import Page
from studio.ui.wiring import Answer, Event, Wiring

if TYPE_CHECKING:
    from studio.services.studio import Studio


def redraw(
    studio: Studio, shown: int, stack: Stack, watched: str | None, before: str | None
) -> tuple[str | None, str | None, Stage]:
    """Queue it. Gives the job to watch, the redrawing job, and how things stand.

    before: the last redrawing job, which gives way if it is not done: a slider that was moved twice means the second.
    """
    try:
        picture = studio.history.get(shown) if shown else None
    except NotFound:
        picture = None
    if picture is None:
        return watched, before, stage.as_it_is(studio, watched)
    wanted = picture.recipe.model_copy(update={"edits": stack.refs})
    drawing, is_there = _drawing(studio, before), set(picture.recipe.edits) == set(stack.refs)
    if drawing == wanted or is_there and drawing is None:
        return watched, before, stage.as_it_is(studio, watched)
    try:
        if before and drawing is not None:
            studio.jobs.stop(before, keep=False)
            watched = None if watched == before else watched
        if is_there:  # a switch there and back: the picture that was being replaced is the right one after all
            back = {
                "canvas": stage.picture_html(studio, picture),
                "caption": caption.caption_html(picture),
                "progress": "",
            }
            return watched, None, replace(stage.as_it_is(studio, watched), **back)
        job = studio.pictures.submit([wanted])
    except StudioError as error:
        return watched, None, jobs.refused(studio, error, watched)
    watched, now = jobs.follow(studio, job, watched)
    return watched, job, now


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
            before = session.drawing
            job, session.drawing, now = redraw(studio, event["shown"], session.value, event["job"], before)
            put_back = session.drawing is None and now.canvas is not None  # what is told of the stopped job leaves it
        return {"job": job, "pinned": put_back, **stage.answer(now)}

    panel.on_change(wiring, on_stack, ("shown", "job"), ("job", "pinned", *GIVES))
