"""Whatever the disk does while a job runs, the job has an end, the page is told it, and the ledger has it at last."""

from __future__ import annotations

import errno
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
from sqlalchemy.exc import OperationalError

from studio.core.errors import EngineError, WorkspaceError
from studio.core.recipe import Recipe
from studio.engine.board import Board
from studio.engine.events import Event
from studio.services import recording
from studio.services.recording import Recorder
from studio.storage import database as database_module
from studio.storage import images as images_module
from studio.storage.archive import Archive
from studio.storage.database import Database, DatabaseLocked
from studio.storage.jobs import JobRecord
from tests.services.waiting import PATIENCE_S, until


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    """One for all: each test has a job of its own in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(database_module, "BUSY_TIMEOUT_S", 0.01)  # SQLite itself waits for no time worth mentioning
        opened = Archive.open(tmp_path_factory.mktemp("recording") / "workspace")
    yield opened
    opened.close()


@pytest.fixture
def recorder(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    monkeypatch.setattr(recording, "RETRY_S", 0.005)
    made = Recorder(archive)
    yield made
    made.close()


def picture(place: int = 0) -> dict[str, Any]:
    recipe = Recipe.load({"prompt": "a red star", "width": 32, "height": 32, "seed": place})
    rgb = bytes([place]) * (32 * 32 * 3)
    return {
        "image": place,
        "recipe": recipe.model_dump(mode="json"),
        "made_by": {},
        "seconds": 0.1,
        "rgb": rgb,
        "width": 32,
        "height": 32,
    }


def begun(archive: Archive, recorder: Recorder) -> tuple[Board, str]:
    board, job = Board(recorder), archive.jobs.add("generate", {"kind": "generate", "recipes": []})
    board.submit({"kind": "generate", "id": job.id, "digest": job.digest})
    board.take()
    return board, job.id


def known(archive: Archive, recorder: Recorder, job_id: str) -> JobRecord:
    """The job as the studio tells it."""
    return recorder.as_told(lambda: [archive.jobs.get(job_id)])[0]


def shown(archive: Archive, job_id: str) -> list[int]:
    """Its pictures that are not in the bin."""
    return [row.id for row in archive.generations.of_job(job_id) if row.deleted_at is None]


# -- what can fail, and how -----------------------------------------------------------------------------------------


@contextmanager
def no_database(error: Callable[[], Exception]) -> Iterator[None]:
    """Nothing can be written to any database."""

    @contextmanager
    def failing(self: Database) -> Iterator[Any]:
        with database_module._readable_errors(self.path):
            raise error()
        yield

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "write", failing)
        yield


@contextmanager
def no_files(error: Callable[[], Exception]) -> Iterator[None]:
    """No picture can be written."""

    def failing(path: Path, data: bytes) -> None:
        raise error()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(images_module, "write_durably", failing)
        yield


def driver(text: str) -> Callable[[], Exception]:
    return lambda: OperationalError("INSERT", {}, sqlite3.OperationalError(text))


def system(number: int) -> Callable[[], Exception]:
    return lambda: OSError(number, "what the system says")


DATABASE_FAILURES = {
    "disk full": (driver("database or disk is full"), "the disk is full"),
    "disk error": (driver("disk I/O error"), "disk I/O error"),
    "no file left": (driver("unable to open database file"), "cannot be written"),
    "a word nobody knows": (driver("the moon is in the wrong phase"), "Something went wrong inside"),
    "not the driver": (lambda: RuntimeError("a bug"), "Something went wrong inside"),
}
FILE_FAILURES = {
    "disk full": (system(errno.ENOSPC), "the disk is full"),
    "read-only": (system(errno.EROFS), "read-only"),
    "no file left": (system(errno.EMFILE), "too many files are open"),
    "folder gone": (system(errno.ENOENT), "its folder is gone"),
    "disk error": (system(errno.EIO), "what the system says"),
}


@pytest.mark.parametrize("failure", DATABASE_FAILURES)
@pytest.mark.parametrize("at", ["started", "image", "done"])
def test_a_ledger_that_cannot_be_written_ends_the_job_and_has_its_end_once_it_can(
    archive: Archive, recorder: Recorder, failure: str, at: str
) -> None:
    error, sentence = DATABASE_FAILURES[failure]
    board, job_id = begun(archive, recorder)
    story = [("started", {"images": 1}), ("image", picture()), ("done", {"images": 1})]
    place = [kind for kind, _ in story].index(at)
    for kind, data in story[:place]:
        board.tell(job_id, kind, data)  # type: ignore[arg-type]
    with no_database(error):
        board.tell(job_id, *story[place])  # type: ignore[arg-type]
        last = board.events(job_id)[-1]
        assert last.final and sentence in last.data.get("unrecorded" if at == "done" else "error", "")
        assert archive.jobs.get(job_id).status in ("queued", "running")  # the disk is as it was
        told = known(archive, recorder, job_id)
        assert (told.status, told.over, told.error) == (last.kind, True, last.data.get("error"))
        assert told.finished_at is not None and recorder.trouble()
    until(lambda: archive.jobs.get(job_id).over)  # nothing else happens: no job, no event
    until(lambda: not recorder.trouble())
    stored = archive.jobs.get(job_id)
    assert (stored.status, stored.error, stored.last_seq) == (last.kind, last.data.get("error"), last.seq)
    assert len(archive.generations.of_job(job_id)) == (1 if at == "done" else 0)


@pytest.mark.parametrize("failure", FILE_FAILURES)
def test_a_picture_that_cannot_be_written_ends_the_job_in_a_sentence(
    archive: Archive, recorder: Recorder, failure: str
) -> None:
    error, sentence = FILE_FAILURES[failure]
    board, job_id = begun(archive, recorder)
    board.tell(job_id, "started", {"images": 2})
    board.tell(job_id, "image", picture(0))
    with no_files(error):
        board.tell(job_id, "image", picture(1))
    stored = archive.jobs.get(job_id)
    assert stored.status == "failed" and sentence in (stored.error or "")
    assert [event.kind for event in board.events(job_id)] == ["queued", "started", "image", "failed"]
    assert len(shown(archive, job_id)) == 1 and recorder.trouble() == ""


def test_an_end_that_cannot_be_written_keeps_no_other_from_it(archive: Archive, recorder: Recorder) -> None:
    jobs = [archive.jobs.add("generate", {}).id for _ in range(3)]
    finish, broken = archive.jobs.finish, jobs[0]

    def stumbling(id: str, *arguments: Any, **more: Any) -> None:
        if id == broken:
            raise RuntimeError("a bug with this one")
        finish(id, *arguments, **more)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive.jobs, "finish", stumbling)
        for job_id in jobs:
            recorder.give_up(job_id, EngineError("No."))
        assert [archive.jobs.get(job_id).status for job_id in jobs] == ["queued", "failed", "failed"]
        assert known(archive, recorder, broken).status == "failed"
    until(lambda: archive.jobs.get(broken).status == "failed")


def test_discarded_pictures_are_in_the_bin_once_something_can_be_written(archive: Archive, recorder: Recorder) -> None:
    board, job_id = begun(archive, recorder)
    board.tell(job_id, "image", picture())
    board.cancel(job_id, keep=False)
    with no_database(driver("database or disk is full")):
        board.tell(job_id, "cancelled", {})
        assert known(archive, recorder, job_id).status == "cancelled" and len(shown(archive, job_id)) == 1
    until(lambda: archive.jobs.get(job_id).over)
    assert len(shown(archive, job_id)) == 0


def test_closing_tries_once_more_and_waits_for_nothing(archive: Archive, recorder: Recorder) -> None:
    board, job_id = begun(archive, recorder)
    with no_database(driver("database or disk is full")):
        board.tell(job_id, "failed", {"error": "No.", "type": "EngineError"})
        recorder.close()
        assert not archive.jobs.get(job_id).over
    recorder.close()
    assert archive.jobs.get(job_id).status == "failed"


# -- a database that another program holds --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["started", "image"])
def test_a_picture_waits_until_another_program_lets_go(
    archive: Archive, recorder: Recorder, kind: Literal["started", "image"]
) -> None:
    """And so does a job that begins."""
    board, job_id = begun(archive, recorder)
    if kind == "image":
        board.tell(job_id, "started", {"images": 1})
    data = picture() if kind == "image" else {"images": 1}
    with closing(sqlite3.connect(archive.workspace.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        teller = threading.Thread(target=board.tell, args=(job_id, kind, data))
        teller.start()
        until(lambda: "locked by another program" in recorder.trouble())
        assert not board.events(job_id)[-1].final and len(shown(archive, job_id)) == 0
        other.execute("COMMIT")
    teller.join(PATIENCE_S)
    assert board.events(job_id)[-1].kind == kind and len(shown(archive, job_id)) == (1 if kind == "image" else 0)
    assert recorder.trouble() == "" and archive.jobs.get(job_id).status == "running"


def test_it_waits_ten_minutes(recorder: Recorder) -> None:
    """By a clock that only waiting moves."""
    clock = SimpleNamespace(now_s=0.0)

    def wait(seconds: float) -> bool:
        clock.now_s += 10  # and not by so little: it is tried each time
        return False

    def write(free_s: float) -> float:
        if clock.now_s < free_s:
            raise DatabaseLocked("The database is locked by another program.")
        return clock.now_s

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recording, "time", SimpleNamespace(monotonic=lambda: clock.now_s))
        patch.setattr(recorder, "_closing", SimpleNamespace(wait=wait))
        assert recorder._patiently(lambda: write(590)) == 590 and recorder.trouble() == ""
        clock.now_s = 0.0
        with pytest.raises(DatabaseLocked):
            recorder._patiently(lambda: write(1e9))
        assert clock.now_s == 600 and recorder.trouble() == ""


@pytest.mark.parametrize("way", ["time is over", "the studio is closed"])
def test_it_waits_neither_for_ever_nor_while_the_studio_closes(
    archive: Archive, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    if way == "time is over":
        monkeypatch.setattr(recording, "LOCKED_PATIENCE_S", 0.0)
    else:
        recorder.hurry()
    board, job_id = begun(archive, recorder)
    with closing(sqlite3.connect(archive.workspace.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        board.tell(job_id, "image", picture())
        assert "locked by another program" in board.events(job_id)[-1].data["error"]
        assert known(archive, recorder, job_id).status == "failed"
        other.execute("COMMIT")
    recorder.catch_up()
    assert archive.jobs.get(job_id).status == "failed"


def test_what_is_no_lock_is_not_waited_for(archive: Archive, recorder: Recorder) -> None:
    with no_database(driver("database or disk is full")), pytest.raises(WorkspaceError, match="disk is full"):
        recorder(Event(1, "job", "started", {}))
