"""A disk that misbehaves under an open studio: what it tells of its jobs, and who may read what it keeps."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from studio.core.errors import NotFound, WorkspaceError
from studio.core.recipe import GuidanceSpec, Recipe
from studio.core.settings import Settings
from studio.engine import board as board_module
from studio.engine.backend import InlineBackend
from studio.engine.board import REMEMBERED_JOBS
from studio.services import account, recording
from studio.services import queue as queue_module
from studio.services.grids.axes import Axis
from studio.services.presets import GuidancePresets
from studio.services.studio import Studio
from studio.storage import jobs as jobs_module
from studio.storage.database import Database
from studio.storage.jobs import Jobs
from tests.services.waiting import until, wait_for

Draw = Callable[..., Recipe]


@pytest.fixture
def studio(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Studio]:
    monkeypatch.setattr(recording, "RETRY_S", 0.01)
    with Studio(settings, backend="inline") as made:
        yield made


@contextmanager
def full_disk() -> Iterator[None]:
    def write(self: Database) -> Any:
        raise WorkspaceError("The database cannot be written: the disk is full.", "Free some space.")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Database, "write", write)
        yield


# -- jobs -----------------------------------------------------------------------------------------------------------


def test_a_job_that_meets_a_full_disk_is_over_to_all_who_ask(studio: Studio, draw: Draw) -> None:
    job_id = studio.pictures.submit([draw(steps=30, seed=seed) for seed in range(40)])
    wait_for(studio, job_id, "progress")
    waiting = studio.pictures.submit([draw()])
    with full_disk():
        assert "disk is full" in wait_for(studio, job_id, "failed").data["error"]
        wait_for(studio, waiting, "failed")  # it cannot begin
        for id in (job_id, waiting):
            job = studio.jobs.get(id)
            assert job.over and job.status == "failed" and "disk is full" in (job.error or "")
        assert studio.jobs.find("1").over and studio.jobs.unfinished() == [] and studio.jobs.queue() == []
        assert studio.jobs.oldest_unfinished("generate", "interactive") is None
        assert [job.status for job in studio.jobs.newest()] == ["failed", "failed"]
        assert "disk is full" in studio.status().trouble
        with pytest.raises(WorkspaceError, match="disk is full"):
            studio.pictures.submit([draw()])
    until(lambda: not studio.archive.jobs.unfinished())  # there is room, and nothing else happens
    assert {job.status for job in studio.archive.jobs.page(10)} == {"failed"}
    until(lambda: not studio.status().trouble)
    assert len(studio.pictures.draw([draw()])) == 1


@pytest.mark.parametrize("recovers", [True, False], ids=["with room again", "while full"])
def test_a_job_that_no_engine_took_does_not_wait_for_ever(studio: Studio, draw: Draw, recovers: bool) -> None:
    """Its row is written, and then the disk is full: the cells of a grid are not, or the engine is closed."""

    def written(job_id: str) -> None:
        if recovers:
            raise RuntimeError("a bug")
        context.__enter__()
        studio.archive.jobs.start(job_id)

    context = full_disk()
    with pytest.raises((WorkspaceError, RuntimeError)):
        studio.jobs.submit({"kind": "generate", "recipes": []}, written=written)
    assert studio.jobs.newest()[0].status == "failed" and studio.jobs.unfinished() == []
    if not recovers:
        context.__exit__(None, None, None)
    until(lambda: not studio.archive.jobs.unfinished())


def test_a_studio_that_cannot_write_when_opened_holds_nothing(settings: Settings) -> None:
    Studio(settings, backend="inline").open().close()
    with full_disk(), pytest.raises(WorkspaceError, match="disk is full"):
        Studio(settings, backend="inline").open()
    Studio(settings, backend="inline").open().close()


@pytest.mark.skipif(os.name == "nt", reason="what is open cannot be moved there")
def test_pictures_of_a_workspace_that_is_moved_meanwhile_are_not_called_done(studio: Studio, draw: Draw) -> None:
    job_id = studio.pictures.submit([draw(steps=30, seed=seed) for seed in range(40)])
    wait_for(studio, job_id, "progress")
    root = studio.archive.workspace.root
    root.rename(root.with_name("away"))
    assert "was moved, deleted or replaced" in wait_for(studio, job_id, "failed").data["error"]
    with pytest.raises(WorkspaceError, match="was moved, deleted or replaced"):
        studio.pictures.submit([draw()])
    with pytest.raises(WorkspaceError, match="its folder is gone"):
        GuidancePresets(root).save("mine", GuidanceSpec())
    assert not root.exists() and studio.jobs.get(job_id).status == "failed"
    root.with_name("away").rename(root)
    until(lambda: studio.archive.jobs.get(job_id).status == "failed")
    assert len(studio.pictures.draw([draw()])) == 1


# -- what a poll costs ----------------------------------------------------------------------------------------------


def test_asking_after_a_job_costs_the_same_however_many_wait(
    settings: Settings, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(InlineBackend, "_serve", lambda self: None)  # nothing begins
    statements: list[str] = []
    counted = {"payloads": 0, "entries": 0, "tickets": 0, "rows": 0}

    def counting(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any) -> Any:
            counted[name] += 1
            return function(*arguments)

        return wrapped

    def cost(job_id: str) -> tuple[int, int]:
        statements.clear()
        assert studio.jobs.find(job_id).description == "2 pictures: a red star"
        standing = studio.jobs.standing(job_id)
        assert standing is not None and standing.position == int(studio.jobs.find(job_id).number)
        studio.archive.generations.numbers_of_job(job_id)
        assert studio.jobs.oldest_unfinished("generate", "interactive") is not None
        return len(statements), sum("payload" in statement for statement in statements)

    with Studio(settings, backend="inline") as studio:
        recipes = [draw(seed=seed).model_dump(mode="json") for seed in range(2)]
        ids = [studio.jobs.submit({"kind": "generate", "recipes": recipes})]
        event.listen(
            studio.archive._database._engine,
            "before_cursor_execute",
            lambda connection, cursor, statement, *more: statements.append(statement),
        )
        with_one = cost(ids[0])
        ids += [studio.jobs.submit({"kind": "generate", "recipes": recipes}) for _ in range(2 * REMEMBERED_JOBS)]
        monkeypatch.setattr(jobs_module, "unpack", counting("payloads", jobs_module.unpack))
        monkeypatch.setattr(queue_module, "entry", counting("entries", queue_module.entry))
        monkeypatch.setattr(board_module, "_entry", counting("tickets", board_module._entry))
        monkeypatch.setattr(Jobs, "_record", counting("rows", Jobs._record))
        assert [cost(ids[place]) for place in (0, 100, -1)] == [with_one] * 3
        assert counted["rows"] <= 3 * (2 + 8)  # the job, twice, and the oldest
        assert with_one[1] == 0 and counted == {**counted, "payloads": 0, "entries": 3, "tickets": 3}
        statements.clear()
        assert [entry.position for entry in studio.jobs.queue()] == list(range(1, 2 * REMEMBERED_JOBS + 2))
        assert statements == [] and counted["payloads"] == 0
        assert len(studio.jobs.get(ids[0]).payload["recipes"]) == 2 and counted["payloads"] == 1


# -- who may read it ------------------------------------------------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="no such modes there")
@pytest.mark.usefixtures("quick_workers")
def test_all_of_a_used_workspace_is_its_users_alone(settings: Settings, draw: Draw) -> None:
    """With a umask that would show everything to everyone; the engine in a process of its own, as it is served."""
    before = os.umask(0)
    try:
        with Studio(settings) as studio:
            wait_for(studio, studio.pictures.submit([draw()], account=True), "done")
            studio.archive.edits.put("mine", "ab" * 32, b"edit")
            presets = GuidancePresets(settings.workspace)
            for _ in range(2):  # the second keeps the first beside it
                presets.save("mine", GuidanceSpec())
            number = studio.grids.start(draw(), [Axis("seed", (1, 2))])
            studio.grids.write_sheet(number)
            root = settings.workspace
            modes = {path.relative_to(root).as_posix(): path.stat().st_mode for path in (root, *root.rglob("*"))}
    finally:
        os.umask(before)
    used = {"studio.db", "studio.db-wal", "studio.db-shm", "workspace.lock", "logs/engine.log", "cache", "."}
    assert used <= set(modes) and {"images", "edits", "presets/guidance/mine.json"} <= set(modes)
    assert any(name.endswith(".account.npz") for name in modes) and any(name.endswith(".png") for name in modes)
    for name, mode in modes.items():
        if not name.startswith("exports"):
            private = 0o700 if stat.S_ISDIR(mode) else 0o600
            assert stat.S_IMODE(mode) == private, f"{name} is {stat.S_IMODE(mode):o}"


# -- an account that cannot be read ---------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 torn", b"text", b"PK\x05\x06" + bytes(18)])
def test_an_account_that_cannot_be_read_is_told_as_such(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "torn.account.npz"
    file.write_bytes(data)
    with pytest.raises(NotFound, match="cannot be read"):
        account._read(str(file))
