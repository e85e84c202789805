"""The database: SQLite in WAL mode, brought up to date when opened, refused when it is not ours to change."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError

from studio.core.errors import NotFound, WorkspaceError

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_TIMEOUT_S = 15.0  # longer than another program's backup should hold it
_KEPT = "It was left as it is; move it away to start with an empty one, or name another workspace."


class Database:
    """An open database of today's shape. Thread-safe. Build it with `open`."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        url = URL.create("sqlite", database=str(path))
        if read_only:
            url = URL.create("sqlite", database=path.absolute().as_uri(), query={"mode": "ro", "uri": "true"})
        self._engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
        event.listen(self._engine, "connect", _on_connect_to_read if read_only else _on_connect)
        event.listen(self._engine, "begin", _on_begin)

    @classmethod
    def open(cls, path: Path) -> Database:
        """Open the file, or make it, and bring it up to today's shape.

        Raises WorkspaceError, leaving the file as it is, if it is corrupt, not a database, newer than this program,
        locked by another for longer than 15 s, or cannot be written.
        """
        database = cls(path)
        try:
            with database.read() as connection:
                problem = connection.execute(text("PRAGMA quick_check(1)")).scalar_one()
                if problem != "ok":
                    raise WorkspaceError(f"The database {path} is corrupt: {problem}.", _KEPT)
                revision, empty = _revision(connection)
            if revision not in known_revisions() and not empty:
                raise WorkspaceError(f"The database {path} was made by a newer Palimpsest.", "Update to open it.")
            if revision != known_revisions()[-1]:
                database.migrate()
        except BaseException:
            database.close()
            raise
        return database

    @classmethod
    def reader(cls, path: Path) -> Database:
        """Open a database that another process may own and write to; nothing in it can be changed from here.

        Raises NotFound if there is none, WorkspaceError if it is not of today's shape or what `open` refuses.
        """
        if not path.exists():
            raise NotFound(f"There is no workspace at {path.parent}.", "Name another with --workspace.")
        database = cls(path, read_only=True)
        try:
            with database.read() as connection:
                revision, _ = _revision(connection)
            if revision != known_revisions()[-1]:
                raise WorkspaceError(
                    f"The database {path} is of another version.", "Open the studio once with this one."
                )
        except BaseException:
            database.close()
            raise
        return database

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection in one read transaction: everything it sees is of one moment."""
        with _told(self.path), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in one write transaction; on disk when the block is left, undone if it raises.

        It takes the write lock at once: one that begins by reading can be refused later without waiting.
        """
        with _told(self.path), self._engine.connect().execution_options(writes=True) as connection, connection.begin():
            yield connection

    def migrate(self, target: str = "head") -> None:
        """Bring the database to a revision, each step in its own transaction."""
        # Imported here: most openings find the database up to date, and alembic takes a fifth of a second.
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        with _told(self.path), self._engine.connect().execution_options(writes=True) as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, target)

    def close(self) -> None:
        """Close every connection. May be called twice."""
        self._engine.dispose()


def known_revisions() -> list[str]:
    """Revisions this program has, oldest first: the migrations' file names begin with them."""
    return sorted(path.name.split("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))


def _revision(connection: Connection) -> tuple[str | None, bool]:
    """The database's revision, None if it has none; and whether it is empty."""
    tables = inspect(connection).get_table_names()
    if "alembic_version" not in tables:
        return None, not tables
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return revision, revision is None and len(tables) == 1


def _on_connect_to_read(connection: sqlite3.Connection, record: Any) -> None:
    # The driver's own idea of when a transaction begins leaves out DDL and SELECT; we say BEGIN ourselves.
    connection.isolation_level = None


def _on_connect(connection: sqlite3.Connection, record: Any) -> None:
    _on_connect_to_read(connection, record)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _on_begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Turn what the driver raises into a sentence; a mistake of ours in SQL stays what it is."""
    try:
        yield
    except DBAPIError as error:
        sentence = _sentence(path, str(error.orig))
        if sentence is None:
            raise
        raise sentence from None
    except sqlite3.DatabaseError as error:  # from _on_connect, which SQLAlchemy does not wrap
        sentence = _sentence(path, str(error))
        if sentence is None:
            raise
        raise sentence from None


def _sentence(path: Path, said: str) -> WorkspaceError | None:
    if "full" in said:
        return WorkspaceError(f"The database {path} cannot be written: the disk is full.", "Free some space.")
    if "readonly" in said or "unable to open" in said:
        return WorkspaceError(f"The database {path} cannot be written.", "Name another workspace with --workspace.")
    if "locked" in said:
        return WorkspaceError(f"The database {path} is locked by another program.", "Close it and try again.")
    if "not a database" in said or "malformed" in said:
        return WorkspaceError(f"The database {path} is corrupt: {said}.", _KEPT)
    if "disk I/O" in said:
        return WorkspaceError(f"The database {path} cannot be read or written: {said}.", "Check the disk.")
    return None
