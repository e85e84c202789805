"""What the Prompt tab shows of jobs and pictures, worked out as plain values: of a job, of a picture, of nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.core.errors import BadInput, NotFound, StudioError, WorkspaceError
from studio.core.recipe import Recipe
from studio.services.pictures import is_for_prompt
from studio.ui.components import canvas, caption, history
from studio.ui.components.query import Query
from studio.ui.components.results import Drawn
from studio.ui.markup import alert
from studio.ui.pictures import address
from studio.ui.wiring import Answer

if TYPE_CHECKING:
    from studio.services.history import Generation
    from studio.services.studio import Studio

# What `answer` may name.
GIVES = (
    "canvas",
    "progress",
    "caption",
    "past",
    "message",
    "picture_id",
    "newest_id",
    "stop",
    "cancel",
)
# Of the line of progress, which tells of "look": the job that is followed has a picture more or is over; or none is
# followed, and one has come, or came and went between two looks.
FOLLOW = """
window.addEventListener('palimpsest-watch', ({detail}) => {
  const isFollowing = element.querySelector('[data-watch]') !== null;
  const isNew = !isFollowing && (detail.drawing || detail.came_to_rest);
  if (isNew || window.palimpsestWatch.isDue(element, detail)) trigger('look');
});
watch('value', () => setTimeout(() => {
  if (element.querySelector('[data-watch]') && window.palimpsestWatch) window.palimpsestWatch.look();
}));
"""
BLANK = canvas.welcome_html()


@dataclass(frozen=True)
class PromptView:
    """What is to be shown. None leaves a part as it is.

    drawing: whether the job one watches is unfinished.
    waiting: how many more of the tab's jobs are.
    canvas, progress, caption, past, message: HTML of each part.
    picture_id: number of the picture one looks at, 0 if there is none.
    newest_id: number of the newest picture that was told.
    """

    drawing: bool = False
    waiting: int | None = None
    canvas: str | None = None
    progress: str | None = None
    caption: str | None = None
    past: str | None = None
    message: str | None = None
    picture_id: int | None = None
    newest_id: int | None = None


def answer(prompt_view: PromptView) -> Answer:
    """A view as values for the components, by name."""
    values = {name: value for name, value in vars(prompt_view).items() if name in GIVES and value is not None}
    label: dict[str, Any] = (
        {} if prompt_view.waiting is None else {"value": "Stop all" if prompt_view.waiting else "Stop"}
    )
    stop = gr.Button(interactive=prompt_view.drawing, **label)
    return {**values, "stop": stop, "cancel": gr.Button(interactive=prompt_view.drawing)}


def of_job(
    studio: Studio, job_id: str, pinned: bool = False, query: Query | None = None, taken_out: int = 0
) -> PromptView:
    """A job as it is now.

    pinned: a picture of the history was chosen meanwhile, and stays where it is.
    query: what the history shows, which is read again when the job is over.
    taken_out: how many jobs that waited were stopped with it.
    """
    job = canvas.view(studio.jobs.events(job_id))
    first = job.pictures[0][1].id if job.pictures else None
    last = max((picture.id for _, picture in job.pictures), default=None)
    prompt_view = PromptView(
        not job.over, canvas=canvas.job_html(job, job_id, _size(studio, job_id)), picture_id=first, newest_id=last
    )
    waiting = sum(id != job_id for id in of_tab(studio))
    if job.over:
        ending: dict[str, Any] = {
            "caption": _made(studio, job),
            "message": outcome(job, taken_out),
            "past": _past(studio, query),
        }
        prompt_view = replace(prompt_view, waiting=waiting, progress="", **ending)
    else:
        progress = canvas.progress_html(job, job_id)
        prompt_view = replace(prompt_view, waiting=waiting, progress=progress, caption="")
    return replace(prompt_view, canvas=None, caption=None, picture_id=None) if pinned else prompt_view


def watching(
    studio: Studio,
    job_id: str | None,
    pinned: bool = False,
    query: Query | None = None,
    newest_id: int = 0,
    taken_out: int = 0,
) -> tuple[str | None, PromptView]:
    """The job to watch next, and how things stand now: what the page asks for when that has changed.

    A job that is over is told once, and then another one is watched.

    newest_id: number of the newest picture there was when that was asked last: jobs that began and ended since then
        are told by their newest picture.
    taken_out: how many jobs that waited were stopped with this one.
    """
    job_id = job_id if job_id and _is_known(studio, job_id) else attached(studio, None)
    if job_id is not None:
        prompt_view = of_job(studio, job_id, pinned, query, taken_out)
        if prompt_view.drawing:
            return job_id, prompt_view
        if (following := attached(studio, None)) is not None:
            return following, prompt_view
        # Jobs behind this one may have ended between two looks.
        newest_id = max(newest_id, prompt_view.newest_id or 0)
        return None, prompt_view if pinned else _newest_shown(studio, prompt_view, newest_id)
    prompt_view = PromptView(waiting=0, progress="", past=_past(studio, query))
    return None, prompt_view if pinned else _newest_shown(studio, prompt_view, newest_id)


def _newest_shown(studio: Studio, prompt_view: PromptView, newest_id: int) -> PromptView:
    """The same, with the newest picture on the canvas where it is newer than that."""
    if (newest := _unseen(studio, newest_id)) is None:
        return prompt_view
    sheet, label = picture_html(studio, newest), caption.caption_html(newest)
    return replace(prompt_view, canvas=sheet, caption=label, picture_id=newest.id, newest_id=newest.id)


def _unseen(studio: Studio, newest_id: int) -> Generation | None:
    """The newest picture, if it is newer than that and was drawn for somebody who waits: a grid has its own place."""
    newest = next(iter(studio.history.newest(1)), None)
    if newest is None or newest.id <= newest_id or newest.job_id is None:
        return None
    return newest if _is_for_prompt(studio, newest.job_id) else None


def as_it_is(studio: Studio, job_id: str | None) -> PromptView:
    """Nothing new to be shown. job_id: of the job that is followed."""
    return PromptView(attached(studio, job_id) is not None)


def begun(studio: Studio, job_id: str, query: Query | None = None) -> PromptView:
    """A job that was just queued, which is what one looks at from here on. query: as of `of_job`: it may be over."""
    prompt_view = of_job(studio, job_id, query=query)
    return prompt_view if prompt_view.message else replace(prompt_view, message="")


def beside(studio: Studio, job_id: str, message: str, query: Query | None = None) -> PromptView:
    """A job that goes on being followed, whatever one looks at. message: what to say. query: as of `of_job`."""
    prompt_view = of_job(studio, job_id, query=query)
    return replace(prompt_view, message=message, canvas=None, caption=None, picture_id=None)


def on_opening(studio: Studio, job_id: str | None) -> tuple[str | None, PromptView]:
    """What a page shows when it is opened: the job to watch, if any.

    job_id: the job the browser remembers. Running, it is watched again; so is any other that is. Otherwise the newest
    picture is shown.
    """
    past = _past(studio, None)
    if job := attached(studio, job_id):
        return job, replace(of_job(studio, job), message="", past=past)
    blank: dict[str, Any] = {
        "canvas": BLANK,
        "progress": "",
        "caption": "",
        "message": "",
        "picture_id": 0,
        "newest_id": 0,
    }
    prompt_view = PromptView(waiting=0, past=past, **blank)
    if newest := studio.history.newest(1):
        sheet, label = picture_html(studio, newest[0]), caption.caption_html(newest[0])
        prompt_view = replace(prompt_view, canvas=sheet, caption=label, picture_id=newest[0].id, newest_id=newest[0].id)
    return None, prompt_view


def attached(studio: Studio, job_id: str | None) -> str | None:
    """The job a page should watch: the one it remembers, if that is not over, else the oldest that is not.

    A grid has a panel of its own, and what is drawn for other ends, or makes no pictures, has a tab of its own.
    """
    if job_id and _is_known(studio, job_id) and not canvas.view(studio.jobs.events(job_id)).over:
        return job_id
    oldest = studio.jobs.oldest_unfinished("generate", "interactive")
    if oldest is None or is_for_prompt(oldest):
        return oldest.id if oldest else None
    return next((job.id for job in studio.jobs.unfinished() if is_for_prompt(job)), None)


def of_tab(studio: Studio) -> list[str]:
    """The jobs that this tab has in hand and waiting, in the order in which they run."""
    return [entry.job_id for entry in studio.jobs.queue() if _is_for_prompt(studio, entry.job_id)]


def _is_for_prompt(studio: Studio, job_id: str) -> bool:
    try:
        return is_for_prompt(studio.jobs.get(job_id))
    except StudioError:  # its row of the ledger cannot be read, which keeps nothing else from being shown
        return False


def outcome(job: canvas.JobView, taken_out: int = 0) -> str:
    """A message about how a job ended, where there is something to say. taken_out: see `of_job`."""
    if job.state in ("failed", "interrupted"):
        return alert(job.error or "The job ended before it was done.")
    if job.state == "cancelled":
        count = len(job.pictures) or job.binned
        outcome = f"; {count} picture{'s' * (count != 1)} {'kept' if job.pictures else 'moved into the bin'}"
        others = f"{taken_out} job{'s' * (taken_out > 1)} that waited {'was' if taken_out == 1 else 'were'}"
        rest = f" {others} taken out of the queue; “Stopped or failed” at the left runs them again."
        return alert(f"Stopped{outcome if count else ''}.{rest if taken_out else ''}", kind="note")
    return ""


def _is_known(studio: Studio, job_id: str) -> bool:
    try:
        studio.jobs.events(job_id)
    except NotFound:  # the browser remembers a job of another workspace
        return False
    return True


def picture_html(studio: Studio, picture: Generation) -> str:
    """One picture of the history, from which one gets to those its job made beside it."""
    of_job = studio.archive.generations.of_job(picture.job_id) if picture.job_id else []
    siblings = [
        Drawn(generation.id, address(generation.id, generation.image), generation.recipe)
        for generation in of_job
        if generation.deleted_at == picture.deleted_at
    ]
    return canvas.picture_html(picture, siblings)


def _size(studio: Studio, job_id: str) -> tuple[int, int]:
    """(width, height) of a job's pictures, by its first recipe; (0, 0) where the ledger does not say."""
    try:
        recipe = Recipe.load(studio.jobs.get(job_id).payload["recipes"][0])
    except (StudioError, KeyError, IndexError, TypeError):
        return 0, 0
    return recipe.width, recipe.height


def _past(studio: Studio, query: Query | None) -> str:
    """The history, which changes when jobs end."""
    try:
        return history.past(studio, query or Query())
    except BadInput:  # of the controls, which say it themselves
        return history.past(studio, Query())


def _made(studio: Studio, job: canvas.JobView) -> str:
    """The label of what a job made: of its picture, or of them all."""
    if not job.pictures:
        return ""
    first = job.pictures[0][1]
    if len(job.pictures) == 1:
        try:
            return caption.caption_html(studio.history.get(first.id))
        except (NotFound, WorkspaceError):  # emptied out of the bin meanwhile, or a row that cannot be read
            return ""
    return caption.many_html([picture.recipe for _, picture in job.pictures])
