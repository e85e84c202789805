"""How the page follows work: one timer in the browser, one address, whatever the jobs are and whichever tab is shown.

An event that Python answers costs Gradio's page a tenth of a second of a core (docs/design/0013). So the browser asks
an address of our own, four times a second while there is work, and fills in what moves; only where a picture is
finished or a job is over does the part of the page that shows it look again in whole, which is an event `look`.

A part follows a job by its markup: `data-watch="<job>"`, with

- `data-drawn="<count>"`: how many finished pictures of the job it shows, on its line of progress
  (`components.progress`), which is filled in;
- `data-place="<k>"`: where the picture at that place of the job will be; its preview is put there.

and the script `PART` in its component. What else wants to know listens to the window's event `palimpsest-watch`, whose
`detail` is a `Watch` as JSON: the curves of a training take `measures` from there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from studio.core.errors import NotFound, StudioError
from studio.services.pictures import is_for_prompt
from studio.ui.components import engine, queue
from studio.ui.components.progress import line
from studio.ui.markup import png_uri
from studio.ui.pictures import address

if TYPE_CHECKING:
    from studio.engine.events import Event
    from studio.services.studio import Studio

MAX_JOBS = 64  # followed by one page
MAX_REMEMBERED = 1000  # jobs, of which the ledger need not be asked again
MAX_MEASURES = 200  # newest ones, in one answer
ENDED_EVERY_S = 1.0  # while there is work, the ledger is read no more often
SCRIPT = f"(() => {{\n{(Path(__file__).parent / 'watch.js').read_text(encoding='utf-8')}}})();"  # the sidebar's
LOOK = "() => window.palimpsestWatch.look()"  # now, where nothing on the page says that there is something to see
# Of a component that tells of "look": a whole look is due. What it is given to show begins to be followed at once.
PART = """
window.addEventListener('palimpsest-watch', ({detail}) => {
  if (window.palimpsestWatch.isDue(element, detail)) trigger('look');
});
watch('value', () => setTimeout(() => {
  if (element.querySelector('[data-watch]') && window.palimpsestWatch) window.palimpsestWatch.look();
}));
"""


def filled(name: str) -> str:
    """The script of a component that shows a text of `Watch`."""
    return f"""
