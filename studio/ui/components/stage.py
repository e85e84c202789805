"""What the right-hand side of the Prompt tab shows, worked out as plain values: of a job, of a picture, of nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from studio.core.errors import NotFound
from studio.ui import sidebar
from studio.ui.components import canvas, caption, gallery
from studio.ui.markup import alert

if TYPE_CHECKING:
    from studio.services.generate import Studio

BLANK = canvas.empty_html("A blank page", "Write a prompt, or take one of the examples, and generate.")


@dataclass(frozen=True)
class Stage:
    """HTML of each part; None leaves the part as it is.

    busy: whether a job is running. waking: whether the engine is still loading, so that its state is about to change.
    """

    busy: bool
    status: str | None = None
    canvas: str | None = None
    progress: str | None = None
    caption: str | None = None
    past: str | None = None
    message: str | None = None
    waking: bool = False


def of_engine(studio: Studio) -> Stage:
    """What is told while no job is watched: the engine's state."""
    status = studio.status()
    return Stage(False, sidebar.status_html(status), waking=status.state == "starting")


def of_job(studio: Studio, job_id: str, pinned: bool = False) -> Stage:
    """A job as it is now. pinned: a picture of the history was chosen meanwhile, and stays where it is."""
    job = canvas.view(studio.events(job_id))
    status = sidebar.status_html(studio.status())
    if job.over:
        shown = Stage(False, status, canvas.job_html(job), "", _made(studio, job), past(studio), outcome(job))
    else:
        shown = Stage(True, status, canvas.job_html(job), canvas.progress_html(job), "")
    return replace(shown, canvas=None, caption=None) if pinned else shown


def on_opening(studio: Studio, job_id: str | None) -> tuple[str | None, Stage]:
    """What a page that was just opened or reloaded shows, and the id of the job it watches, if any.

    job_id: the job the browser remembers. Running, it is watched again; so is any other that is. Otherwise the newest
    picture is shown.
    """
    if job := attached(studio, job_id):
        return job, replace(of_job(studio, job), past=past(studio), message="")
    now = replace(of_engine(studio), canvas=BLANK, progress="", caption="", past=past(studio), message="")
    if newest := studio.gallery(1):
        now = replace(now, canvas=canvas.picture_html(newest[0]), caption=caption.caption_html(newest[0]))
    return None, now


def attached(studio: Studio, job_id: str | None) -> str | None:
    """The job a page should watch: the one it remembers, if that is not over, else the oldest that is not."""
    if job_id:
        try:
            if not canvas.view(studio.events(job_id)).over:
                return job_id
        except NotFound:  # the browser remembers a job of another workspace
            pass
    unfinished = studio.unfinished_jobs()
    return unfinished[0].id if unfinished else None


def past(studio: Studio, limit: int = gallery.PAGE, search: str = "") -> str:
    """The gallery. limit, search: as they come from the browser, brought into range here."""
    limit = min(max(int(limit), 1), 1000)
    search = (search or "").strip()[:200]
    return gallery.gallery_html(studio.gallery(limit, 0, search), studio.count(search), search)


def outcome(job: canvas.JobView) -> str:
    """A message about how a job ended, where there is something to say."""
    if job.state in ("failed", "interrupted"):
        return alert(job.error or "The job ended before it was done.")
    if job.state == "cancelled":
        kept = len(job.drawn)
        return alert(f"Stopped; {kept} picture{'s' * (kept != 1)} kept." if kept else "Stopped.", kind="note")
    return ""


def _made(studio: Studio, job: canvas.JobView) -> str:
    """The label of what a job made: of its picture, or of them all."""
    if not job.drawn:
        return ""
    first = job.drawn[0][1]
    if len(job.drawn) == 1:
        return caption.caption_html(studio.generation(first.id))
    return caption.many_html(len(job.drawn), first.recipe)
