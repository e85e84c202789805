"""A row that cannot be read costs itself, and is named; all around it is shown."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from studio.core.errors import NotFound, WorkspaceError
from studio.core.recipe import Recipe
from studio.storage.archive import Archive
from studio.storage.search import HistoryFilter
from studio.storage.unreadable import problem
from tests.quick_workspaces import quick_workspaces as quick_workspaces

FUTURE = json.dumps({"version": 2, "prompt": "a"})
# What is put into a column, as SQL. A NULL where there may be none comes of a repaired database.
PICTURES = {
    "bad JSON": ("recipe", "'{'"),
    "a recipe of the future": ("recipe", f"'{FUTURE}'"),
    "a field of the future": ("recipe", "'{\"aura\": 3}'"),
    "no object": ("recipe", "'[]'"),
    "deep": ("recipe", "'" + "[" * 5000 + "'"),
    "a number": ("recipe", "17"),
    "bytes": ("recipe", "x'00ff'"),
    "broken UTF-8": ("recipe", "cast(x'7b22ff227d' as text)"),
    "NULL": ("recipe", "NULL"),
    "origin: bad JSON": ("made_by", "'{'"),
    "origin: no object": ("made_by", "'3'"),
    "origin: half a letter": ("made_by", '\'{"a": "\\ud800"}\''),
    "time: none": ("created_at", "'yesterday'"),
    "time: a number": ("created_at", "17"),
    "time: NULL": ("created_at", "NULL"),
    "deleted: none": ("deleted_at", "'so'"),
    "image: a path": ("image", "'../../etc/passwd'"),
    "image: NULL": ("image", "NULL"),
    "image: broken UTF-8": ("image", "cast(x'ff' as text)"),
    "place: text": ("place", "'first'"),
    "event: text": ("seq", "'first'"),
}
JOBS = {
    "an unknown status": ("status", "'dreaming'"),
    "an unknown class": ("priority", "'whenever'"),
    "kind: NULL": ("kind", "NULL"),
    "time: none": ("created_at", "'yesterday'"),
    "time: NULL": ("created_at", "NULL"),
    "end: none": ("finished_at", "'so'"),
    "error: broken UTF-8": ("error", "cast(x'ff' as text)"),
    "error: bytes": ("error", "x'00'"),
    "what: broken UTF-8": ("what", "cast(x'61ff' as text)"),
    "last event: text": ("last_seq", "'last'"),
}
PAYLOADS = ["'{'", "'[]'", "17", "NULL", "x'ff'", "cast(x'ff' as text)", "'{\"packed\": 9}'", "'{\"packed\": 1}'"]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    opened = Archive.open(tmp_path)
    yield opened
    opened.close()


def make(archive: Archive, count: int) -> None:
    """Rows 1 to `count` of both tables, each picture of the job with its number."""
    recipe = Recipe(prompt="star")
    for number in range(1, count + 1):
        job = archive.jobs.add("generate", {"kind": "generate", "recipes": [{"prompt": f"star {number}"}]})
        archive.generations.add(job=job.id, image="ab" * 32, recipe=recipe, made_by={}, place=0, seq=2)


def damage(archive: Archive, table: str, damages: dict[str, tuple[str, str]]) -> None:
    """Write into rows what the tables' own rules would refuse. damages: condition of the row -> column and value."""
    with closing(sqlite3.connect(archive.workspace.database)) as connection, connection:
        # NOT NULL cannot be switched off, but the table's description can be rewritten.
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, 'NOT NULL', '') WHERE name = ?", (table,))
        version = connection.execute("PRAGMA schema_version").fetchone()[0]
        connection.execute(f"PRAGMA schema_version = {version + 1}")
    with closing(sqlite3.connect(archive.workspace.database)) as connection, connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        for condition, (column, value) in damages.items():
            connection.execute(f"UPDATE {table} SET {column} = {value} WHERE {condition}")
    archive._database.close()  # connections made before go by the old description


