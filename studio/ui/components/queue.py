"""The queue in the sidebar: what is in hand, what waits, what ended early; and what can be done about each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.services import trainings
from studio.services.queue import QueueEntry
from studio.ui.components.curves import job
from studio.ui.components.engine import WORKING
from studio.ui.components.progress import seconds
from studio.ui.markup import tag, text

if TYPE_CHECKING:
    from studio.services.studio import Studio
    from studio.storage.jobs import JobRecord

CLICK = (
    """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-act]');
  if (button) trigger('act', {act: button.dataset.act, job: button.dataset.job});
});
"""
    + job.SCRIPT
)
# Of the list of those that ended early. Written anew, as when one is cleared, it would be folded: so it is unfolded
# again, in the same turn and before anything is painted.
UNFOLDED = """
let unfolded = false;
const list = () => element.querySelector('.ended');
element.addEventListener('click', (event) => {
  if (event.target.closest('summary')) setTimeout(() => { unfolded = list() !== null && list().open; });
});
window.addEventListener('palimpsest-watch', () => queueMicrotask(() => {
  unfolded = unfolded && list() !== null;
  if (list()) list().open = unfolded;
}));
"""
STATES = {"running": "Drawing", "paused": "Gives way to a picture", "stopping": "Stopping", "waiting": "Waiting"}
CLEARED = "Take out of this list; the pictures stay in the history."
ENDS = {"failed": "Failed", "interrupted": "Interrupted", "cancelled": "Stopped"}
ENDED_SHOWN = 4  # of those that ended early
QUEUE_SHOWN = 50  # jobs of the queue; it is sent four times a second, and nobody reads on


# -- what can be done -----------------------------------------------------------------------------------------------


def act(studio: Studio, action: str, job_id: str) -> str | None:
    """Do what a button of the queue says. Gives the id of a job that it has begun.

    action: "clear" is of all that wait, "dismiss_all" of all that ended early, the others of the job.
    Raises NotFound for the job, BadInput where it can no longer be done.
    """
    match action:
        case "stop":
            studio.jobs.stop(job_id, keep=True)
        case "cancel":
            studio.jobs.stop(job_id, keep=False)
        case "up" | "down":
            _move(studio, job_id, up=action == "up")
        case "retry":
            return studio.jobs.retry(job_id)
        case "dismiss":
            studio.jobs.dismiss(job_id)
        case "dismiss_all":
            studio.jobs.dismiss_all()
        case "clear":
            for entry in studio.jobs.queue():
                if entry.state == "waiting":
                    studio.jobs.stop(entry.job_id, keep=False)
        case _:
            raise BadInput(f"There is nothing in the queue called {shown(action)}.")
    return None


def _move(studio: Studio, job_id: str, up: bool) -> None:
    """Change places with the neighbour of the same class; without one, nothing changes."""
    entries = studio.jobs.queue()
    mine = next((entry for entry in entries if entry.job_id == job_id), None)
    if mine is None or mine.state != "waiting":
        raise BadInput("This job is not waiting any more, so it cannot be moved.")
    line = [entry.job_id for entry in entries if entry.state == "waiting" and entry.priority == mine.priority]
    place = line.index(job_id)
    if up and place > 0:
        studio.jobs.move(job_id, line[place - 1])
    elif not up and place + 1 < len(line):
        studio.jobs.move(job_id, line[place + 2] if place + 2 < len(line) else None)


# -- how it looks ---------------------------------------------------------------------------------------------------


def queue_html(entries: Sequence[QueueEntry]) -> str:
    """The jobs in hand and waiting."""
    if not entries:
        return tag("p", "Nothing is being drawn, and nothing waits.", class_="empty-line")
    visible = entries[:QUEUE_SHOWN]
    long = next((entry for entry in entries if entry.state != "waiting" and entry.priority == "background"), None)
    last = sum(entry.state == "waiting" for entry in entries)
    first = next((place for place, entry in enumerate(entries) if entry.state == "waiting"), 0)
    rows = "".join(_row(entry, place - first + 1, last, long) for place, entry in enumerate(visible))
    hidden_count = len(entries) - len(visible)
    clear = _button("clear", "", "Clear the queue", "all that wait", "Take all jobs that wait out of the queue")
    return (
        tag("ol", rows, class_="jobs")
        + (tag("p", f"And {hidden_count} more behind them.", class_="hint") if hidden_count else "")
        + (tag("p", clear, class_="clear") if last > 1 else "")
    )


def ended_html(jobs: Sequence[JobRecord]) -> str:
    """Those that ended early, folded away; "" if there are none."""
    if not jobs:
        return ""
    older = len(jobs) - ENDED_SHOWN
    clear = _button("dismiss_all", "", "Clear the list", "all that were stopped or failed", f"{CLEARED} All of them")
    inner = (
        tag("summary", f"Stopped or failed ({len(jobs)})")
        + tag("ol", "".join(map(_ended_row, jobs[:ENDED_SHOWN])), class_="jobs")
        + (tag("p", f"And {older} before them.", class_="hint") if older > 0 else "")
        + (tag("p", clear, class_="clear") if len(jobs) > 1 else "")
    )
    return tag("details", inner, class_="ended", data_keep="ended")


def _ended_row(job: JobRecord) -> str:
    tools = _button("retry", job.id, "Run again", job.description)
    tools += _button("dismiss", job.id, "Clear", job.description, CLEARED)
    return tag(
        "li",
        tag("p", text(job.description), class_="what")
        + tag("p", text(f"{ENDS[job.status]}. {job.error or ''}".strip()), class_="how")
        + tag("div", tools, class_="tools"),
        class_=f"job {job.status}",
    )


def _row(entry: QueueEntry, place: int, last: int, long: QueueEntry | None) -> str:
    """place: among those that wait, from 1. last: of the last of them. long: the work in the background in hand."""
    how = WORKING.get(entry.kind, STATES["running"]) if entry.state == "running" else STATES[entry.state]
    if entry.state == "running" and entry.left_s is not None:
        how += f", {seconds(entry.left_s)} left"
    elif entry.state == "waiting":
        how = f"Waiting, number {place}"
        if long is not None and entry.priority == long.priority:
            how += f": begins when “{long.description}” is over"
    percent = round(100 * (entry.progress or 0))
    bar = tag(
        "div",
        tag("span", "", style=f"width:{percent}%"),
        class_="bar",
        role="progressbar",
        aria_label=entry.description,
        aria_valuemin=0,
        aria_valuemax=100,
        aria_valuenow=percent,
    )
    return tag(
        "li",
        tag("p", text(entry.description), class_="what", title=entry.description)
        + tag("p", text(how), class_="how")
        + (bar if entry.position == 0 else "")
        + tag("div", _tools(entry, place, last), class_="tools"),
        class_=f"job {entry.state}",
    )


def _tools(entry: QueueEntry, place: int, last: int) -> str:
    job = entry.job_id
    if entry.state == "stopping":
        return ""
    if entry.state != "waiting":
        return (
            _curves(entry)
            + _button("stop", job, "Stop", entry.description, "Stop and keep what is finished")
            + _button(
                "cancel", job, "Discard", entry.description, "Stop, and move the pictures of this job into the bin"
            )
        )
    up = _button("up", job, "↑", entry.description, "Earlier", disabled=place == 1)
    down = _button("down", job, "↓", entry.description, "Later", disabled=place == last)
    return up + down + _button("cancel", job, "Remove", entry.description, "Take this job out of the queue")


def _curves(entry: QueueEntry) -> str:
    """Of a training, what it has measured so far."""
    if entry.kind != trainings.KIND:
        return ""
    attrs = {"class_": "small", "title": "What this training has measured so far"}
    return tag(
        "button", "Curves", type="button", data_curves=entry.job_id, aria_label=f"Curves: {entry.description}", **attrs
    )


def _button(act: str, job: str, label: str, subject: str, title: str = "", disabled: bool = False) -> str:
    action = title or label
    return tag(
        "button",
        text(label),
        type="button",
        class_="small",
        data_act=act,
        data_job=job,
        title=action,
        aria_label=f"{action}: {subject}",
        disabled=disabled,
    )
