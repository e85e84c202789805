"""What the page shows of jobs and pictures, worked out as plain values: of a job, of a picture, of nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from studio.core.errors import BadInput, NotFound, StudioError, WorkspaceError
from studio.ui import sidebar
from studio.ui.components import canvas, caption, history, queue
from studio.ui.components.history import Query
from studio.ui.markup import alert

if TYPE_CHECKING:
    from studio.services.history import Generation
    from studio.services.studio import Studio

PARTS = ("canvas", "progress", "caption", "past", "message", "status", "queue", "ended")
BLANK = canvas.welcome_html()


@dataclass(frozen=True)
class Stage:
    """HTML of each part; None leaves the part as it is.

    busy: whether any job is unfinished or the engine still loading, so that there will be something new to show.
    drawing: whether the job one watches is unfinished. shown: number of the picture one looks at, 0 if there is none.
    seen: number of the newest picture that was told.
    """

    busy: bool
    drawing: bool = False
    canvas: str | None = None
    progress: str | None = None
    caption: str | None = None
    past: str | None = None
    message: str | None = None
    status: str | None = None
    queue: str | None = None
    ended: str | None = None
    shown: int | None = None
    seen: int | None = None


def of_engine(studio: Studio) -> Stage:
    """What is told while no job is watched: the engine's state, and the queue."""
    status, entries = studio.status(), studio.jobs.queue()
    busy = bool(entries) or status.state == "starting"
    return Stage(busy, status=sidebar.status_html(status), queue=queue.queue_html(entries))


def of_job(studio: Studio, job_id: str, pinned: bool = False, asked: Query | None = None) -> Stage:
    """A job as it is now. pinned: a picture of the history was chosen meanwhile, and stays where it is.

    asked: what the history shows, which is read again when the job is over.
    """
    job = canvas.view(studio.jobs.events(job_id))
    first = job.drawn[0][1].id if job.drawn else None
    last = max((picture.id for _, picture in job.drawn), default=None)
    now = replace(of_engine(studio), drawing=not job.over, canvas=canvas.job_html(job, job_id), shown=first, seen=last)
    if job.over:
        now = replace(now, progress="", caption=_made(studio, job), message=outcome(job))
        now = replace(now, **_after(studio, asked or Query()))
    else:
        now = replace(now, progress=canvas.progress_html(job), caption="", busy=True)
    return replace(now, canvas=None, caption=None, shown=None) if pinned else now


def watching(
    studio: Studio, job_id: str | None, pinned: bool = False, asked: Query | None = None, seen: int = 0
) -> tuple[str | None, Stage]:
    """The job to watch next, and how things stand now: what the page asks for again and again while there is work.

    A job that is over is told once, and then another one is watched. seen: number of the newest picture there was when
    that was asked last: jobs that began and ended since then are told by their newest picture.
    """
    job_id = job_id if job_id and _is_known(studio, job_id) else attached(studio, None)
    if job_id is not None:
        now = of_job(studio, job_id, pinned, asked)
        if now.drawing:
            return job_id, now
        if (following := attached(studio, None)) is not None:
            return following, now
        # Jobs behind this one may have ended between two looks: nobody will ask again once nothing is busy.
        return None, now if pinned else _newest_shown(studio, now, max(seen, now.seen or 0))
    now = replace(of_engine(studio), progress="")
    if not now.busy:
        now = replace(now, **_after(studio, asked or Query()))
        now = now if pinned else _newest_shown(studio, replace(now, message=""), seen)
    return None, now


def _newest_shown(studio: Studio, now: Stage, seen: int) -> Stage:
    """The same, with the newest picture on the canvas where it is newer than that."""
    if (newest := _unseen(studio, seen)) is None:
        return now
    sheet, label = canvas.picture_html(newest), caption.caption_html(newest)
    return replace(now, canvas=sheet, caption=label, shown=newest.id, seen=newest.id)


def _unseen(studio: Studio, seen: int) -> Generation | None:
    """The newest picture, if it is newer than that and was drawn for somebody who waits: a grid has its own place."""
    newest = next(iter(studio.history.newest(1)), None)
    if newest is None or newest.id <= seen or newest.job_id is None:
        return None
    try:
        return newest if studio.jobs.get(newest.job_id).priority == "interactive" else None
    except StudioError:  # its row of the ledger cannot be read, which keeps nothing else from being shown
        return None


def on_opening(studio: Studio, job_id: str | None) -> tuple[str | None, Stage]:
    """What a page shows when it is opened: the job to watch, if any.

    job_id: the job the browser remembers. Running, it is watched again; so is any other that is. Otherwise the newest
    picture is shown.
    """
    after = _after(studio, Query())
    if job := attached(studio, job_id):
        return job, replace(of_job(studio, job), message="", **after)
    now = replace(of_engine(studio), canvas=BLANK, progress="", caption="", message="", shown=0, seen=0, **after)
    if newest := studio.history.newest(1):
        sheet, label = canvas.picture_html(newest[0]), caption.caption_html(newest[0])
        now = replace(now, canvas=sheet, caption=label, shown=newest[0].id, seen=newest[0].id)
    return None, now


def attached(studio: Studio, job_id: str | None) -> str | None:
    """The job a page should watch: the one it remembers, if that is not over, else the oldest that is not.

    A grid has a panel of its own, and what makes no pictures has a tab of its own.
    """
    if job_id and _is_known(studio, job_id) and not canvas.view(studio.jobs.events(job_id)).over:
        return job_id
    drawing = studio.jobs.oldest_unfinished("generate", "interactive")
    return drawing.id if drawing else None


def outcome(job: canvas.JobView) -> str:
    """A message about how a job ended, where there is something to say."""
    if job.state in ("failed", "interrupted"):
        return alert(job.error or "The job ended before it was done.")
    if job.state == "cancelled":
        there = len(job.drawn) or job.binned
        told = f"; {there} picture{'s' * (there != 1)} {'kept' if job.drawn else 'moved into the bin'}" if there else ""
        return alert(f"Stopped{told}.", kind="note")
    return ""


def _is_known(studio: Studio, job_id: str) -> bool:
    try:
        studio.jobs.events(job_id)
    except NotFound:  # the browser remembers a job of another workspace
        return False
    return True


def _after(studio: Studio, asked: Query) -> dict[str, str]:
    """What changes when jobs end: the history, and the list of those that ended early."""
    try:
        past = history.past(studio, asked)
    except BadInput:  # of the controls, which say it themselves
        past = history.past(studio, Query())
    return {"past": past, "ended": queue.ended_html(queue.ended_early(studio))}


def _made(studio: Studio, job: canvas.JobView) -> str:
    """The label of what a job made: of its picture, or of them all."""
    if not job.drawn:
        return ""
    first = job.drawn[0][1]
    if len(job.drawn) == 1:
        try:
            return caption.caption_html(studio.history.get(first.id))
        except (NotFound, WorkspaceError):  # emptied out of the bin meanwhile, or a row that cannot be read
            return ""
    return caption.many_html(len(job.drawn), first.recipe)