def test_pictures_that_cannot_be_read(archive: Archive) -> None:
    """Each case has the row of an even number, with a whole one before and behind it."""
    cases = dict(zip(range(2, 99, 2), PICTURES, strict=False))
    whole = [number for number in range(2 * len(PICTURES) + 1, 0, -1) if number not in cases]
    make(archive, whole[0])
    damage(archive, "generations", {f"id = {number}": PICTURES[case] for number, case in cases.items()})
    generations = archive.generations
    pages, named = generations.readable_page(100)
    assert [row.id for row in pages] == whole and all(row.problem for row in named)
    # The one whose time of deletion is none counts among the deleted.
    binned = next(number for number, case in cases.items() if case == "deleted: none")
    assert [cases[row.number] for row in named] == [
        case for number, case in reversed(cases.items()) if number != binned
    ]
    assert [row.number for row in generations.readable_page(9, only=HistoryFilter(deleted=True))[1]] == [binned]
    # A page is full as long as there are more, so that the last one is known by being short.
    assert [row.id for row in generations.page(3, before_id=whole[4])] == whole[5:8]
    assert [row.id for row in generations.page(2, offset=1)] == whole[1:3]
    for number, case in cases.items():
        with pytest.raises(WorkspaceError, match=rf"^Picture {number} of the history cannot be read: .+\. The others"):
            generations.get(number)
        job = archive.jobs.find(str(number)).id
        assert (generations.of_job(job), generations.numbers_of_job(job)) == ([], [number]), case
    assert generations.get(1).recipe.prompt == "star"
    generations.set_deleted(list(cases), True)
    assert generations.empty_bin() == len(cases)
    with pytest.raises(NotFound):
        generations.get(2)


def test_a_history_that_is_all_unreadable_ends(archive: Archive) -> None:
    make(archive, 5)
    damage(archive, "generations", {"id > 0": ("recipe", "'{'")})
    pages, named = archive.generations.readable_page(1)
    assert pages == [] and [row.number for row in named] == [5, 4, 3, 2, 1]


def test_jobs_that_cannot_be_read(archive: Archive) -> None:
    cases = dict(zip(range(1, 99, 2), JOBS, strict=False))
    whole = range(2, 2 * len(JOBS) + 1, 2)
    make(archive, whole[-1])
    damage(archive, "jobs", {f"number = {number}": JOBS[case] for number, case in cases.items()})
    pages, named = archive.jobs.readable_page(100)
    assert [job.number for job in pages] == list(reversed(whole)) and all(row.problem for row in named)
    assert [cases[row.number] for row in named] == list(reversed(cases.values()))
    assert [job.number for job in archive.jobs.unfinished()] == list(whole)
    for number in (2, 8):  # the second stands behind one whose time cannot be read
        oldest = archive.jobs.oldest_unfinished("generate", "interactive")
        assert oldest is not None and oldest.number == number
        for before in range(number, 8, 2):
            archive.jobs.finish(archive.jobs.find(str(before)).id, "done")
    for number in cases:
        with pytest.raises(WorkspaceError, match=rf"^Job {number} of the ledger cannot be read: .+\. The others"):
            archive.jobs.find(str(number))


def test_a_payload_that_cannot_be_read_costs_doing_it_again_and_nothing_else(archive: Archive) -> None:
    make(archive, len(PAYLOADS))
    damage(archive, "jobs", {f"number = {number}": ("payload", value) for number, value in enumerate(PAYLOADS, 1)})
    assert len(archive.jobs.page(100)) == len(PAYLOADS)
    for number in range(1, len(PAYLOADS) + 1):
        job = archive.jobs.find(str(number))
        assert job.description == f"1 picture: star {number}"
        with pytest.raises(WorkspaceError, match="asked for cannot be read"):
            _ = job.payload


def test_cells_and_plans_of_grids_that_cannot_be_read(archive: Archive) -> None:
    grids, broken = archive.grids, ["'{'", "NULL", "3", "cast(x'ff' as text)"]
    first = grids.add({"axes": []}, [Recipe(seed=seed) for seed in range(len(broken) + 2)])
    others = [grids.add({"axes": []}, [Recipe()]) for _ in broken]
    values = [*broken, f"'{FUTURE}'"]
    damage(
        archive,
        "grid_cells",
        {f"grid = {first} AND cell = {cell}": ("recipe", value) for cell, value in enumerate(values)},
    )
    damage(archive, "grids", {f"id = {id}": ("plan", value) for id, value in zip(others, broken, strict=True)})
    assert [cell.recipe and cell.recipe.seed for cell in grids.cells(first)] == [None] * 5 + [5]
    for id in others:
        with pytest.raises(WorkspaceError, match=f"^Grid {id} of the workspace cannot be read"):
            grids.get(id)
    assert grids.get(first).plan == {"axes": []}


def test_a_problem_is_one_printable_clause() -> None:
    clause = problem(ValueError("bad\n" + "\ud800" + "x" * 999 + "."))
    assert clause.isprintable() and len(clause) <= 200
    assert problem(ValueError()) == "ValueError"
