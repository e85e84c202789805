"""Generate, watch, stop: jobs of the Prompt tab."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from studio.core.errors import StudioError
from studio.core.recipe import EditRef
from studio.services.wording import words
from studio.ui import watch
from studio.ui.components.form import Form, recipes
from studio.ui.components.query import Query
from studio.ui.errors import sentence
from studio.ui.markup import alert
from studio.ui.prompt import view
from studio.ui.prompt.view import GIVES, PromptView
from studio.ui.stack_panel import NAME as STACK
from studio.ui.stack_panel import SESSION
from studio.ui.tabs.base import Page
from studio.ui.wiring import Answer, Event, Wiring

if TYPE_CHECKING:
    from studio.services.studio import Studio


# -- handlers -------------------------------------------------------------------------------------------------------


def submit(
    studio: Studio,
    values: Mapping[str, Any],
    edits: Sequence[EditRef] = (),
    watched: str | None = None,
    query: Query | None = None,
) -> tuple[str | None, PromptView]:
    """Queue what the form asks for. Gives the job to watch, at once: `watched`, if that is still being drawn.

    query: what the history shows.

    Refused, the reason is the message, and nothing is queued.
    """
    try:
        job_id = studio.pictures.submit(recipes(values, edits, words(studio.settings.workspace)))
    except StudioError as error:
        return watched, refused(studio, error, watched)
    return follow(studio, job_id, watched, query)


def follow(
    studio: Studio, job_id: str, watched: str | None, query: Query | None = None
) -> tuple[str | None, PromptView]:
    """Watch a job that was just queued, unless another one is being drawn: then its place in the queue is told.

    query: what the history shows: a quick job is over by now.
    """
    first = view.attached(studio, watched)
    if first is None or first == job_id:
        return job_id, view.begun(studio, job_id, query)
    place = next((entry.position for entry in studio.jobs.queue() if entry.job_id == job_id), 0)
    note = alert(f"In the queue, number {place}.", kind="note") if place else ""
    return first, view.beside(studio, first, note, query)


def refused(studio: Studio, error: StudioError, watched: str | None) -> PromptView:
    """What was asked for cannot be done, and all goes on as it was."""
    return PromptView(view.attached(studio, watched) is not None, message=alert(sentence(error)))


def stop(studio: Studio) -> int:
    """Stop all of the tab's: what is being drawn, whose finished pictures stay, and what waits. Gives how many waited.

    From the last to the first: or the next would begin where the one before it stops.
    """
    job_ids = view.of_tab(studio)
    for job_id in reversed(job_ids):
        studio.jobs.stop(job_id, keep=True)
    return max(len(job_ids) - 1, 0)


def discard(studio: Studio, job_ids: Sequence[str | None]) -> None:
    """Stop these jobs, None among them being none, and move their pictures into the bin. What waits goes on."""
    for job_id in filter(None, job_ids):
        studio.jobs.stop(job_id, keep=False)


# -- wiring ---------------------------------------------------------------------------------------------------------


def wire(page: Page, form: Form, wiring: Wiring) -> None:
    """The buttons, what is followed, and what happens when the page is opened."""
    studio, edits, parts = page.studio, page.sidebar.edits, wiring.parts

    def on_generate(event: Event) -> Answer:
        with edits.of(event) as session:
            refs = session.value.refs
        job, prompt_view = submit(studio, form.plain(event.values), refs, event["job"], event["query"])
        return {"job": job, "pinned": False, **view.answer(prompt_view)}

    def on_look(event: Event) -> Answer:
        watched = event["job"]
        job, prompt_view = view.watching(
            studio, watched, event["pinned"], event["query"], event["newest_id"], event["taken_out"]
        )
        counted = {} if prompt_view.drawing else {"taken_out": 0}  # once it was told
        return {**counted, **({} if job == watched else {"job": job}), **view.answer(prompt_view)}

    def on_open(event: Event) -> Answer:
        page.opened()
        job, prompt_view = view.on_opening(studio, event["job"])
        typed = form.update(event["draft"] or {})
        return {"job": job, "pinned": False, "query": Query(), **typed, **view.answer(prompt_view)}

    def on_stop(event: Event) -> Answer:
        return {"taken_out": stop(studio)}

    def on_discard(event: Event) -> None:
        with edits.of(event) as session:
            job_ids = (event["job"], session.drawing)  # a redrawing may wait behind what is shown
        discard(studio, job_ids)

    job_and_more = ("job", "pinned", *GIVES)
    asked = ("job", "query", *form.names)
    wiring.on(parts["generate"].click, on_generate, asked, job_and_more, turns=(STACK,), announces=True)
    wiring.on(parts["stop"].click, on_stop, (), ("taken_out",), announces=True)
    wiring.on(parts["cancel"].click, on_discard, (*SESSION, "job"), announces=True)
    look = ("job", "pinned", "query", "newest_id", "taken_out")
    wiring.on(parts["progress"].look, on_look, look, ("job", "taken_out", *GIVES))
    opened = wiring.on(page.demo.load, on_open, ("job", "draft"), (*job_and_more, "query", *form.names))
    wiring.then(opened, watch.LOOK)  # the watcher may have looked before, and found the engine at rest
    wiring.keep(form.names, "draft")
