"""The database: SQLite in WAL mode, brought up to date when opened, refused when it is not ours to change."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError

from studio.core.errors import NotFound, WorkspaceError
from studio.storage.workspace import check_same, open_private, room_left, workspace_error

MIGRATIONS = Path(__file__).parent / "migrations"
MAX_PATH_BYTES = 500  # SQLite has 512 for a path, and journals have longer names
BUSY_TIMEOUT_S = 15.0  # longer than another program's backup should hold it
_KEPT = "It was left as it is; move it away to start with an empty one, or name another workspace."


class DatabaseLocked(WorkspaceError):
    """Another program has held the database for longer than `BUSY_TIMEOUT_S`; what was to be written is not."""


class Database:
    """An open database of today's shape. Thread-safe. Build it with `open`.

    check: called before each write and each new connection, may raise WorkspaceError (the workspace was moved).
    """

    def __init__(self, path: Path, *, read_only: bool = False, check: Callable[[], None] = lambda: None) -> None:
        self.path = path
        self._check_workspace = check
        self._file: os.stat_result | None = None  # of the database, once it is open
        url = URL.create("sqlite", database=str(path))
        if read_only:
            url = URL.create("sqlite", database=path.absolute().as_uri(), query={"mode": "ro", "uri": "true"})
        self._engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_S})
        event.listen(self._engine, "connect", _on_connect_to_read if read_only else _on_connect)
        event.listen(self._engine, "begin", _on_begin)
        event.listen(self._engine, "do_connect", self._on_connecting)

    @classmethod
    def open(cls, path: Path, check: Callable[[], None] = lambda: None) -> Database:
        """Open the file, or make it, and bring it up to today's shape.

        Raises WorkspaceError, leaving the file as it is, if it is corrupt, not a database, newer than this program,
        locked by another for longer than 15 s, or cannot be written.
        """
        try:
            # Its -wal and -shm as well, for SQLite gives them the mode of the database. Only where there is none: to
            # close a file takes away all locks this process has on it, SQLite's included.
            if not path.exists():
                open_private(path)
        except OSError as error:
            raise workspace_error(error, f"The database {path}") from None
        database = cls(path, check=check)
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
            database._file = path.stat()
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
        with _readable_errors(self.path), self._engine.connect() as connection, connection.begin():
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection in one write transaction; on disk when the block is left, undone if it raises.

        It takes the write lock at once: one that begins by reading can be refused later without waiting.
        """
        self.check()
        with (
            _readable_errors(self.path),
            self._engine.connect().execution_options(writes=True) as connection,
            connection.begin(),
        ):
            yield connection

    def check(self) -> None:
        """Raise WorkspaceError if the file is not the one that was opened: SQLite would go on writing into nothing."""
        self._check_workspace()
        if self._file is not None:
            check_same(self.path, self._file, f"The database {self.path}")

    def _on_connecting(self, *_: Any) -> None:
        self.check()

    def migrate(self, target: str = "head") -> None:
        """Bring the database to a revision, each step in its own transaction."""
        # Imported here: most openings find the database up to date, and alembic takes a fifth of a second.
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        with _readable_errors(self.path), self._engine.connect().execution_options(writes=True) as connection:
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
    # Strictly, one row with a broken letter would end the reading of all. Half a letter is no text to a recipe either,
    # so such a row is found to be unreadable, alone.
    connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")


def _on_connect(connection: sqlite3.Connection, record: Any) -> None:
    _on_connect_to_read(connection, record)
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _on_begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


@contextmanager
def _readable_errors(path: Path) -> Iterator[None]:
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


def _sentence(path: Path, reason: str) -> WorkspaceError | None:
    full = WorkspaceError(f"The database {path} cannot be written: the disk is full.", "Free some space.")
    if "full" in reason:
        return full
    if "unable to open" in reason and (cannot_open := _cannot_open(path)) is not None:
        return cannot_open
    if "readonly" in reason or "unable to open" in reason:
        return WorkspaceError(f"The database {path} cannot be written.", "Name another workspace with --workspace.")
    if "locked" in reason or "locking protocol" in reason:
        return DatabaseLocked(f"The database {path} is locked by another program.", "Close it and try again.")
    if "not a database" in reason or "malformed" in reason:
        return WorkspaceError(f"The database {path} is corrupt: {reason}.", _KEPT)
    if "disk I/O" in reason:
        if not room_left(path.parent):
            return full
        return WorkspaceError(f"The database {path} cannot be read or written: {reason}.", "Check the disk.")
    return None


def _cannot_open(path: Path) -> WorkspaceError | None:
    """Why the system does not open the file, which SQLite does not tell. The file itself is left alone, as above."""
    try:
        path.stat()
        os.close(os.open(os.devnull, os.O_RDONLY))
    except OSError as error:
        return workspace_error(error, f"The database {path}")
    if (length := len(os.fsencode(path.absolute()))) > MAX_PATH_BYTES:
        message = f"The path of the database has {length} bytes, and SQLite opens one of at most {MAX_PATH_BYTES}."
        return WorkspaceError(message, "Name another workspace with --workspace.")
    return None
