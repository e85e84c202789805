"""What the rows came to: a picture for each row and seed, with its cost and its colours beneath."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.core.errors import NotFound
from studio.services import account
from studio.ui.components import canvas
from studio.ui.components.canvas import Drawn, JobView
from studio.ui.components.progress import progress, seconds
from studio.ui.guidance import board as boards
from studio.ui.guidance.board import Board
from studio.ui.markup import alert, image, png_uri, tag, text

if TYPE_CHECKING:
    from studio.services.generate import Studio

CLICK = """
element.addEventListener('click', (event) => {
  const cell = event.target.closest('[data-why]');
  if (cell) trigger('why', {id: Number(cell.dataset.why)});
});
"""
EMPTY = (
    '<div class="guidance-empty"><p class="empty-title">One prompt, one seed, several rules</p>'
    '<p class="empty-told">Choose what to compare at the left and press Compare. All rows are drawn in one batch; '
    "click a picture to see what its rule did at every step.</p></div>"
)


@dataclass(frozen=True)
class Shown:
    """html: of the results. busy: whether a job of theirs is unfinished. drawn: (row, seed) -> picture."""

    html: str
    busy: bool
    drawn: Mapping[tuple[int, str], Drawn]


def show(studio: Studio, board: Board) -> Shown:
    """The results as they are now."""
    if not board["cells"]:
        return Shown(EMPTY, False, {})
    jobs = _jobs(studio, [cell["job"] for cell in board["cells"]])
    seeds, rows = boards.seeds(board), board["rows"]
    found: dict[tuple[int, str], Drawn] = {}
    cells: dict[tuple[int, str], str] = {}
    per_row: dict[str, float | None] = {}
    for cell in board["cells"]:
        job, key = jobs.get(cell["job"]), (cell["row"], cell["seed"])
        share = per_row.setdefault(cell["job"], _seconds_per_row(studio, job))
        picture = dict(job.drawn).get(cell["place"]) if job else None
        if picture is not None:
            found[key] = picture
        cells[key] = _cell(studio, board, cell, job, picture, share)
    unfinished = [job for job in jobs.values() if not job.over]
    above = "".join(_progress(job) for job in unfinished[:1]) + _errors(jobs)
    if not unfinished and found:
        above += _total(studio, found)
    if len(seeds) == 1:
        table = "".join(_card(row, cells.get((row["id"], seeds[0]), _blank())) for row in rows)
        return Shown(above + tag("div", table, class_="guidance-cards"), bool(unfinished), found)
    head = tag("tr", tag("th", "") + "".join(tag("th", text(f"seed {seed}"), scope="col") for seed in seeds))
    body = ""
    for row in rows:
        name = tag("th", text(boards.label(row["guidance"])), scope="row")
        body += tag("tr", name + "".join(tag("td", cells.get((row["id"], seed), _blank())) for seed in seeds))
    table = tag("table", tag("thead", head) + tag("tbody", body))
    html = tag("div", table, class_="guidance-results", tabindex="0", role="group", aria_label="Pictures of each row")
    return Shown(above + html, bool(unfinished), found)


def _card(row: Mapping[str, Any], cell: str) -> str:
    return tag("div", tag("p", text(boards.label(row["guidance"])), class_="card-name") + cell, class_="card")


def _jobs(studio: Studio, ids: list[str]) -> dict[str, JobView]:
    found: dict[str, JobView] = {}
    for id in dict.fromkeys(ids):
        try:
            found[id] = canvas.view(studio.events(id))
        except NotFound:  # the browser remembers a job of another workspace
            continue
    return found


def _seconds_per_row(studio: Studio, job: JobView | None) -> float | None:
    """How long a row of network work took in a job; None while it is unfinished."""
    if job is None or not job.over or not job.drawn:
        return None
    try:
        told = [account.of(studio, picture.id) for _, picture in job.drawn]
    except NotFound:
        return None
    return max(one.seconds for one in told) / max(1, sum(one.nfe for one in told))


def _cell(
    studio: Studio,
    board: Board,
    cell: Mapping[str, Any],
    job: JobView | None,
    picture: Drawn | None,
    seconds_per_row: float | None,
) -> str:
    if picture is None:
        live = job is not None and not job.over and job.preview and job.image == cell["place"]
        if live and job is not None:
            return tag("figure", tag("div", image(png_uri(job.preview), "being drawn"), class_="frame live"))
        return _blank("" if job and not job.over else "not drawn")
    recipe = picture.recipe
    row = boards.row_of(board, cell["row"])
    said = f"{boards.label(row['guidance'])}, seed {cell['seed']}"
    shown = image(
        picture.src, f"{recipe.prompt or 'without a prompt'}: {said}", width=recipe.width, height=recipe.height
    )
    pressed = str(picture.id == board["shown"]).lower()
    button = tag("button", shown, type="button", class_="frame done", data_why=str(picture.id), aria_pressed=pressed,
                 title="Why: what guidance did at each step")  # fmt: skip
    return tag("figure", button + tag("figcaption", _beneath(studio, picture, seconds_per_row)))


def _beneath(studio: Studio, picture: Drawn, seconds_per_row: float | None) -> str:
    parts = [f"{picture.recipe.steps} steps"]
    try:
        told = account.of(studio, picture.id)
        parts.append(f"{told.nfe} NFE")
        if seconds_per_row is not None:  # its share of the batch, by network work
            parts.append(f"{told.nfe * seconds_per_row:.2f} s")
    except NotFound:
        pass
    try:
        colours = account.colours(studio, picture.id)
        parts.append(f"saturation {colours['saturation']:.2f}")
        parts.append(f"clipped {colours['clipped']:.1%}")
    except NotFound:
        parts.append("file gone")
    return "".join(tag("span", text(part)) for part in parts)


def _blank(said: str = "") -> str:
    return tag(
        "figure", tag("div", text(said), class_="frame blank ruled", role="img", aria_label=said or "To be drawn")
    )


def _progress(job: JobView) -> str:
    if not job.steps:
        return progress("Starting", 0, 1, "")
    done = len(job.drawn)
    left = "" if job.left_s is None else f"{seconds(job.left_s)} left"
    return progress(f"{done} of {job.images} pictures · one batch", done * job.steps + job.step,
                    max(1, job.images) * job.steps, left)  # fmt: skip


def _errors(jobs: Mapping[str, JobView]) -> str:
    failed = [job for job in jobs.values() if job.state in ("failed", "interrupted")]
    return alert(failed[-1].error or "The job ended before it was done.") if failed else ""


def _total(studio: Studio, found: Mapping[tuple[int, str], Drawn]) -> str:
    rows = 0
    for picture in found.values():
        try:
            rows += account.of(studio, picture.id).nfe
        except NotFound:
            return ""
    count = f"{len(found)} picture{'s' * (len(found) != 1)}"
    return tag("p", text(f"{count}, {rows:,} rows of network work."), class_="guidance-total", role="status")
