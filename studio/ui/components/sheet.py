"""A grid as a table of pictures, filling while it is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from studio.services.grids.axes import SEARCH_REPLACE, Axis
from studio.ui.components.caption import prompt_of
from studio.ui.components.progress import progress, time_left
from studio.ui.markup import image, tag, text

if TYPE_CHECKING:
    from studio.services.grids.grid import Grid, GridCell

CLICK = """
element.addEventListener('click', (event) => {
  const cell = event.target.closest('[data-pick]');
  if (cell) trigger('pick', {id: Number(cell.dataset.pick)});
  const button = event.target.closest('[data-grid]');
  if (button) trigger('act', {act: button.dataset.act, grid: Number(button.dataset.grid)});
});
"""


def address(grid: int) -> str:
    """Where the page finds the composed sheet."""
    return f"/grids/{grid}.png"


def grid_html(grid: Grid, now: Mapping[str, float] | None = None) -> str:
    """The head with what can be done, the progress, and the table. now: data of its job's newest progress event, and as
    "drawn" how many pictures that job has finished.
    """
    _, _, z = grid.shape
    tables = "".join(_table(grid, k) for k in range(z))
    return tag("section", _head(grid) + _progress(grid, now or {}) + tables, class_="grid")


def _head(grid: Grid) -> str:
    along = " × ".join(_name(axis) for axis in grid.axes)
    done = len(grid.cells) - grid.missing
    title = tag("h3", text(f"Grid {grid.id}: {along}")) + tag(
        "p", f"{done} of {len(grid.cells)} pictures", role="status"
    )
    tools = ""
    if grid.job_id:
        tools += _button(grid, "stop", "Stop", "Stop and keep what is finished; it can be resumed")
    elif grid.missing:
        tools += _button(grid, "resume", f"Draw the missing {grid.missing}", "Go on where it was stopped")
    if done:
        tools += tag("a", "Download the sheet", href=address(grid.id), download=f"palimpsest-grid-{grid.id}.png",
                     class_="action", title="All pictures with their labels, as one PNG")  # fmt: skip
    return tag("header", tag("div", title) + tag("div", tools, class_="actions"))


def _name(axis: Axis) -> str:
    return "words" if axis.path == SEARCH_REPLACE else axis.path.removeprefix("guidance.params.").replace("_", " ")


def _progress(grid: Grid, now: Mapping[str, float]) -> str:
    if not grid.job_id:
        return ""
    left = time_left(now.get("left_s"))
    return progress("Drawing in the background", now.get("done", 0), 1, left, grid.job_id, int(now.get("drawn", 0)))


def _table(grid: Grid, k: int) -> str:
    x, y, _ = grid.shape
    labels = [axis.labels() for axis in grid.axes]
    cells = {cell.place: cell for cell in grid.cells}
    corner = tag("td", "") if len(labels) > 1 else ""
    head = tag("tr", corner + "".join(tag("th", text(labels[0][i]), scope="col") for i in range(x)))
    rows = "".join(
        tag(
            "tr",
            (tag("th", text(labels[1][j]), scope="row") if len(labels) > 1 else "")
            + "".join(tag("td", _cell(cells[i, j, k])) for i in range(x)),
        )
        for j in range(y)
    )
    title = tag("caption", text(labels[2][k])) if len(labels) > 2 else ""
    table = tag("table", title + tag("thead", head) + tag("tbody", rows))
    return tag("div", table, class_="table", tabindex="0", role="group", aria_label="Grid of pictures")


def _cell(cell: GridCell) -> str:
    if cell.generation is None or cell.image_path is None:
        return tag("div", "", class_="frame blank ruled", role="img", aria_label="Not drawn yet")
    recipe = cell.recipe
    source = f"/pictures/{cell.generation}.png?v={cell.image_path.stem[:12]}"
    shown = image(source, prompt_of(recipe), width=recipe.width, height=recipe.height, loading="lazy")
    return tag("button", shown, type="button", class_="frame done", data_pick=str(cell.generation), title="Show alone")


def _button(grid: Grid, act: str, label: str, title: str) -> str:
    return tag("button", label, type="button", class_="action", data_grid=str(grid.id), data_act=act, title=title)
