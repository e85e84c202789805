"""A grid as a table of pictures, filling while it is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from studio.services.grids.axes import SEARCH_REPLACE, Axis
from studio.ui.components import results
from studio.ui.components.progress import progress, time_left
from studio.ui.components.results import Cell, Drawn, Head, Results
from studio.ui.markup import tag, text
from studio.ui.methods import declarations, short_label

if TYPE_CHECKING:
    from studio.services.grids.grid import Grid, GridCell

SCRIPT = (
    results.script("pick")
    + """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-grid]');
  if (button) trigger('act', {act: button.dataset.act, grid: Number(button.dataset.grid)});
});
"""
)


def address(grid: int) -> str:
    """Where the page finds the composed sheet."""
    return f"/grids/{grid}.png"


def grid_html(grid: Grid, progress_data: Mapping[str, float] | None = None) -> str:
    """The head with what can be done, the progress, and the table.

    progress_data: data of its job's newest progress event, and as "drawn" how many pictures that job has finished.
    """
    _, _, z = grid.shape
    tables = "".join(_table(grid, k) for k in range(z))
    tools = results.tools_html() if grid.missing < len(grid.cells) else ""
    return tag("section", _head(grid) + _progress(grid, progress_data or {}) + tools + tables, class_="grid")


def _head(grid: Grid) -> str:
    along = " × ".join(_name(axis) for axis in grid.axes)
    finished = len(grid.cells) - grid.missing
    title = tag("h3", text(f"Grid {grid.id}: {along}")) + tag(
        "p", f"{finished} of {len(grid.cells)} pictures", role="status"
    )
    tools = ""
    if grid.job_id:
        tools += _button(grid, "stop", "Stop", "Stop and keep what is finished; it can be resumed")
    elif grid.missing:
        tools += _button(grid, "resume", f"Draw the missing {grid.missing}", "Go on where it was stopped")
    if finished:
        tools += tag(
            "a",
            "Download the sheet",
            href=address(grid.id),
            download=f"palimpsest-grid-{grid.id}.png",
            class_="action",
            title="All pictures with their labels, as one PNG",
        )
    return tag("header", tag("div", title) + tag("div", tools, class_="actions"))


def _name(axis: Axis) -> str:
    return "words" if axis.path == SEARCH_REPLACE else axis.name


def value_labels(path: str) -> Mapping[str, str]:
    """name -> what the page calls it, of the values of an axis that chooses a sampler or a guidance method."""
    if path == "sampler":
        return {name: sampler.label for name, sampler in declarations().samplers.items()}
    if path == "guidance.method":
        return {name: short_label(method.label) for name, method in declarations().guidance.items()}
    return {}


def axis_labels(axis: Axis) -> tuple[str, ...]:
    """What stands beside the rows or above the columns of an axis."""
    labels = value_labels(axis.path)
    if not labels:
        return axis.labels()
    return tuple(labels.get(str(value), str(value)) for value in axis.values)


def _progress(grid: Grid, progress_data: Mapping[str, float]) -> str:
    if not grid.job_id:
        return ""
    left = time_left(progress_data.get("left_s"))
    return progress(
        "Drawing in the background",
        progress_data.get("done", 0),
        1,
        left,
        grid.job_id,
        int(progress_data.get("drawn", 0)),
    )


def _table(grid: Grid, k: int) -> str:
    x, y, _ = grid.shape
    labels = [axis_labels(axis) for axis in grid.axes]
    cells = {cell.place: cell for cell in grid.cells}
    rows = tuple(Head(label) for label in labels[1]) if len(labels) > 1 else ()
    table = results.grid_html(
        Results(
            tuple(tuple(_cell(cells[i, j, k], labels, (i, j, k), grid.job_id) for i in range(x)) for j in range(y)),
            rows,
            results.names(labels[0]),
            label="Grid of pictures",
        )
    )
    return tag("figure", tag("figcaption", text(labels[2][k])) + table) if len(labels) > 2 else table


def _cell(cell: GridCell, labels: Sequence[Sequence[str]], place: Sequence[int], job: str | None) -> Cell:
    """A cell of the grid, called by its values along the axes: its recipe is made of them. job: that fills it."""
    name = " · ".join(str(names[at]) for names, at in zip(labels, place, strict=False))
    recipe = cell.recipe
    size = (recipe.width, recipe.height)
    if cell.generation is None or cell.image_path is None:
        return Cell(name=name, size=size, job=job or "", place=-1)
    source = f"/pictures/{cell.generation}.png?v={cell.image_path.stem[:12]}"
    return Cell(Drawn(cell.generation, source, recipe), name, size=size)


def _button(grid: Grid, act: str, label: str, title: str) -> str:
    return tag("button", label, type="button", class_="action", data_grid=str(grid.id), data_act=act, title=title)
