"""What the rows came to: a picture for each row and seed, with its cost and its colours beneath."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from studio.core.errors import NotFound
from studio.services import account
from studio.ui.components import canvas
from studio.ui.components.canvas import Drawn, JobView
from studio.ui.components.curves.marks import class_of, marks, swatch
from studio.ui.components.progress import progress, time_left
from studio.ui.guidance import board as boards
from studio.ui.guidance.board import Board
from studio.ui.markup import alert, facts, image, png_uri, tag, text

if TYPE_CHECKING:
    from studio.services.studio import Studio

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


# Beneath a picture: what it cost, and what became of its colours. With several seeds, the cost is told once a row.
COST, PICTURE = ("NFE", "steps", "time"), ("saturation", "clipped")
SINGLE = (*COST, *PICTURE)


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
    per_row = {id: _seconds_per_row(studio, job) for id, job in jobs.items()}
    for cell in board["cells"]:
        job, key = jobs.get(cell["job"]), (cell["row"], cell["seed"])
        share = per_row.get(cell["job"])
        picture = dict(job.drawn).get(cell["place"]) if job else None
        if picture is not None:
            found[key] = picture
        cells[key] = _cell(studio, board, cell, job, picture, share)
    unfinished = [job for job in jobs.values() if not job.over]
    above = "".join(_progress(job, id) for id, job in jobs.items() if not job.over) + _errors(jobs)
    if not unfinished and found:
        above += _total(studio, found)
    known = marks(row["id"] for row in rows)
    if len(seeds) == 1:
        cards = "".join(_card(row, known[row["id"]], cells.get((row["id"], seeds[0]), _blank(SINGLE))) for row in rows)
        return Shown(above + tag("div", cards, class_="guidance-cards"), bool(unfinished), found)
    head = tag("tr", "".join(tag("th", text(f"seed {seed}"), scope="col") for seed in seeds))
    body = ""
    for row in rows:
        name = tag("th", _head(studio, row, known[row["id"]], seeds, found, per_row, board), colspan=len(seeds),
                   scope="rowgroup")  # fmt: skip
        pictures = "".join(tag("td", cells.get((row["id"], seed), _blank(PICTURE))) for seed in seeds)
        body += tag("tbody", tag("tr", name) + tag("tr", pictures), class_=class_of(known[row["id"]]))
    table = tag("table", tag("thead", head) + body, style=f"--seeds:{len(seeds)}")
    html = tag("div", table, class_="guidance-results", tabindex="0", role="group", aria_label="Pictures of each row")
    return Shown(above + html, bool(unfinished), found)


def _card(row: Mapping[str, Any], mark: int, cell: str) -> str:
    name = swatch(mark) + tag("span", text(boards.label(row["guidance"])))
    return tag("div", tag("p", name, class_="card-name") + cell, class_=f"card {class_of(mark)}")


def _head(
    studio: Studio,
    row: Mapping[str, Any],
    mark: int,
    seeds: list[str],
    found: Mapping[tuple[int, str], Drawn],
    per_row: Mapping[str, float | None],
    board: Board,
) -> str:
    """The name of a row of several pictures, and what each of them cost: the same for all."""
    name = tag("span", swatch(mark) + tag("span", text(boards.label(row["guidance"]))), class_="card-name")
    drawn = [found[row["id"], seed] for seed in seeds if (row["id"], seed) in found]
    if not drawn:
        return name
    job = next(cell["job"] for cell in board["cells"] if cell["row"] == row["id"])
    cost = measures(studio, drawn[0], COST, per_row.get(job))
    told = " · ".join([f"{cost['NFE']} NFE", f"{cost['steps']} steps", f"{cost['time']} each"])
    return name + tag("span", text(told), class_="cost")


def _jobs(studio: Studio, ids: list[str]) -> dict[str, JobView]:
    found: dict[str, JobView] = {}
    for id in dict.fromkeys(ids):
        try:
            found[id] = canvas.view(studio.jobs.events(id))
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
    wanted = SINGLE if len(boards.seeds(board)) == 1 else PICTURE
    if picture is None:
        live = job is not None and not job.over and job.preview and job.image == cell["place"]
        if live and job is not None:
            shown = image(png_uri(job.preview), "being drawn")
            frame = tag("div", shown, class_="frame live", **canvas.place(cell["job"], cell["place"]))
            return tag("figure", frame + _yet(wanted))
        if job is None or job.over:
            return _blank(wanted, "not drawn")
        return _blank(wanted, place=canvas.place(cell["job"], cell["place"]))
    recipe = picture.recipe
    row = boards.row_of(board, cell["row"])
    said = f"{boards.label(row['guidance'])}, seed {cell['seed']}"
    shown = image(
        picture.src, f"{recipe.prompt or 'without a prompt'}: {said}", width=recipe.width, height=recipe.height
    )
    pressed = str(picture.id == board["shown"]).lower()
    button = tag("button", shown, type="button", class_="frame done", data_why=str(picture.id), aria_pressed=pressed,
                 title="Why: what guidance did at each step")  # fmt: skip
    told = measures(studio, picture, wanted, seconds_per_row)
    return tag("figure", button + tag("figcaption", facts(told.items(), "facts measures")))


def measures(
    studio: Studio, picture: Drawn, wanted: Sequence[str], seconds_per_row: float | None = None
) -> dict[str, str]:
    """What a picture cost and what became of its colours, in the order wanted; a dash for what is not known."""
    known = {"steps": str(picture.recipe.steps)}
    try:
        told = account.of(studio, picture.id)
        known["NFE"] = str(told.nfe)
        if seconds_per_row is not None:  # its share of the batch, by network work
            known["time"] = f"{told.nfe * seconds_per_row:.2f} s"
    except NotFound:
        pass
    try:
        colours = account.colours(studio, picture.id)
        known |= {name: f"{colours[name]:.2f}" for name in ("saturation", "brightness", "contrast")}
        known["clipped"] = f"{colours['clipped']:.1%}"
    except NotFound:
        pass
    return {name: known.get(name, "–") for name in wanted}


def _blank(wanted: Sequence[str], said: str = "", place: Mapping[str, str] | None = None) -> str:
    """A place for a picture, as high as one with its numbers. place: of a job that draws it."""
    label = said or "To be drawn"
    frame = tag("div", text(said), class_="frame blank ruled", role="img", aria_label=label, **(place or {}))
    return tag("figure", frame + _yet(wanted))


def _yet(wanted: Sequence[str]) -> str:
    """Keeps the room of the numbers that are to come."""
    return tag("div", facts([(name, "–") for name in wanted], "facts measures"), aria_hidden="true", class_="yet")


def _progress(job: JobView, id: str) -> str:
    if not job.steps:
        return progress("Starting", 0, 1, "", id, len(job.drawn))
    done = len(job.drawn)
    return progress(f"{done} of {job.images} pictures · one batch", done * job.steps + job.step,
                    max(1, job.images) * job.steps, time_left(job.left_s), id, done)  # fmt: skip


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
    told = f"{count}, {rows:,} rows of network work. Choose one to see what its rule did at every step."
    return tag("p", text(told), class_="guidance-total", role="status")
