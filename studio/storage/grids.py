"""Grids: recipes along axes, and which of their pictures are made."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row, and_, insert, select, update

from studio.core.errors import NotFound
from studio.core.recipe import Recipe
from studio.storage.database import Database
from studio.storage.schema import generations, grid_cells, grids
from studio.storage.unreadable import BROKEN, Reader, text


@dataclass(frozen=True)
class CellRecord:
    """One cell.

    generation: id of its picture, None while it is not made.
    image: sha256 of the picture's file.
    recipe: None where it cannot be read.
    """

    cell: int
    recipe: Recipe | None
    generation: int | None
    image: str | None


@dataclass(frozen=True)
class GridRecord:
    """One grid.

    plan: what it was made from, plain values.
    jobs: ids of the jobs that were last to make its cells.
    """

    id: int
    plan: dict[str, Any]
    created_at: datetime
    jobs: tuple[str, ...]


class Grids:
    """The tables of grids and their cells."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, plan: Mapping[str, Any], recipes: Sequence[Recipe]) -> int:
        """Write a grid down with a cell per recipe; give its id. It is on disk when this returns."""
        row = {"plan": json.dumps(plan, sort_keys=True), "created_at": datetime.now(UTC).isoformat()}
        with self._database.write() as connection:
            key = connection.execute(insert(grids).values(row)).inserted_primary_key
            id = int(key[0]) if key else 0
            cells = [
                {"grid": id, "cell": cell, "recipe": recipe.canonical_json()} for cell, recipe in enumerate(recipes)
            ]
            connection.execute(insert(grid_cells), cells)
        return id

    def assign(self, grid: int, job: str, cells: Sequence[int]) -> None:
        """Say that a job makes these cells, in this order."""
        with self._database.write() as connection:
            for place, cell in enumerate(cells):
                query = update(grid_cells).where(grid_cells.c.grid == grid, grid_cells.c.cell == cell)
                connection.execute(query.values(job=job, place=place))

    def get(self, id: int) -> GridRecord:
        """Give one grid. Raises NotFound, WorkspaceError if it cannot be read."""
        with self._database.read() as connection:
            row = connection.execute(select(grids).where(grids.c.id == id)).one_or_none()
            query = select(grid_cells.c.job).where(grid_cells.c.grid == id, grid_cells.c.job.is_not(None)).distinct()
            jobs = tuple(connection.execute(query).scalars())
        if row is None:
            raise NotFound(f"There is no grid number {id}.")
        return Reader("Grid", "workspace", "id", lambda row: _grid(row, jobs)).one(row)

    def newest(self, limit: int) -> list[int]:
        """Give the ids of up to `limit` grids, newest first."""
        with self._database.read() as connection:
            return list(connection.execute(select(grids.c.id).order_by(grids.c.id.desc()).limit(limit)).scalars())

    def of_job(self, job: str) -> int | None:
        """The grid whose cells a job was last to make, if any."""
        with self._database.read() as connection:
            query = select(grid_cells.c.grid).where(grid_cells.c.job == job).limit(1)
            return connection.execute(query).scalar_one_or_none()

    def cells(self, id: int) -> list[CellRecord]:
        """Give the cells of a grid in order. A cell is made when its job has a picture at its place."""
        picture = and_(generations.c.job == grid_cells.c.job, generations.c.place == grid_cells.c.place)
        query = (
            select(grid_cells.c.cell, grid_cells.c.recipe, generations.c.id, generations.c.image)
            .select_from(grid_cells.outerjoin(generations, picture))
            .where(grid_cells.c.grid == id)
            .order_by(grid_cells.c.cell)
        )
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [CellRecord(cell, _recipe(recipe), generation, image) for cell, recipe, generation, image in rows]


def _grid(row: Row[Any], jobs: tuple[str, ...]) -> GridRecord:
    plan = json.loads(text(row.plan, "plan"))
    if not isinstance(plan, dict):
        raise ValueError("its plan is not a JSON object")
    return GridRecord(row.id, plan, datetime.fromisoformat(text(row.created_at, "time")), jobs)


def _recipe(stored: Any) -> Recipe | None:
    try:
        return Recipe.from_json(text(stored, "recipe"))
    except BROKEN:
        return None
