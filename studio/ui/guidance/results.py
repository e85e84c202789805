"""What the rows came to: a picture for each row and seed, with its cost and its colours beneath."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from studio.core.errors import NotFound, StudioError
from studio.core.recipe import GuidanceSpec
from studio.services import account
from studio.ui import handover
from studio.ui.components import canvas, results, rule
from studio.ui.components.canvas import JobView
from studio.ui.components.curves.marks import marks
from studio.ui.components.progress import progress, time_left
from studio.ui.components.results import Cell, Drawn, Head, Results
from studio.ui.components.rows import Row
from studio.ui.guidance.board import Board, Place
from studio.ui.markup import alert, tag, text

if TYPE_CHECKING:
    from studio.services.studio import Studio

SCRIPT = results.script("why") + handover.SEND
EMPTY = (
    '<div class="guidance-empty"><p class="empty-title">One prompt, one seed, several kinds of guidance</p>'
    '<p class="empty-told">Choose what to compare at the left and press Generate all. All rows are drawn together; '
    "click a picture to see what its guidance did at every step.</p></div>"
)
HINT = "Why: what guidance did at each step"

# Beneath a picture: what it cost, and what became of its colours. With several seeds, the cost is told once a row.
COST, PICTURE = ("NFE", "steps", "time"), ("saturation", "clipped")
SINGLE = (*COST, *PICTURE)


@dataclass(frozen=True)
class ResultsView:
    """The results as they are.

    html: of all of them.
    busy: whether a job of theirs is unfinished.
    pictures: (row, seed) -> picture.
    """

    html: str
    busy: bool
    pictures: Mapping[tuple[int, str], Drawn]


def show(studio: Studio, board: Board) -> ResultsView:
    """The results as they are now."""
    if not board.cells:
        return ResultsView(EMPTY, False, {})
    jobs = _jobs(studio, (cell.job for cell in board.cells))
    places = {(cell.row, cell.seed): cell for cell in board.cells}
    pictures = {
        key: picture
        for key, place in places.items()
        if place.job in jobs and (picture := dict(jobs[place.job].pictures).get(place.place)) is not None
    }
    speeds = {id: _seconds_per_evaluation(studio, job) for id, job in jobs.items()}
    table = _Table(studio, board, jobs, places, pictures, speeds)
    unfinished = [job for job in jobs.values() if not job.over]
    above = "".join(_progress(job, id) for id, job in jobs.items() if not job.over) + _errors(jobs.values())
    if not unfinished and pictures:
        send = handover.button_html("compare", [picture.id for picture in pictures.values()])
        above += results.tools_html(_total(studio, pictures) + send)
    return ResultsView(above + table.html(), bool(unfinished), pictures)


@dataclass(frozen=True)
class _Table:
    """The board's rows as rows of cells.

    places: (row, seed) -> where it is drawn; pictures: (row, seed) -> its picture.
    speeds: job -> seconds of one evaluation of the network, None while it is unfinished.
    """

    studio: Studio
    board: Board
    jobs: Mapping[str, JobView]
    places: Mapping[tuple[int, str], Place]
    pictures: Mapping[tuple[int, str], Drawn]
    speeds: Mapping[str, float | None]

    def html(self) -> str:
        seeds, marks_by_row = self.board.seeds, marks(row.id for row in self.board.rows)
        label = "Pictures of each row"
        if len(seeds) == 1:
            cards = tuple((self.cell(row, seeds[0], marks_by_row[row.id], SINGLE),) for row in self.board.rows)
            return results.cards_html(Results(cards, picked=self.board.picture_id, label=label))
        cells = tuple(
            tuple(self.cell(row, seed, marks_by_row[row.id], PICTURE) for seed in seeds) for row in self.board.rows
        )
        heads = tuple(
            Head(self.name(row, seeds), marks_by_row[row.id], self.cost(row, seeds)) for row in self.board.rows
        )
        columns = tuple(f"seed {seed}" for seed in seeds)
        return results.table_html(Results(cells, heads, columns, self.board.picture_id, label))

    def name(self, row: Row[GuidanceSpec], seeds: Sequence[str]) -> str:
        """Of what was drawn in a row: its settings may have moved on since."""
        pictures = [self.pictures[row.id, seed] for seed in seeds if (row.id, seed) in self.pictures]
        return rule.label(pictures[0].recipe.guidance if pictures else row.value)

    def cost(self, row: Row[GuidanceSpec], seeds: Sequence[str]) -> str:
        """What each picture of a row cost: the same for all."""
        keys = [(row.id, seed) for seed in seeds if (row.id, seed) in self.pictures]
        if not keys:
            return ""
        cost = measures(self.studio, self.pictures[keys[0]], COST, self.speeds.get(self.places[keys[0]].job))
        return f"{cost['NFE']} NFE · {cost['steps']} steps · {cost['time']} each"

    def cell(self, row: Row[GuidanceSpec], seed: str, mark: int, fact_names: Sequence[str]) -> Cell:
        key = (row.id, seed)
        picture, place = self.pictures.get(key), self.places.get(key)
        if picture is not None:
            guidance = picture.recipe.guidance
            facts = measures(self.studio, picture, fact_names, self.speeds.get(place.job) if place else None)
            note = (
                "" if is_of(guidance, row.value) else f"The row is now {rule.label(row.value)}, which is not drawn yet."
            )
            return Cell(picture, self.name(row, [seed]), tuple(facts.items()), mark=mark, hint=HINT, note=note)
        cell = Cell(None, rule.label(row.value), tuple((name, "–") for name in fact_names), mark=mark)
        job = self.jobs.get(place.job) if place else None
        if place is None or job is None or job.over:
            return cell
        preview = job.preview if job.image == place.place else b""
        return Cell(None, cell.name, cell.facts, place.job, place.place, preview or b"", mark=mark)


def is_of(picture_rule: GuidanceSpec, row_rule: GuidanceSpec) -> bool:
    """Whether a rule that a picture was drawn with, all of its parameters said, is the one of a row."""
    from studio.guidance import spoken  # torch: not while the page is painted

    try:
        return picture_rule == spoken(row_rule)
    except StudioError:  # out of range, or a method that is not here: it drew nothing
        return False


def measures(studio: Studio, picture: Drawn, names: Sequence[str], speed_s: float | None = None) -> dict[str, str]:
    """What a picture cost and what became of its colours, by name.

    names: of what is told, in this order; what is not known is a dash.
    speed_s: of one evaluation of the network, in its batch.
    """
    values = {"steps": str(picture.recipe.steps)}
    try:
        steps_account = account.of(studio, picture.id)
        values["NFE"] = str(steps_account.nfe)
        if speed_s is not None:  # its share of the batch, by evaluations
            values["time"] = f"{steps_account.nfe * speed_s:.2f} s"
    except NotFound:
        pass
    try:
        colours = account.colours(studio, picture.id)
        values |= {name: f"{colours[name]:.2f}" for name in ("saturation", "brightness", "contrast")}
        values["clipped"] = f"{colours['clipped']:.1%}"
    except NotFound:
        pass
    return {name: values.get(name, "–") for name in names}


def _jobs(studio: Studio, ids: Iterable[str]) -> dict[str, JobView]:
    views: dict[str, JobView] = {}
    for id in dict.fromkeys(ids):
        try:
            views[id] = canvas.view(studio.jobs.events(id))
        except NotFound:  # the browser remembers a job of another workspace
            continue
    return views


def _seconds_per_evaluation(studio: Studio, job: JobView) -> float | None:
    if not job.over or not job.pictures:
        return None
    try:
        accounts = [account.of(studio, picture.id) for _, picture in job.pictures]
    except NotFound:
        return None
    seconds = max(picture_account.seconds for picture_account in accounts)
    return seconds / max(1, sum(picture_account.nfe for picture_account in accounts))


def _progress(job: JobView, id: str) -> str:
    if not job.images:
        return progress("Starting", 0, 1, "", id, waits=True)
    finished, steps = len(job.pictures), max(1, job.steps)
    return progress(
        f"{finished} of {job.images} pictures",
        finished * steps + job.step,
        job.images * steps,
        time_left(job.left_s),
        id,
        finished,
    )


def _errors(jobs: Iterable[JobView]) -> str:
    failed = [job for job in jobs if job.state in ("failed", "interrupted")]
    return alert(failed[-1].error or "The job ended before it was done.") if failed else ""


def _total(studio: Studio, pictures: Mapping[tuple[int, str], Drawn]) -> str:
    try:
        evaluations = sum(account.of(studio, picture.id).nfe for picture in pictures.values())
    except NotFound:
        return ""
    count = f"{len(pictures)} picture{'s' * (len(pictures) != 1)}"
    hint = tag("span", " Choose one to see what its guidance did at every step.", class_="hint")
    return tag(
        "p", text(f"{count}, {evaluations:,} network evaluations.") + hint, class_="guidance-total", role="status"
    )
