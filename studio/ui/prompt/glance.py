"""What the page looks at four times a second while a job is drawn: its pictures, its progress, the queue.

An event that Python answers costs Gradio's page a tenth of a second of a core: before and after each one, 6.31 visits
every component that was ever an input or an output, and looks for each in the tree from the root. On two cores that was
a third of what drawing had. So the timer's event stays in the browser, which asks an address of its own; only where
something else has changed as well does the page look again in whole (docs/design/0013).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from studio.core.errors import NotFound
from studio.ui.components import canvas, stage

if TYPE_CHECKING:
    from studio.services.studio import Studio

PARTS = ("canvas", "progress", "status", "queue")  # the outputs of SCRIPT
MAX_JOB_CHARS = 64

# What is left undefined stays as it is: of a part that is as it was, and of a sheet on which somebody looks at another
# picture than this job's. One glance at a time, and none that was overtaken: where anything else has written into the
# parts meanwhile, or a whole look is under way, what this one saw may be older. The last whole look of a job stops the
# timer, so a glance that landed after it would stay for ever.
SCRIPT = """async (job) => {
  const before = window.palimpsestGlance || {};
  const canvas = document.getElementById('canvas');
  const unseen = !canvas || canvas.offsetParent === null; // another tab is looked at: the sidebar alone, once a second
  const since = (moment) => Date.now() - (moment || 0);
  if (before.under_way || since(window.palimpsestLooking) < 5000 || (unseen && since(before.at) < 900)) return [];
  const again = () => {
    window.palimpsestLooking = Date.now(); // until LOOKED, which one that failed does not come to
    window.dispatchEvent(new Event('palimpsest-look'));
  };
  const written = () => PARTS.map((part) => document.getElementById(part)?.innerHTML).join();
  const now = { job, drawn: before.job === job ? before.drawn : 0, under_way: true, at: Date.now() };
  window.palimpsestGlance = now;
  const start = written();
  try {
    const answer = await fetch(`/glance?job=${encodeURIComponent(job || '')}`);
    const seen = await answer.json();
    if (written() !== start) return [];
    const sheet = document.querySelector('#canvas [data-job]');
    const other = sheet && sheet.dataset.job !== job; // the job before this one
    const whole = seen.over || other || seen.drawn !== now.drawn;
    now.drawn = seen.drawn;
    if (whole) {
      again();
      return [];
    }
    if (!sheet || unseen) delete seen.canvas;
    if (unseen) delete seen.progress;
    return PARTS.map((part) => seen[part]);
  } catch {
    again(); // which says what is the matter
    return [];
  } finally {
    now.under_way = false;
  }
}""".replace("PARTS", repr(list(PARTS)))
# In the component that tells of "look": a whole look is due.
AGAIN = "window.addEventListener('palimpsest-look', () => trigger('look'));"
# After each of those.
LOOKED = "() => { window.palimpsestLooking = 0; }"


@dataclass(frozen=True)
class Glance:
    """HTML of what moves; None stays as it is. drawn: how many pictures of the job are finished. over: whether the job
    is, or, where none is watched, whether one has come or there is nothing to wait for.
    """

    status: str
    queue: str
    canvas: str | None = None
    progress: str | None = None
    drawn: int = 0
    over: bool = False


def glance(studio: Studio, job_id: str) -> Glance:
    """A job as it is now; "": of the engine alone, while it loads or works on what has its own place."""
    now = stage.of_engine(studio)
    told = Glance(now.status or "", now.queue or "")
    if not job_id:
        return replace(told, over=not now.busy or stage.attached(studio, None) is not None)
    try:
        job = canvas.view(studio.jobs.events(job_id))
    except NotFound:  # of another workspace: the whole look finds another
        return replace(told, over=True)
    sheet, line = canvas.job_html(job, job_id), canvas.progress_html(job)
    return replace(told, canvas=sheet, progress=line, drawn=len(job.drawn), over=job.over)


def route(studio: Studio) -> Route:
    """The address that SCRIPT asks."""

    def values(job_id: str) -> dict[str, Any]:
        return {name: value for name, value in vars(glance(studio, job_id)).items() if value is not None}

    async def answer(request: Request) -> Response:
        job_id = request.query_params.get("job", "")[:MAX_JOB_CHARS]
        return JSONResponse(await run_in_threadpool(values, job_id), headers={"Cache-Control": "no-store"})

    return Route("/glance", answer)
