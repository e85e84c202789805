"""The tables of grids: a cell is made when its job has a picture at its place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from studio.core.errors import NotFound
from studio.core.recipe import Recipe
from studio.storage.archive import Archive
from tests.quick_workspaces import quick_workspaces as quick_workspaces


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive.open(tmp_path)
    yield made
    made.close()


def make(archive: Archive, job: str, place: int) -> int:
    recipe = Recipe(seed=place)
    return archive.keep_picture(b"%d" % place, job=job, recipe=recipe, made_by={}, place=place, seq=place + 2).id


def test_cells_follow_the_pictures_of_their_jobs(archive: Archive) -> None:
    recipes = [Recipe(seed=seed) for seed in range(3)]
    grid = archive.grids.add({"axes": []}, recipes)
    assert [(cell.recipe, cell.generation) for cell in archive.grids.cells(grid)] == [(r, None) for r in recipes]
    first = archive.jobs.add("generate", {})
    archive.grids.assign(grid, first.id, [0, 1, 2])
    made = make(archive, first.id, 1)
    assert [cell.generation for cell in archive.grids.cells(grid)] == [None, made, None]
    second = archive.jobs.add("generate", {"again": True})
    archive.grids.assign(grid, second.id, [2, 0])
    again = make(archive, second.id, 0)
    cells = archive.grids.cells(grid)
    assert [cell.generation for cell in cells] == [None, made, again]
    assert cells[2].image is not None and archive.images.path(cells[2].image).exists()
    assert sorted(archive.grids.get(grid).jobs) == sorted([first.id, second.id])
    assert archive.grids.of_job(second.id) == grid and archive.grids.of_job("other") is None


def test_a_cell_whose_picture_is_discarded_or_purged_is_missing_again(archive: Archive) -> None:
    grid = archive.grids.add({}, [Recipe(), Recipe()])
    job = archive.jobs.add("generate", {})
    archive.grids.assign(grid, job.id, [0, 1])
    made = make(archive, job.id, 0)
    archive.generations.set_deleted([made], True)
    assert archive.grids.cells(grid)[0].generation == made  # in the bin it is still there
    archive.purge()
    assert archive.grids.cells(grid)[0].generation is None
    make(archive, job.id, 1)
    archive.generations.discard_job(job.id)
    assert archive.grids.cells(grid)[1].generation is None
    assert archive.grids.of_job(job.id) == grid  # doing it again makes what is missing of the grid


def test_newest_first_and_unknown(archive: Archive) -> None:
    first, second = (archive.grids.add({"n": n}, [Recipe()]) for n in range(2))
    assert archive.grids.newest(10) == [second, first] and archive.grids.newest(1) == [second]
    assert archive.grids.get(first).plan == {"n": 0}
    with pytest.raises(NotFound, match="no grid number 99"):
        archive.grids.get(99)
