"""Machines as they are: clocks that jump, folders with odd names, and a journal that was cut off by a power failure."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from studio.core.errors import WorkspaceError
from studio.core.recipe import Recipe
from studio.storage import generations, jobs
from studio.storage.archive import Archive
from studio.storage.search import HistoryFilter
from studio.storage.workspace import DATABASE_NAME

LONGEST = 255  # bytes of a name on the usual file systems


class Backwards(datetime):
    """A clock on which each look is an hour before the one before."""

    at = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)  # the night on which Europe's clocks show an hour twice

    @classmethod
    def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
        cls.at -= timedelta(hours=1)
        return cls.at


def keep(archive: Archive, job: str, seed: int) -> int:
    recipe = Recipe(prompt=f"star {seed}", seed=seed)
    return archive.keep_picture(b"%d" % seed, job=job, recipe=recipe, made_by={}, place=seed, seq=seed + 2).id


def test_with_a_clock_that_runs_backwards_numbers_rise_and_the_newest_is_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (jobs, generations):
        monkeypatch.setattr(module, "datetime", Backwards)
    with closing(Archive.open(tmp_path)) as archive:
        ledger = [archive.jobs.add("generate", {"n": number}) for number in range(3)]
        pictures = [keep(archive, ledger[0].id, seed) for seed in range(4)]
        archive.jobs.start(ledger[0].id)
        archive.jobs.finish(ledger[0].id, "done")
        assert [job.number for job in ledger] == [1, 2, 3] and pictures == sorted(set(pictures))
        assert [row.id for row in archive.generations.page(10)] == pictures[::-1]
        assert [row.id for row in archive.generations.of_job(ledger[0].id)] == pictures
        assert [job.number for job in archive.jobs.page(10)] == [3, 2, 1]
        done = archive.jobs.get(ledger[0].id)
        assert done.status == "done" and done.finished_at is not None and done.finished_at < done.created_at
        made_at = [archive.generations.get(id).created_at for id in pictures]
        only = HistoryFilter(made_from=made_at[2], made_until=made_at[1] + timedelta(seconds=1))
        assert {row.id for row in archive.generations.page(10, only=only)} == {pictures[1], pictures[2]}


@pytest.mark.parametrize(
    "name",
    [
        "with spaces  and % # ? & ' \" characters",
        "⭐ 🧑‍🚀 é e\u0301 \u202etxt.exe",
        "a" * LONGEST,
        "⭐" * (LONGEST // 3),
        "ends with a dot.",
        "CON",
    ],
    ids=["spaces", "emoji", "255 letters", "255 bytes of stars", "dot", "device"],
)
def test_a_workspace_may_be_called_anything_that_the_system_takes(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    for opened in range(2):  # made, and found again
        with closing(Archive.open(root)) as archive:
            job = archive.jobs.add("generate", {})
            number = keep(archive, job.id, opened)
            stored = archive.edits.put(name, f"{opened}" * 64, b"edit")
            assert archive.edits.get(stored.id).path.read_bytes() == b"edit"
            assert archive.images.path(archive.generations.get(number).image).read_bytes() == b"%d" % opened
            assert archive.generations.count() == opened + 1
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_path_that_sqlite_does_not_open_is_told_as_too_long(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="path of the database has [0-9]+ bytes, and SQLite opens one of at most"):
        Archive.open(tmp_path / ("a" * LONGEST) / ("b" * LONGEST))


def test_of_a_journal_that_a_power_failure_tore_what_is_whole_counts(tmp_path: Path) -> None:
    """As the files would lie on the disk: the database as it was, its journal up to somewhere, or nonsense after it."""
    root = tmp_path / "whole"
    with closing(Archive.open(root)) as archive:
        known = archive.jobs.add("generate", {"n": 0}).number
    with closing(Archive.open(root)) as archive:
        count = [archive.jobs.add("generate", {"n": number + 1}) for number in range(20)][-1].number
        data, journal = ((root / f"{DATABASE_NAME}{ending}").read_bytes() for ending in ("", "-wal"))
    assert len(journal) > 20_000
    read: list[int] = []
    for cut, rest in ((0, b""), (int(len(journal) * 0.7), b""), (int(len(journal) * 0.7), b"\xa5" * 10_000)):
        torn = tmp_path / f"{len(read)}"
        torn.mkdir()
        (torn / DATABASE_NAME).write_bytes(data)
        (torn / f"{DATABASE_NAME}-wal").write_bytes(journal[:cut] + rest)
        with closing(Archive.open(torn)) as archive:
            numbers = sorted(job.number for job in archive.jobs.page(100))
            assert numbers == list(range(1, len(numbers) + 1)) and known <= len(numbers) < count
            assert archive.jobs.add("generate", {}).number == len(numbers) + 1
        with closing(sqlite3.connect(torn / DATABASE_NAME)) as raw:
            assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        read.append(len(numbers))
    assert read[0] == known < read[1] == read[2]
