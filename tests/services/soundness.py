"""Whether a workspace is whole, whatever happened to it."""

from __future__ import annotations

import hashlib
import sqlite3

from studio.services.studio import Studio


def check_sound(studio: Studio) -> None:
    """Nothing half done: every row has its whole file, every file its whole content, every job its end."""
    with sqlite3.connect(studio.archive.workspace.database) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    database.close()
    files = [path for path in studio.archive.images.root.rglob("*") if path.is_file()]
    assert all(hashlib.sha256(path.read_bytes()).hexdigest() + ".png" == path.name for path in files)
    assert {one.image_path for one in studio.history.newest(1000)} <= set(files)
    assert studio.jobs.unfinished() == []
