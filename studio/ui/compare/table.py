"""The comparison as a table of pictures: each row with what it is, what it differs in and what came of it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from studio.core.errors import NotFound, StudioError
from studio.services.comparisons.cells import Cell as Drawing
from studio.services.comparisons.comparison import Comparison
from studio.services.comparisons.comparison import Row as Compared
from studio.services.comparisons.facts import CellFacts, ComparisonFacts
from studio.services.comparisons.plan import ComparisonPlan
from studio.services.comparisons.readings import KIND as READING
from studio.ui.compare import adding, figures, links, naming
from studio.ui.compare.board import Board
from studio.ui.components import canvas, results
from studio.ui.components import rows as lists
from studio.ui.components.canvas import JobView
from studio.ui.components.progress import progress, seconds, time_left
from studio.ui.components.results import Cell, Drawn, Head, Results
from studio.ui.components.rows import Row
from studio.ui.errors import sentence
from studio.ui.markup import alert, tag, text
from studio.ui.pictures import address

if TYPE_CHECKING:
    from studio.services.studio import Studio

MANY = 4  # differences that are listed; of more, the rest is folded away
# What is done to a row is told as {op, row}. A picture is picked in the browser alone: what for is a view's to say.
SCRIPT = (
    results.script("pick")
    + """
// A finished picture is put into its place at once. The table is made anew for it soon, a large one now and then: that
// takes the server long, and the engine its cores.
const PACE_MS = 10;  // a picture of the table
let lookedAt = 0;
window.addEventListener('palimpsest-watch', ({detail}) => {
  for (const place of element.querySelectorAll('.frame[data-watch][data-place]')) {
    const facts = detail.jobs[place.dataset.watch];
    const [, , src] = (facts && facts.pictures.find(([at]) => at === Number(place.dataset.place))) || [];
    if (!src) continue;
    place.className = 'frame live';
    place.replaceChildren(Object.assign(document.createElement('img'), {src: src, alt: 'A finished picture'}));
  }
  const isOver = Object.values(detail.jobs).some(({over}) => over);
  if (!isOver && Date.now() - lookedAt < PACE_MS * element.querySelectorAll('.frame').length) return;
  if (!window.palimpsestWatch.isDue(element, detail)) return;
  lookedAt = Date.now();
  trigger('look');
});
watch('value', () => setTimeout(() => {
  if (element.querySelector('[data-watch]') && window.palimpsestWatch) window.palimpsestWatch.look();
}));
element.addEventListener('click', (event) => {
  const button = event.target.closest('button[data-op]');
  if (button) trigger('op', {op: button.dataset.op, row: Number(button.dataset.row), value: null});
});
let chosen = '';
const placeOf = (frame) => `${frame.closest('tr').dataset.row}/${frame.closest('td').cellIndex}`;
const press = () => {
  for (const frame of frames()) frame.setAttribute('aria-pressed', String(placeOf(frame) === chosen));
};
element.addEventListener('click', (event) => {
  const frame = event.target.closest('[data-pick]');
  if (!frame) return;
  chosen = placeOf(frame);
  press();
  const [row, column] = chosen.split('/');
  window.dispatchEvent(new CustomEvent('palimpsest-picked', {detail: {row: row, column: Number(column) - 1}}));
});
watch('value', () => setTimeout(press));
"""
)
HINT = "Pick it: to see it large (V), or in another view (2 to 5)"
EMPTY = (
    '<div class="compare-empty"><p class="empty-title">Which is better, and by how much?</p>'
    '<p class="empty-told">Rows are recipes: past pictures, presets, an edit at several strengths, another model. '
    "Columns are seeds or prompts. Add some rows, or drop a picture file here; pictures that are drawn already are "
    "shown at once, and Draw makes the others.</p></div>"
)


@dataclass(frozen=True)
class TableView:
    """The table as it is.

    html: all of it.
    statistics: HTML of the numbers of all rows.
    missing: how many pictures Draw would draw.
    busy: whether one is being drawn.
    names: id of a row -> what it is called.
    files: HTML of what can be taken away.
    """

    html: str
    statistics: str = ""
    missing: int = 0
    busy: bool = False
    names: Mapping[int, str] = field(default_factory=dict[int, str])
    files: str = ""


def show(studio: Studio, board: Board, asked_images: set[str]) -> TableView:
    """The table as it is now.

    asked_images: sha256 of those that were asked to be read; what nobody has read is, once all are drawn.
    """
    if not board.rows:
        return TableView(EMPTY, figures.NOTHING)
    comparison = board.comparison
    try:
        cells = studio.comparisons.cells(comparison)
        plan, facts = studio.comparisons.plan(comparison, cells), studio.comparisons.facts(comparison, cells)
    except StudioError as error:
        return TableView(alert(sentence(error)))
    names, jobs = naming.names(board, plan), _jobs(studio, (cell.job for row in cells for cell in row))
    table = _Table(studio, board, plan, names, cells, facts, jobs)
    unfinished = {id: job for id, job in jobs.items() if not job.over}
    if facts.unread and not unfinished:
        _have_read(studio, comparison, cells, asked_images)
    above = "".join(_progress(job, id) for id, job in unfinished.items())
    standing = _told(plan, _reading(studio, facts))
    above += results.tools_html(standing) if plan.finished else tag("div", standing, class_="result-tools")
    remarks = "".join(tag("li", text(remark)) for remark in plan.remarks)
    below = tag("ul", remarks, class_="compare-remarks") if remarks else ""
    html = tag("section", above + table.html() + below, class_="comparison")
    statistics = figures.statistics_html(facts, names, comparison.reference)
    by_id = {row.id: name for row, name in zip(board.rows, names, strict=True)}
    files = links.links_html(studio, naming.called(comparison, names)) if plan.finished else ""
    return TableView(html, statistics, plan.missing, bool(unfinished), by_id, files)


def _have_read(
    studio: Studio, comparison: Comparison, cells: Sequence[Sequence[Drawing]], asked_images: set[str]
) -> None:
    """Have pictures read that nobody has; not again what was asked once, for it may be what cannot be."""
    images = {cell.picture.sha256 for row in cells for cell in row if cell.picture is not None}
    if images - asked_images:
        asked_images |= images
        with contextlib.suppress(StudioError):
            studio.comparisons.read(comparison)


def _reading(studio: Studio, facts: ComparisonFacts) -> str:
    """That a job reads the pictures: where it is over, the table is looked at again."""
    if not facts.unread:
        return ""
    jobs = [job.id for job in studio.jobs.unfinished() if job.kind == READING]
    return "".join(tag("span", " Reading what they show.", data_watch=id) for id in jobs[:1])


@dataclass(frozen=True)
class _Table:
    """The board's rows as rows of cells.

    plan: what each row is and differs in.
    names: what each is called.
    cells: rows of columns.
    facts: what is known of them.
    jobs: id -> how a job stands that draws some of them.
    """

    studio: Studio
    board: Board
    plan: ComparisonPlan
    names: Sequence[str]
    cells: Sequence[Sequence[Drawing]]
    facts: ComparisonFacts
    jobs: Mapping[str, JobView]

    def html(self) -> str:
        trainings = adding.training_of(self.studio, [row.value.recipe for row in self.board.rows])
        heads = tuple(
            Head(self.names[place], row=row.id, detail=self.head(row, place), training=training, step=step)
            for place, (row, (training, step)) in enumerate(zip(self.board.rows, trainings, strict=True))
        )
        columns = tuple(column.label for column in self.board.columns)
        cells = tuple(
            tuple(
                self.cell(cell, of_cell, name, column)
                for cell, of_cell, column in zip(row, facts, columns, strict=True)
            )
            for row, facts, name in zip(self.cells, self.facts.cells, self.names, strict=True)
        )
        reference = self.board.reference_id
        return results.grid_html(Results(cells, heads, columns, label="Pictures of each row", reference=reference))

    def head(self, row: Row[Compared], place: int) -> str:
        is_reference = row.id == self.board.reference_id
        badge = tag("span", "reference", class_="badge") if is_reference else ""
        name = tag("span", text(self.names[place]), class_="name") + badge
        pin = tag(
            "button",
            "◎",
            type="button",
            class_="small",
            data_op="refer",
            data_row=str(row.id),
            title="Hold the others against this row",
            aria_label="Hold the others against this row",
            aria_pressed=str(is_reference).lower(),
        )
        is_open = self.board.is_open and self.board.rows.chosen == row.id
        head = lists.head_html(self.board.rows, row, name, is_open, pin)
        return head + tag("div", self.about(row.value, place, is_reference), class_="row-about")

    def about(self, row: Compared, place: int, is_reference: bool) -> str:
        """What a row is: where it comes from, what it differs in, what is wrong with it, what it costs."""
        plan, facts, parts = self.plan.rows[place], self.facts.rows[place], list[str]()
        if plan.refusal:
            parts.append(tag("p", text(plan.refusal), class_="formula wrong"))
        elif facts.remark:
            parts.append(_flag(facts.remark))
        elif not is_reference and not plan.differences:
            parts.append(_flag("It changes nothing: this is the recipe of the reference."))
        parts += [tag("p", text(remark), class_="formula caveat", title=remark) for remark in plan.remarks]
        if plan.differences:
            parts.append(self.differences(place))
        if summary := figures.of_row(facts, self.facts.unit, self.facts.measures):
            parts.append(tag("p", text(summary), class_="formula summary"))
        cost = f" · {plan.nfe} NFE a picture" if plan.nfe is not None else ""
        source = f"{row.source} · " if row.source else ""
        parts.append(tag("p", text(f"{source}{plan.steps} steps{cost}"), class_="formula"))
        return "".join(parts)

    def differences(self, place: int) -> str:
        """What a row differs in, as a list."""
        reference, recipe = (self.cells[at][0].recipe for at in (self.board.comparison.reference, place))
        listed = self.plan.rows[place].differences
        items = [
            tag("li", text(naming.sentence(difference, reference, recipe)), title=difference.sentence)
            for difference in listed
        ]
        html = tag("ul", "".join(items[:MANY]), class_="differs")
        if len(items) > MANY:
            further = tag("ul", "".join(items[MANY:]), class_="differs")
            html += tag("details", tag("summary", f"{len(items) - MANY} more") + further)
        return html

    def cell(self, cell: Drawing, cell_facts: CellFacts | None, row: str, column: str) -> Cell:
        size = (cell.recipe.width, cell.recipe.height)
        name = row if len(self.board.columns) == 1 else f"{row} · {column}"
        facts, note = figures.of_cell(cell_facts, cell.row == self.board.comparison.reference)
        if cell.picture is not None:
            picture = Drawn(cell.picture.id, address(cell.picture.id, cell.picture.sha256), cell.picture.recipe)
            return Cell(picture, name, facts, size=size, hint=HINT, note=note)
        if cell.state == "refused":
            return Cell(name=name, facts=facts, problem=cell.refusal, size=size)
        job = self.jobs.get(cell.job)
        if job is None or job.over:
            return Cell(name=name, facts=facts, problem=cell.trouble, size=size)
        at = job.state == "running" and job.image == cell.place
        preview = job.preview if at else b""
        return Cell(name=name, facts=facts, job=cell.job, place=cell.place, preview=preview, busy=at, size=size)


def _flag(words: str) -> str:
    return tag("p", text(words), class_="formula caveat flag")


def _jobs(studio: Studio, ids: Iterable[str]) -> dict[str, JobView]:
    views: dict[str, JobView] = {}
    for id in filter(None, dict.fromkeys(ids)):
        try:
            views[id] = canvas.view(studio.jobs.events(id))
        except NotFound:  # over and forgotten meanwhile
            continue
    return views


def _progress(job: JobView, id: str) -> str:
    if not job.images:
        return progress("Waiting for its turn", 0, 1, "", id, waits=True)
    finished, step_count = len(job.pictures), max(1, job.steps)
    return progress(
        f"{finished} of {job.images} pictures",
        finished * step_count + job.step,
        job.images * step_count,
        time_left(job.left_s),
        id,
        finished,
    )


def _told(plan: ComparisonPlan, reading: str) -> str:
    """How far it is, and what drawing the rest would take. reading: HTML of a job that reads the pictures."""
    count = plan.finished + plan.under_way + plan.missing + plan.refused
    words = f"{plan.finished} of {count} picture{'s' * (count != 1)} drawn."
    if plan.missing:
        words += f" {plan.missing} to draw: {plan.nfe:,} network evaluations"
        words += f", {seconds(plan.seconds)}." if plan.seconds is not None else "."
    if plan.refused:
        words += f" {plan.refused} cannot be drawn."
    return tag("p", text(words) + reading, class_="compare-told", role="status")
