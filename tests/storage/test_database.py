"""The database: brought up to date, or refused and left exactly as it was."""

from __future__ import annotations

import errno
import json
import sqlite3
import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateIndex, CreateTable

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
        found = [
            connection.execute(text(f"PRAGMA {name}")).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
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


def test_another_database_takes_the_schema_as_well() -> None:
    """Compiled for PostgreSQL, where there is no server to try it on."""
    statements = [str(CreateTable(table).compile(dialect=postgresql.dialect())) for table in metadata.sorted_tables]
    statements += [
        str(CreateIndex(index).compile(dialect=postgresql.dialect()))
        for table in metadata.sorted_tables
        for index in table.indexes
    ]
    assert len(statements) > len(metadata.tables) >= 15
    (labels,) = (statement for statement in statements if "CREATE TABLE labels" in statement)
    assert "number SERIAL NOT NULL" in labels and "UNIQUE (id)" in labels and "REFERENCES labels (id)" in labels


def test_what_the_first_version_kept_is_found_by_what_later_ones_search(tmp_path: Path) -> None:
    older = Database(tmp_path / "studio.db")
    older.migrate("0001")
    recipe = Recipe.load(
        {"prompt": "Une ÉTOILE", "negative_prompt": "Blau", "seed": 2**64 - 1, "guidance": {"method": "apg"}}
    )
    with older.write() as connection:
        connection.execute(
            text(
                "INSERT INTO jobs (id, kind, status, payload, digest, created_at, finished_at) "
                "VALUES ('j', 'generate', 'done', '{}', 'd', :now, :now)"
            ),
            {"now": "2026-01-01T00:00:00+00:00"},
        )
        connection.execute(
            text(
                "INSERT INTO generations (job, image, recipe, prompt, negative_prompt, made_by, created_at) "
                "VALUES ('j', 'abcd', :recipe, :prompt, :negative, '{}', '2026-01-01T00:00:00+00:00')"
            ),
            {"recipe": recipe.canonical_json(), "prompt": recipe.prompt, "negative": recipe.negative_prompt},
        )
    older.close()
    archive = Archive.open(tmp_path)
    only = HistoryFilter(model="stencil", sampler=recipe.sampler, method="apg", seed=2**64 - 1)
    (row,) = archive.generations.page(10, search="étoile blau", only=only)
    assert row.recipe == recipe and (row.favourite, row.deleted_at, row.seq) == (False, None, None)
    assert row.origin == "prompt"
    job = archive.jobs.get("j")
    assert (job.priority, job.retry_of, job.last_seq, job.dismissed) == ("interactive", None, None, False)
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


def test_payloads_of_the_second_version_are_packed_and_one_that_cannot_be_read_costs_itself(tmp_path: Path) -> None:
    older = Database(tmp_path / "studio.db")
    older.migrate("0002")
    recipes = [Recipe(prompt="a star", seed=seed).model_dump(mode="json") for seed in range(2)]
    payloads = [json.dumps({"kind": "generate", "recipes": recipes}), "{", json.dumps({"kind": "train"})]
    with older.write() as connection:
        for number, payload in enumerate(payloads):
            connection.execute(
                text(
                    "INSERT INTO jobs (id, kind, status, payload, digest, worker_died, created_at) "
                    "VALUES (:id, 'generate', 'failed', :payload, :digest, :died, '2026-01-01T00:00:00+00:00')"
                ),
                {"id": f"j{number}", "payload": payload, "digest": f"old {number}", "died": number == 0},
            )
    older.close()
    archive = Archive.open(tmp_path)
    first, broken, train = (archive.jobs.get(f"j{number}") for number in range(3))
    assert first.payload["recipes"] == recipes and train.payload == {"kind": "train"}
    assert [job.description for job in (first, broken, train)] == ["2 pictures: a star", "generate", "train"]
    with pytest.raises(WorkspaceError, match="cannot be read"):
        _ = broken.payload
    again = archive.jobs.add("generate", first.payload, retry_of=first.id)
    assert archive.jobs.worker_deaths() == {again.digest: 1}  # the quarantine still knows the work
    archive.close()


def test_of_the_fourth_version_every_job_is_there_and_none_that_ended_early_was_cleared(tmp_path: Path) -> None:
    older = Database(tmp_path / "studio.db")
    older.migrate("0004")
    rows = [
        {
            "id": f"j{number}",
            "status": status,
            "number": number + 7,
            "error": f"Why {number}.",
            "what": f"work {number}",
        }
        for number, status in enumerate(("done", "failed", "cancelled", "interrupted"))
    ]
    with older.write() as connection:
        connection.execute(
            text(
                "INSERT INTO jobs (number, id, kind, status, payload, digest, error, created_at, what) "
                "VALUES (:number, :id, 'generate', :status, '{}', 'd', :error, '2026-01-01T00:00:00+00:00', :what)"
            ),
            rows,
        )
    older.close()
    archive = Archive.open(tmp_path)
    jobs = archive.jobs.page(10)
    columns = [
        {"number": job.number, "id": job.id, "status": job.status, "error": job.error, "what": job.description}
        for job in reversed(jobs)
    ]
    assert columns == rows and not any(job.dismissed for job in jobs)
    assert archive.jobs.add("generate", {}).number == 11  # as if there had been no other version
    archive.close()


def test_tallies_of_labels_that_were_there_before_them(tmp_path: Path) -> None:
    older = Database(tmp_path / "studio.db")
    older.migrate("0007")
    at = "2026-01-01T00:00:00+00:00"
    statements = [
        "INSERT INTO campaigns (name, plan, mode, questions, purpose, guideline, target_per_item, overlap_share, "
        "repeat_share, check_share, created_at) "
        f"VALUES ('c', '{{}}', 'pair', '[\"look\"]', 'train', '', 2, 0, 0, 0, '{at}')",
        f"INSERT INTO annotators (alias, created_at) VALUES ('ada', '{at}'), ('bob', '{at}')",
        "INSERT INTO prompts (text) VALUES ('a star')",
        "INSERT INTO items (campaign, prompt, kind, purpose, status, answers, created_at) VALUES "
        + ", ".join(
            f"(1, 1, 'pair', 'train', '{status}', {answers}, '{at}')"
            for status, answers in (("done", 2), ("queued", 3), ("queued", 1), ("aside", 2), ("retired", 2))
        ),
        "INSERT INTO labels (id, digest, campaign, item, annotator, question, answer, shown_order, created_at) VALUES "
        + ", ".join(f"('{item}', '', 1, {item}, 1, 'look', '{{}}', '[]', '{at}')" for item in (1, 2)),
        f"INSERT INTO standing_labels SELECT item, annotator, question, campaign, number, '{at}' FROM labels",
    ]
    with older.write() as connection:
        for statement in statements:
            connection.execute(text(statement.replace(":", "\\:")))
    older.close()
    archive = Archive.open(tmp_path)
    counts = archive.labels.counts(1)
    archive.close()
    assert (counts.items, counts.answered, counts.by_annotator) == (3, 2, {"ada": 2})


def test_a_recipe_of_the_first_version_that_cannot_be_read_costs_itself(tmp_path: Path) -> None:
    older = Database(tmp_path / "studio.db")
    older.migrate("0001")
    with older.write() as connection:
        for recipe in ("{", Recipe(prompt="a star").canonical_json(), "[]"):
            connection.execute(
                text(
                    "INSERT INTO generations (image, recipe, prompt, negative_prompt, made_by, created_at) "
                    "VALUES ('abcd', :recipe, 'a star', '', '{}', '2026-01-01T00:00:00+00:00')"
                ),
                {"recipe": recipe},
            )
    older.close()
    archive = Archive.open(tmp_path)
    pages, named = archive.generations.readable_page(10)
    assert [row.id for row in pages] == [2] and [row.number for row in named] == [3, 1]
    assert [row.id for row in archive.generations.page(10, search="star")] == [2]
    archive.close()


@pytest.mark.parametrize(
    ("words", "kind", "sentence"),
    [
        ("database is locked", database_module.DatabaseLocked, "locked by another program"),
        ("locking protocol", database_module.DatabaseLocked, "locked by another program"),
        ("disk I/O error", WorkspaceError, "cannot be read or written: disk I/O error"),
        ("database or disk is full", WorkspaceError, "the disk is full"),
        ("unable to open database file", WorkspaceError, "cannot be written"),
    ],
)
def test_what_the_driver_says_as_a_sentence(tmp_path: Path, words: str, kind: type, sentence: str) -> None:
    (tmp_path / "studio.db").touch()
    error = database_module._sentence(tmp_path / "studio.db", words)
    assert type(error) is kind and sentence in str(error)


def test_a_failed_write_for_want_of_room_is_told_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite calls it an error of input and output where it is the journal's index that has no room."""
    monkeypatch.setattr(database_module, "room_left", lambda folder: False)
    assert "disk is full" in str(database_module._sentence(tmp_path / "studio.db", "disk I/O error"))


def test_no_file_left_to_open_is_told_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "studio.db").touch()

    def refused(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(database_module.os, "open", refused)
    assert "too many files" in str(database_module._sentence(tmp_path / "studio.db", "unable to open database file"))
