"""Grids of an open studio: kept cell by cell, so that what is made is never made again."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from studio.core.errors import BadInput, WorkspaceError
from studio.core.recipe import Recipe
from studio.services.checks import check_recipes, settled
from studio.services.edits.library import EditLibrary
from studio.services.grids.axes import Axis
from studio.services.grids.grid import Grid, GridCell, GridPlan, plan, recipes_of, shape_of
from studio.services.grids.sheet import sheet_png
from studio.services.jobs import JobService
from studio.services.sources import Sources
from studio.storage.archive import Archive
from studio.storage.images import write_durably
from studio.storage.unreadable import BROKEN, problem
from studio.storage.workspace import workspace_error

VERSION = 1  # of what is stored of a plan


class GridService:
    """The grids of a workspace. Every method may be called from any thread."""

    def __init__(self, archive: Archive, jobs: JobService, sources: Sources, edits: EditLibrary) -> None:
        self._archive = archive
        self._jobs = jobs
        self._sources = sources
        self._edits = edits
        self._resuming = threading.Lock()  # pressed twice, the second is refused: else two jobs make the same cells

    def plan(self, base: Recipe, axes: Sequence[Axis]) -> GridPlan:
        """Make and check the recipe of every cell, as `studio.services.grids.grid.plan`."""
        return plan(self._sources, base, axes, self._edits)

    def start(self, base: Recipe, axes: Sequence[Axis]) -> int:
        """Plan a grid, write it down, and queue the job that makes it, in the background; give its number.

        Raises what `plan` does.
        """
        planned = self.plan(base, axes)
        stored = {
            "version": VERSION,
            "base": base.model_dump(mode="json"),
            "axes": [{"path": axis.path, "values": list(axis.values)} for axis in axes],
        }
        id = self._archive.grids.add(stored, planned.recipes)
        self.resume(id)
        return id

    def resume(self, id: int, retry_of: str | None = None) -> str:
        """Queue a job that makes the cells without a picture, and only those; give the job's id.

        Raises NotFound, and BadInput if nothing is missing, it is being made, or the model is gone.
        """
        with self._resuming:
            grid = self.get(id)
            if grid.job_id is not None:
                raise BadInput(f"Grid {id} is being made.", "Stop its job first, or wait for it.")
            missing = [number for number, cell in enumerate(grid.cells) if cell.generation is None]
            if not missing:
                raise BadInput(f"Every picture of grid {id} is made.")
            recipes = [grid.cells[number].recipe for number in missing]
            files = check_recipes(recipes, self._sources, self._edits)
            along = " by ".join(axis.name for axis in grid.axes)
            payload = {
                "kind": "generate",
                "recipes": [recipe.model_dump(mode="json") for recipe in recipes],
                "what": f"Grid {id}, {along}: {len(missing)} of {len(grid.cells)} pictures",
            }
            # The cells are the job's before it can tell of its first picture.
            return self._jobs.submit(
                payload,
                "background",
                retry_of=retry_of,
                edits=files,
                written=lambda job_id: self._archive.grids.assign(id, job_id, missing),
            )

    def get(self, id: int) -> Grid:
        """Give a grid as it stands. Raises NotFound, WorkspaceError if it cannot be read."""
        stored = self._archive.grids.get(id)
        try:
            axes = tuple(Axis(axis["path"], tuple(axis["values"])) for axis in stored.plan["axes"])
            base = Recipe.load(stored.plan["base"])
            records = self._archive.grids.cells(id)
            # A cell that cannot be read is worked out once more, as it was when the grid was planned.
            planned = recipes_of(base, axes) if any(record.recipe is None for record in records) else ()
            x, y, _ = shape_of(axes)
            cells = tuple(
                GridCell(
                    (record.cell % x, record.cell // x % y, record.cell // x // y),
                    record.recipe or settled(planned[record.cell]),
                    record.generation,
                    self._archive.images.path(record.image) if record.image else None,
                )
                for record in records
            )
        except BROKEN as error:
            message = f"Grid {id} of the workspace cannot be read: {problem(error)}."
            raise WorkspaceError(message, "The others are not affected.") from None
        return Grid(id, base, axes, cells, self._unfinished(stored.jobs), stored.created_at)

    def newest(self, limit: int = 20) -> list[int]:
        """Give the numbers of the newest grids, newest first."""
        return self._archive.grids.newest(limit)

    def write_sheet(self, id: int) -> Path:
        """Write the grid as one PNG, with its axes and the grid itself as metadata; give the file's path.

        Cells without a picture are left blank. Raises NotFound, WorkspaceError.
        """
        path = self._archive.workspace.root / "exports" / f"grid-{id}.png"
        grid = self.get(id)
        try:
            path.parent.mkdir(exist_ok=True)
            write_durably(path, sheet_png(grid))
        except OSError as error:
            raise workspace_error(error, "The grid") from None
        return path

    def _unfinished(self, jobs: Sequence[str]) -> str | None:
        """The first of these that is not over. One that cannot be read is, for no engine has it."""
        for job_id in jobs:
            try:
                if not self._jobs.get(job_id).over:
                    return job_id
            except WorkspaceError:
                continue
        return None