window.addEventListener('palimpsest-watch', ({{detail}}) => {{
  if (props.value !== detail.{name}) props.value = detail.{name};
}});
"""


@dataclass(frozen=True)
class JobFacts:
    """What a page is told of a job it follows.

    seq: number of its newest event, from 1; 0 for a job that is unknown here.
    over: whether it is, or unknown.
    begun: whether it is, and no longer waits.
    share: of its work that is done, 0 to 1.
    doing: what it is at, in words.
    left: how long it takes yet, in words; "" while that is unknown.
    place: of the picture being drawn, from 0.
    preview: of that picture, as a data: address; "" where nothing newer than `since` is there.
    finished: how many of its pictures are.
    pictures: (place, number in the history, address) of each that was finished since `since`.
    measures: {"step", "values": name -> number} of each newer than `since`, oldest first, MAX_MEASURES at most.
    """

    seq: int = 0
    over: bool = True
    begun: bool = True
    share: float = 0.0
    doing: str = ""
    left: str = ""
    place: int = 0
    preview: str = ""
    finished: int = 0
    pictures: tuple[tuple[int, int, str], ...] = ()
    measures: tuple[dict[str, Any], ...] = ()


@dataclass(frozen=True)
class Watch:
    """Everything the page is told at once.

    status: HTML of the engine's state.
    queue: HTML of the jobs in hand and waiting.
    ended: HTML of those that ended early.
    slim: HTML of the line that stands for all three where the sidebar is folded.
    busy: whether there is work in hand, or the engine loads its model: whether to look again.
    drawing: id of the oldest job in hand or waiting that draws for a prompt, None without one.
    jobs: of each job asked for, by its id.
    """

    status: str
    queue: str
    ended: str
    slim: str
    busy: bool
    drawing: str | None
    jobs: dict[str, JobFacts] = field(default_factory=dict[str, JobFacts])


class Watcher:
    """Answers the pages of a studio. Thread-safe."""

    def __init__(self, studio: Studio) -> None:
        self._studio = studio
        self._lock = threading.Lock()
        self._ended, self._ended_at = "", float("-inf")
        self._for_prompt: dict[str, bool] = {}  # of jobs lately in the queue

    def look(self, since: Mapping[str, int]) -> Watch:
        """How things stand. since: job -> number of its newest event that the page knows."""
        status, entries = self._studio.status(), self._studio.jobs.queue()
        busy = bool(entries) or status.state == "starting"
        return Watch(
            status=engine.status_html(status, entries),
            queue=queue.queue_html(entries),
            ended=self._ended_html(busy),
            slim=engine.slim_html(status, entries),
            busy=busy,
            drawing=next((entry.job_id for entry in entries if self._is_for_prompt(entry.job_id)), None),
            jobs={job: self._facts(job, seq) for job, seq in since.items()},
        )

    def _facts(self, job: str, since: int) -> JobFacts:
        try:
            return facts(self._studio.jobs.events(job), since)
        except NotFound:  # of another workspace: whoever shows it looks again, and finds that too
            return JobFacts()

    def _is_for_prompt(self, job: str) -> bool:
        with self._lock:
            if len(self._for_prompt) > MAX_REMEMBERED:
                self._for_prompt.clear()
            if job not in self._for_prompt:
                try:
                    self._for_prompt[job] = is_for_prompt(self._studio.jobs.get(job))
                except StudioError:  # its row of the ledger cannot be read, which keeps nothing else from being told
                    self._for_prompt[job] = False
            return self._for_prompt[job]

    def _ended_html(self, busy: bool) -> str:
        with self._lock:
            if not busy or time.monotonic() - self._ended_at > ENDED_EVERY_S:
                self._ended = queue.ended_html(self._studio.jobs.ended_early())
                self._ended_at = time.monotonic()
            return self._ended


def facts(events: Sequence[Event], since: int = 0) -> JobFacts:
    """Fold a job's events, from the first. since: number of the newest that the page knows."""
    state, ahead, preview = "queued", 0, ""
    progress: Mapping[str, Any] = {}
    finished, pictures = 0, list[tuple[int, int, str]]()
    for event in events:
        if event.kind == "queued":
            ahead = event.data.get("ahead", 0)
        elif event.kind == "progress":
            progress = event.data
        elif event.kind == "preview":
            preview = png_uri(event.data["png"]) if event.seq > since else ""
            progress = {**progress, "image": event.data["image"]}
        elif event.kind == "image":
            finished += 1
            if event.seq > since:
                number, sha256 = event.data["generation"], event.data["sha256"]
                pictures.append((event.data["image"], number, address(number, sha256)))
        state = event.kind if event.kind == "started" or event.final else state
    over = bool(events) and events[-1].final
    standing = line(state, ahead, progress)
    measures = [event.data for event in events if event.kind == "measure" and event.seq > since]
    return JobFacts(
        seq=events[-1].seq if events else 0,
        over=over,
        begun=state != "queued",
        share=standing.share,
        doing="" if over else standing.doing,
        left="" if over else standing.left,
        place=progress.get("image", 0),
        preview="" if over else preview,
        finished=finished,
        pictures=tuple(pictures),
        measures=tuple(measures[-MAX_MEASURES:]),
    )


def read_since(query: str) -> dict[str, int]:
    """Job -> number, of "job:number,job:number"; what is neither is passed over, and so is all beyond MAX_JOBS."""
    since: dict[str, int] = {}
    for part in query.split(",")[:MAX_JOBS]:
        job, _, number = part.partition(":")
        if 0 < len(job) <= 64:
            since[job] = int(number) if number.isascii() and number.isdecimal() and len(number) < 16 else 0
    return since


def route(studio: Studio) -> Route:
    """The address."""
    watcher = Watcher(studio)

    async def answer(request: Request) -> Response:
        since = read_since(request.query_params.get("since", ""))
        watch = await run_in_threadpool(watcher.look, since)
        return JSONResponse(asdict(watch), headers={"Cache-Control": "no-store"})

    return Route("/watch", answer)
