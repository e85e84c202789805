"""Grids: one recipe, varied along up to three axes. Kept cell by cell, so that what is made is never made again."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.core.errors import BadInput, WorkspaceError
from studio.core.recipe import Recipe
from studio.services.checks import MAX_IMAGES, check_recipes, settled
from studio.services.edits import EditLibrary
from studio.services.grid_axes import SEARCH_REPLACE, Axis, with_value
from studio.services.grid_sheet import sheet_png
from studio.services.sources import Sources
from studio.storage.images import write_durably
from studio.storage.unreadable import BROKEN, problem
from studio.storage.workspace import workspace_error

if TYPE_CHECKING:
    from studio.services.generate import Studio

MAX_CELLS = MAX_IMAGES  # so that a grid is one job: one entry of the queue, one bar, one Stop
MAX_AXES = 3
VERSION = 1  # of what is stored of a plan
_resuming = threading.Lock()  # pressed twice, the second is refused: else two jobs would make the same cells


@dataclass(frozen=True)
class GridPlan:
    """A grid that could be made. recipes: one per cell; x (the first axis) runs fastest, z slowest."""

    base: Recipe
    axes: tuple[Axis, ...]
    recipes: tuple[Recipe, ...]


@dataclass(frozen=True)
class GridCell:
    """One cell. place: (x, y, z). generation: number of its picture in the history, None while it is not made."""

    place: tuple[int, int, int]
    recipe: Recipe
    generation: int | None
    image_path: Path | None


@dataclass(frozen=True)
class Grid:
    """A grid as it stands. job_id: of the unfinished job that makes what is missing, None if none does."""

    id: int
    base: Recipe
    axes: tuple[Axis, ...]
    cells: tuple[GridCell, ...]
    job_id: str | None
    created_at: datetime

    @property
    def shape(self) -> tuple[int, int, int]:
        """How many cells along x, y and z."""
        return shape_of(self.axes)

    @property
    def missing(self) -> int:
        """How many cells have no picture."""
        return sum(cell.generation is None for cell in self.cells)


def shape_of(axes: Sequence[Axis]) -> tuple[int, int, int]:
    """How many cells along x, y and z; 1 along an axis that is not there."""
    x, y, z = ([len(axis.values) for axis in axes] + [1, 1, 1])[:3]
    return x, y, z


def plan(sources: Sources, base: Recipe, axes: Sequence[Axis], edits: EditLibrary | None = None) -> GridPlan:
    """Make and check the recipe of every cell. Needs no engine and writes nothing.

    Raises BadInput or NotFound, before anything runs, for the first cell that no engine could make, for more than
    256 cells, and for no axis, more than three, or two of the same parameter.
    """
    if not 1 <= len(axes) <= MAX_AXES:
        raise BadInput(f"A grid has 1 to {MAX_AXES} axes, not {len(axes)}.", field="axis")
    if len({axis.path for axis in axes}) < len(axes):
        raise BadInput("The axes of a grid must be of different parameters.", field="axis")
    if not all(axis.values for axis in axes):
        raise BadInput("Every axis of a grid needs a value.", field="axis")
    cells = math.prod(len(axis.values) for axis in axes)
    if cells > MAX_CELLS:
        raise BadInput(f"A grid has at most {MAX_CELLS} pictures, not {cells}.", "Take fewer values.", field="axis")
    recipes = _recipes(base, axes)
    check_recipes(recipes, sources, edits)
    return GridPlan(base, tuple(axes), tuple(map(settled, recipes)))


def start(studio: Studio, base: Recipe, axes: Sequence[Axis]) -> int:
    """Plan a grid, write it down, and queue the job that makes it, in the background; give its number.

    Raises what `plan` does.
    """
    planned = plan(studio.sources, base, axes, studio.edits)
    stored = {
        "version": VERSION,
        "base": base.model_dump(mode="json"),
        "axes": [{"path": axis.path, "values": list(axis.values)} for axis in axes],
    }
    id = studio.archive.grids.add(stored, planned.recipes)
    resume(studio, id)
    return id


def resume(studio: Studio, id: int, retry_of: str | None = None) -> str:
    """Queue a job that makes the cells without a picture, and only those; give the job's id.

    Raises NotFound, and BadInput if nothing is missing, it is being made, or the model is gone.
    """
    with _resuming:
        found = get(studio, id)
        if found.job_id is not None:
            raise BadInput(f"Grid {id} is being made.", "Stop its job first, or wait for it.")
        missing = [number for number, cell in enumerate(found.cells) if cell.generation is None]
        if not missing:
            raise BadInput(f"Every picture of grid {id} is made.")
        recipes = [found.cells[number].recipe for number in missing]
        files = check_recipes(recipes, studio.sources, studio.edits)
        along = " by ".join(axis.path for axis in found.axes)
        payload = {
            "kind": "generate",
            "recipes": [recipe.model_dump(mode="json") for recipe in recipes],
            "what": f"Grid {id}, {along}: {len(missing)} of {len(found.cells)} pictures",
        }
        grids = studio.archive.grids
        # The cells are the job's before it can tell of its first picture.
        return studio.enqueue(
            payload,
            "background",
            retry_of=retry_of,
            edits=files,
            written=lambda job_id: grids.assign(id, job_id, missing),
        )


def get(studio: Studio, id: int) -> Grid:
    """Give a grid as it stands. Raises NotFound, WorkspaceError if it cannot be read."""
    archive = studio.archive
    stored = archive.grids.get(id)
    try:
        axes = tuple(Axis(axis["path"], tuple(axis["values"])) for axis in stored.plan["axes"])
        base = Recipe.load(stored.plan["base"])
        records = archive.grids.cells(id)
        # A cell that cannot be read is worked out once more, as it was when the grid was planned.
        planned = _recipes(base, axes) if any(record.recipe is None for record in records) else ()
        x, y, _ = shape_of(axes)
        cells = tuple(
            GridCell(
                (record.cell % x, record.cell // x % y, record.cell // x // y),
                record.recipe or settled(planned[record.cell]),
                record.generation,
                archive.images.path(record.image) if record.image else None,
            )
            for record in records
        )
    except BROKEN as error:
        message = f"Grid {id} of the workspace cannot be read: {problem(error)}."
        raise WorkspaceError(message, "The others are not affected.") from None
    return Grid(id, base, axes, cells, _unfinished(studio, stored.jobs), stored.created_at)


def _unfinished(studio: Studio, jobs: Sequence[str]) -> str | None:
    """The first of these that is not over. One that cannot be read is, for no engine has it."""
    for job_id in jobs:
        try:
            if not studio.job(job_id).over:
                return job_id
        except WorkspaceError:
            continue
    return None


def newest(studio: Studio, limit: int = 20) -> list[int]:
    """Give the numbers of the newest grids, newest first."""
    return studio.archive.grids.newest(limit)


def write_sheet(studio: Studio, id: int) -> Path:
    """Write the grid as one PNG, with its axes and the grid itself as metadata; give the file's path.

    Cells without a picture are left blank. Raises NotFound, WorkspaceError.
    """
    path = studio.archive.workspace.root / "exports" / f"grid-{id}.png"
    grid = get(studio, id)
    try:
        path.parent.mkdir(exist_ok=True)
        write_durably(path, sheet_png(grid))
    except OSError as error:
        raise workspace_error(error, "The grid") from None
    return path


def _recipes(base: Recipe, axes: Sequence[Axis]) -> tuple[Recipe, ...]:
    """One per cell, in their order."""
    return tuple(_recipe(base, axes, tuple(reversed(chosen))) for chosen in _choices(axes))


def _choices(axes: Sequence[Axis]) -> Any:
    """Each cell's values, slowest axis first."""
    return product(*(axis.values for axis in reversed(axes)))


def _recipe(base: Recipe, axes: Sequence[Axis], chosen: Sequence[Any]) -> Recipe:
    values = base.model_dump(mode="json")
    # A prompt put in by one axis is what the other one searches.
    for axis, value in sorted(zip(axes, chosen, strict=True), key=lambda pair: pair[0].path == SEARCH_REPLACE):
        with_value(values, axis, value)
    return Recipe.load(values)
