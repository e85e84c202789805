"""The database: brought up to date, or refused and left exactly as it was."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from studio.core.errors import WorkspaceError
from studio.core.recipe import Recipe
from studio.storage import database as database_module
from studio.storage.archive import Archive
from studio.storage.database import MIGRATIONS, Database, known_revisions
from studio.storage.schema import metadata
from studio.storage.search import HistoryFilter


def test_settings(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "a b%⭐.db")
    with database.read() as connection:
        found = [connection.execute(text(f"PRAGMA {name}")).scalar_one() for name in
                 ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")]  # fmt: skip
    database.close()
    assert found == ["wal", 2, 1, 15000]


def test_migrations_lead_to_todays_schema(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "x.db")
    with database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    database.close()


def test_every_older_shape_comes_up_to_date(tmp_path: Path) -> None:
    for revision in known_revisions():
        path = tmp_path / f"{revision}.db"
        older = Database(path)
        older.migrate(revision)
        older.close()
        database = Database.open(path)
        with database.read() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []
        database.close()


def test_what_the_first_version_kept_is_found_by_what_later_ones_search(tmp_path: Path) -> None:
    older = Database(tmp_path / "studio.db")
    older.migrate("0001")
    recipe = Recipe.load(
        {"prompt": "Une ÉTOILE", "negative_prompt": "Blau", "seed": 2**64 - 1, "guidance": {"method": "apg"}}
    )
    with older.write() as connection:
        connection.execute(
            text("INSERT INTO jobs (id, kind, status, payload, digest, created_at, finished_at) "
                 "VALUES ('j', 'generate', 'done', '{}', 'd', :now, :now)"), {"now": "2026-01-01T00:00:00+00:00"},
        )  # fmt: skip
        connection.execute(
            text("INSERT INTO generations (job, image, recipe, prompt, negative_prompt, made_by, created_at) "
                 "VALUES ('j', 'abcd', :recipe, :prompt, :negative, '{}', '2026-01-01T00:00:00+00:00')"),
            {"recipe": recipe.canonical_json(), "prompt": recipe.prompt, "negative": recipe.negative_prompt},
        )  # fmt: skip
    older.close()
    archive = Archive.open(tmp_path)
    only = HistoryFilter(model="stencil", sampler=recipe.sampler, method="apg", seed=2**64 - 1)
    (row,) = archive.generations.page(10, search="étoile blau", only=only)
    assert row.recipe == recipe and (row.favourite, row.deleted_at, row.seq) == (False, None, None)
    job = archive.jobs.get("j")
    assert (job.priority, job.retry_of, job.last_seq) == ("interactive", None, None)
    archive.close()


def test_file_names_are_revisions_in_order() -> None:
    script = ScriptDirectory(str(MIGRATIONS))
    assert [step.revision for step in reversed(list(script.walk_revisions()))] == known_revisions()
    assert script.get_current_head() == known_revisions()[-1]


def test_opening_again_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    Database.open(path).close()
    before = path.read_bytes()
    Database.open(path).close()
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"this is text, not a database " * 50, b"SQLite format 3\0" + b"\xff" * 5000])
def test_what_is_no_database_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(content)
    with pytest.raises(WorkspaceError, match="corrupt"):
        Database.open(path)
    assert path.read_bytes() == content


def test_a_damaged_page_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    Database.open(path).close()
    damaged = bytearray(path.read_bytes())
    damaged[4096:8192] = b"\xaa" * 4096
    path.write_bytes(damaged)
    with pytest.raises(WorkspaceError, match="corrupt"):
        Database.open(path)
    assert path.read_bytes() == damaged


def test_newer_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    Database.open(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    raw.close()
    before = path.read_bytes()
    with pytest.raises(WorkspaceError, match="newer Palimpsest"):
        Database.open(path)
    assert path.read_bytes() == before


def test_somebody_elses_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with sqlite3.connect(path) as raw:
        raw.execute("CREATE TABLE recipes_of_my_grandmother (id)")
    raw.close()
    with pytest.raises(WorkspaceError):
        Database.open(path)


def test_locked_by_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_module, "BUSY_TIMEOUT_S", 0.1)
    database = Database.open(tmp_path / "x.db")
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(WorkspaceError, match="locked by another program"), database.write():
        pass
    other.execute("ROLLBACK")
    with database.write():
        pass
    other.close()
    database.close()


def test_a_lock_that_passes_is_waited_for(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "x.db")
    other = sqlite3.connect(tmp_path / "x.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.3, lambda: other.execute("ROLLBACK"))
    timer.start()
    with database.write():
        pass
    timer.join()
    other.close()
    database.close()


def test_a_block_that_raises_is_undone(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "x.db")
    with pytest.raises(KeyError), database.write() as connection:
        connection.execute(text("CREATE TABLE t (x)"))
        raise KeyError
    with database.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM sqlite_master WHERE name = 't'")).scalar_one() == 0
    database.close()


def test_mistakes_of_ours_stay_what_they_are(tmp_path: Path) -> None:
    database = Database.open(tmp_path / "x.db")
    row = "INSERT INTO generations (job, image, recipe, prompt, negative_prompt, made_by, created_at) "
    with pytest.raises(IntegrityError), database.write() as connection:
        connection.execute(text(row + "VALUES ('no such job', '', '', '', '', '', '')"))
    database.close()
