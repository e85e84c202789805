"""Generate, watch, stop: jobs of the Prompt tab, and the queue in the sidebar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.core.errors import StudioError
from studio.core.recipe import EditRef
from studio.services.wording import words
from studio.ui.components import queue, stage
from studio.ui.components.form import recipes
from studio.ui.components.history import Query
from studio.ui.errors import sentence, told
from studio.ui.markup import alert
from studio.ui.prompt import glance
from studio.ui.prompt.bench import QUICK, Bench
from studio.ui.stack_panel import TURN
from studio.ui.values import FIELDS, TEXT, holds, read_event, remembered

if TYPE_CHECKING:
    from studio.services.studio import Studio

# Other windows of this browser look again: page.js passes it on. This one looks anyway.
ANNOUNCE = "() => window.dispatchEvent(new Event('palimpsest-changed'))"


# -- handlers -------------------------------------------------------------------------------------------------------


def submit(
    studio: Studio, values: Mapping[str, Any], edits: Sequence[EditRef] = (), watched: str | None = None
) -> tuple[str | None, stage.Stage]:
    """Queue what the form asks for. Gives the job to watch, at once: `watched`, if that is still being drawn.

    Refused, the reason is the message, and nothing is queued.
    """
    try:
        job_id = studio.pictures.submit(recipes(values, edits, words(studio.settings.workspace)))
    except StudioError as error:
        now = replace(stage.of_engine(studio), message=alert(sentence(error)))
        return watched, replace(now, drawing=stage.attached(studio, watched) is not None)
    return follow(studio, job_id, watched)


def follow(studio: Studio, job_id: str, watched: str | None) -> tuple[str | None, stage.Stage]:
    """Watch a job that was just queued, unless another one is being drawn: then its place in the queue is told."""
    first = stage.attached(studio, watched)
    if first is None or first == job_id:
        now = stage.of_job(studio, job_id)
        return job_id, now if now.message else replace(now, message="")
    place = next((entry.position for entry in studio.jobs.queue() if entry.job_id == job_id), 0)
    note = alert(f"In the queue, number {place}.", kind="note") if place else ""
    return first, replace(stage.of_job(studio, first), message=note, canvas=None, caption=None, shown=None)


def stop(studio: Studio, job_id: str | None, keep: bool) -> None:
    """Ask the job to stop. keep: whether its finished pictures stay."""
    if job_id:
        studio.jobs.stop(job_id, keep=keep)


def act(studio: Studio, what: str, job_id: str, watched: str | None) -> tuple[str | None, stage.Stage]:
    """Press a button of the queue. Gives the job to watch then."""
    try:
        begun = queue.act(studio, what, job_id)
    except StudioError as error:
        return watched, replace(look(studio, watched), message=alert(sentence(error)))
    if begun is not None:
        watched, now = follow(studio, begun, watched)
        return watched, replace(now, ended=queue.ended_html(queue.ended_early(studio)))
    return watched, look(studio, watched)


def look(studio: Studio, watched: str | None) -> stage.Stage:
    """The queue as it is now, and nothing else.

    Busy as long as a job is watched: its end is yet to be told, also where it has ended by now and nothing is left.
    """
    now, drawing = stage.of_engine(studio), stage.attached(studio, watched) is not None
    ended = queue.ended_html(queue.ended_early(studio))
    return replace(now, busy=now.busy or watched is not None, drawing=drawing, ended=ended)


# -- wiring ---------------------------------------------------------------------------------------------------------


def wire(bench: Bench, generate: gr.Button) -> None:
    """The buttons, the timer, the queue, and what happens when the page is opened."""
    studio, form, side = bench.page.studio, bench.form, bench.page.sidebar
    draft = gr.BrowserState(None, storage_key="palimpsest-draft", secret="palimpsest-page")
    holds(draft, remembered(FIELDS))

    @told
    def on_generate(request: gr.Request, turn: Any, kept: Any, watched: str | None, *given: Any) -> list[Any]:
        with side.edits.of(request, turn, kept) as session:
            edits = session.value.refs
        job, now = submit(studio, form.plain(given), edits, watched)
        return [job, False, *bench.updates(now)]

    @told
    def on_tick(watched: str | None, pinned: bool, asked: Query, seen: int) -> list[Any]:
        job, now = stage.watching(studio, watched, pinned, asked, seen)
        return [gr.skip() if job == watched else job, *bench.updates(now)]

    @told
    def on_open(watched: str | None, kept: dict[str, Any] | None) -> list[Any]:
        bench.page.opened()
        job, now = stage.on_opening(studio, watched)
        return [job, False, Query(), *form.update(kept or {}), *bench.updates(now)]

    @told
    def on_stop(watched: str | None) -> None:
        stop(studio, watched, keep=True)

    @told
    def on_cancel(watched: str | None) -> None:
        stop(studio, watched, keep=False)

    @told
    def on_act(watched: str | None, event: gr.EventData) -> list[Any]:
        job, now = act(studio, read_event(event, "act", TEXT), read_event(event, "job", TEXT), watched)
        return [gr.skip() if job == watched else job, *bench.updates(now)]

    @told
    def on_refresh(watched: str | None) -> list[Any]:
        return bench.updates(look(studio, watched))

    fields = form.components
    generate.click(
        on_generate,
        [*side.edits.given, bench.job, *fields],
        [bench.job, bench.pinned, *bench.outputs],
        js=TURN,
        **QUICK,
    ).then(None, None, None, js=ANNOUNCE, api_visibility="private")
    bench.stop.click(on_stop, bench.job, None, **QUICK)
    bench.cancel.click(on_cancel, bench.job, None, **QUICK)
    watching = [bench.job, bench.pinned, bench.asked, bench.seen]
    moving = [bench.html[name] for name in glance.PARTS]
    bench.timer.tick(None, bench.job, moving, js=glance.SCRIPT, api_visibility="private")
    whole_look = bench.html["progress"].look  # type: ignore[attr-defined]
    whole_look(on_tick, watching, [bench.job, *bench.outputs], **QUICK).then(
        None, None, None, js=glance.LOOKED, api_visibility="private"
    )
    for part in (side.queue, side.ended):
        part.act(on_act, bench.job, [bench.job, *bench.outputs], **QUICK).then(
            None, None, None, js=ANNOUNCE, api_visibility="private"
        )
    side.queue.refresh(on_refresh, bench.job, bench.outputs, **QUICK)
    opening = [bench.job, bench.pinned, bench.asked, *fields, *bench.outputs]
    bench.page.demo.load(on_open, [bench.job, draft], opening, **QUICK)
    # In the browser alone: what the form holds is kept there, and comes back with the page.
    keep = f"(...given) => Object.fromEntries({list(form.controls)!r}.map((name, place) => [name, given[place]]))"
    gr.on([field.change for field in fields], None, fields, draft, js=keep, api_visibility="private")  # type: ignore[attr-defined]
