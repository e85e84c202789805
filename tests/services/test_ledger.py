"""The ledger read from outside, while its owner works."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import pytest

from studio.cli import main
from studio.core.errors import NotFound, WorkspaceError
from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.services.ledger import Ledger
from studio.services.studio import Studio
from studio.storage.archive import Archive
from studio.storage.database import Database

Draw = Callable[..., Recipe]


def test_it_is_read_while_another_owns_the_workspace(settings: Settings, draw: Draw) -> None:
    archive = Archive.open(settings.workspace)
    first, second = (archive.jobs.add("generate", {"kind": "generate", "recipes": []}) for _ in range(2))
    archive.jobs.finish(first.id, "failed", "No room.")
    kept = archive.keep_picture(b"png", job=second.id, recipe=draw(), made_by={}, place=0, seq=3)
    with Ledger(settings) as ledger:
        assert [(job["number"], job["status"], job["error"]) for job in ledger.page(10)] == [
            (2, "queued", None),
            (1, "failed", "No room."),
        ]
        archive.jobs.start(second.id)
        shown = ledger.show("2")
        assert shown == ledger.show(second.id) and shown["status"] == "running"
        assert shown["pictures"] == [str(archive.images.path(kept.image))]
        for name in ("3", "nonsense", "0" * 18, "9" * 40):
            with pytest.raises(NotFound):
                ledger.show(name)
    archive.close()


def test_watching_until_it_is_over(settings: Settings, draw: Draw) -> None:
    archive = Archive.open(settings.workspace)
    job = archive.jobs.add("generate", {"kind": "generate", "recipes": []})
    seen: list[str] = []

    def on_change(now: dict[str, Any]) -> None:
        seen.append(now["status"])
        if now["status"] == "queued":
            archive.jobs.start(job.id)
        else:
            threading.Timer(0.1, archive.jobs.finish, (job.id, "done")).start()

    with Ledger(settings) as ledger:
        assert ledger.watch("1", on_change)["status"] == "done"
    assert seen == ["queued", "running", "done"]
    archive.close()


def test_a_job_that_waits_says_behind_which(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    archive = Archive.open(settings.workspace)
    jobs = [archive.jobs.add("generate", {"kind": "generate", "recipes": []}) for _ in range(4)]
    for job in jobs[:3]:
        archive.jobs.start(job.id)
    archive.jobs.finish(jobs[0].id, "done")
    with Ledger(settings) as ledger:
        assert [ledger.show(job.id)["in_hand"] for job in jobs] == [[], [], [], [2, 3]]
    for number, said in ((4, "waits; jobs 2 and 3 in hand"), (3, "")):
        assert main(["jobs", "show", str(number), "--workspace", str(settings.workspace)]) == 0
        assert capsys.readouterr().out.splitlines()[1:] == ([said] if said else [])
    archive.close()


def test_it_cannot_be_written(settings: Settings) -> None:
    Archive.open(settings.workspace).close()
    with Ledger(settings) as ledger, pytest.raises(WorkspaceError, match="cannot be written"):
        ledger._jobs.add("generate", {})


def test_what_cannot_be_read(settings: Settings) -> None:
    with pytest.raises(NotFound, match="There is no workspace at"):
        Ledger(settings)
    settings.workspace.mkdir()
    older = Database(settings.workspace / "studio.db")
    older.migrate("0001")
    older.close()
    with pytest.raises(WorkspaceError, match="of another version"):
        Ledger(settings)
    (settings.workspace / "studio.db").write_bytes(b"this is text, not a database " * 50)
    with pytest.raises(WorkspaceError, match="corrupt"):
        Ledger(settings)


def test_a_job_of_a_studio_that_runs(settings: Settings, draw: Draw) -> None:
    with Studio(settings, backend="inline") as studio:
        made = studio.pictures.draw([draw()])[0]
        with Ledger(settings) as ledger:
            assert ledger.show("1")["pictures"] == [str(made.image_path)]
            assert ledger.page(1)[0]["what"] == "1 picture: a red star"


def test_a_row_that_cannot_be_read_stands_in_its_place_and_says_so(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    archive = Archive.open(settings.workspace)
    for _ in range(3):
        archive.jobs.add("generate", {"kind": "generate", "recipes": []})
    with sqlite3.connect(archive.workspace.database) as database:
        database.execute("UPDATE jobs SET created_at = 'once' WHERE number = 2")
    database.close()
    archive.close()
    with Ledger(settings) as ledger:
        assert [(job["number"], job["status"]) for job in ledger.page(10)] == [
            (3, "queued"),
            (2, "unreadable"),
            (1, "queued"),
        ]
        with pytest.raises(WorkspaceError, match="Job 2 of the ledger cannot be read"):
            ledger.show("2")
    assert main(["jobs", "list", "--workspace", str(settings.workspace)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and "unreadable" in lines[1] and "It cannot be read: " in lines[1]
