"""A grid: its recipes cell by cell, made and checked before anything is drawn, and how it stands."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product
from pathlib import Path
from typing import Any

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.services.checks import MAX_IMAGES, check_recipes, settled
from studio.services.edits.library import EditLibrary
from studio.services.grids.axes import SEARCH_REPLACE, Axis, with_value
from studio.services.sources import Sources

MAX_CELLS = MAX_IMAGES  # so that a grid is one job: one entry of the queue, one bar, one Stop
MAX_AXES = 3


@dataclass(frozen=True)
class GridPlan:
    """A grid that could be made.

    recipes: one per cell; x (the first axis) runs fastest, z slowest.
    """

    base: Recipe
    axes: tuple[Axis, ...]
    recipes: tuple[Recipe, ...]


@dataclass(frozen=True)
class GridCell:
    """One cell.

    place: (x, y, z).
    generation: number of its picture in the history, None while it is not made.
    """

    place: tuple[int, int, int]
    recipe: Recipe
    generation: int | None
    image_path: Path | None


@dataclass(frozen=True)
class Grid:
    """A grid as it stands.

    job_id: of the unfinished job that makes what is missing, None if none does.
    """

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
    recipes = recipes_of(base, axes)
    check_recipes(recipes, sources, edits)
    return GridPlan(base, tuple(axes), tuple(map(settled, recipes)))


def recipes_of(base: Recipe, axes: Sequence[Axis]) -> tuple[Recipe, ...]:
    """One per cell, in their order; not checked."""
    return tuple(_recipe(base, axes, tuple(reversed(chosen))) for chosen in _choices(axes))


def _choices(axes: Sequence[Axis]) -> Iterator[tuple[Any, ...]]:
    """Each cell's values, slowest axis first."""
    return product(*(axis.values for axis in reversed(axes)))


def _recipe(base: Recipe, axes: Sequence[Axis], chosen: Sequence[Any]) -> Recipe:
    values = base.model_dump(mode="json")
    # A prompt put in by one axis is what the other one searches.
    for axis, value in sorted(zip(axes, chosen, strict=True), key=lambda pair: pair[0].path == SEARCH_REPLACE):
        with_value(values, axis, value)
    return Recipe.load(values)
