"""Workspaces that begin with a database of today's shape and wait for no disk.

To bring a database there by the migrations takes longer than most tests, and no power fails in one: what a process
wrote is there after its death, flushed or not. The walks, and what is tried of the database and of files themselves
(`tests/storage`), write as the product does.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.storage import database
from studio.storage.archive import Archive
from studio.storage.workspace import DATABASE_NAME


def blank_database(factory: pytest.TempPathFactory) -> Path:
    """The file, made by the migrations the first time it is asked for in a run."""
    root = factory.getbasetemp() / "blank"
    if not (root / DATABASE_NAME).exists():
        Archive.open(root).close()
    return root / DATABASE_NAME


@pytest.fixture(scope="module", autouse=True)  # no longer: what another folder's tests open is theirs
def quick_workspaces(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Where a database is made, it is made with today's tables. From then on it is opened as any other."""
    blank = blank_database(tmp_path_factory).read_bytes()
    make_empty, connected = database.open_private, database._on_connect

    def open_private(path: Path) -> None:
        make_empty(path)
        path.write_bytes(blank)

    def on_connect(connection: sqlite3.Connection, record: Any) -> None:
        connected(connection, record)
        connection.execute("PRAGMA synchronous=OFF")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database, "open_private", open_private)
        patch.setattr(database, "_on_connect", on_connect)
        patch.setattr(os, "fsync", lambda handle: None)
        yield
