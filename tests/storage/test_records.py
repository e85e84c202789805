"""The ledger and the history."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from studio.core.errors import NotFound
from studio.core.recipe import Recipe
from studio.storage.archive import Archive
from studio.storage.generations import GenerationRecord


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive.open(tmp_path)
    yield made
    made.close()


def add(archive: Archive, job: str | None = None, image: str = "ab" * 32, **values: object) -> GenerationRecord:
    return archive.generations.add(job=job, image=image, recipe=Recipe.load(values), made_by={"torch": "2"})


# -- jobs -----------------------------------------------------------------------------------------------------------


def test_a_jobs_life(archive: Archive) -> None:
    job = archive.jobs.add("generate", {"recipes": []})
    assert (job.status, job.over, job.payload) == ("queued", False, {"recipes": []})
    archive.jobs.start(job.id)
    assert archive.jobs.get(job.id).status == "running"
    assert [one.id for one in archive.jobs.unfinished()] == [job.id]
    archive.jobs.finish(job.id, "failed", "No room.")
    archive.jobs.finish(job.id, "done")
    archive.jobs.start(job.id)
    ended = archive.jobs.get(job.id)
    assert (ended.status, ended.error, ended.over) == ("failed", "No room.", True)
    assert ended.finished_at is not None and ended.finished_at <= datetime.now(UTC)
    assert archive.jobs.unfinished() == []


def test_what_a_dead_program_left_is_interrupted(archive: Archive) -> None:
    queued, running, done = (archive.jobs.add("generate", {"n": n}) for n in range(3))
    archive.jobs.start(running.id)
    archive.jobs.finish(done.id, "done")
    assert archive.jobs.interrupt_unfinished("Closed.") == 2
    assert [archive.jobs.get(job.id).status for job in (queued, running, done)] == ["interrupted"] * 2 + ["done"]
    assert archive.jobs.get(queued.id).error == "Closed."
    assert archive.jobs.worker_deaths() == {}


def test_deaths_are_counted_by_work(archive: Archive) -> None:
    jobs = [archive.jobs.add("generate", payload) for payload in ({"a": 1}, {"a": 1}, {"a": 2})]
    for job in jobs:
        archive.jobs.finish(job.id, "interrupted", "Died.", worker_died=True)
    assert archive.jobs.worker_deaths() == {jobs[0].digest: 2, jobs[2].digest: 1}


def test_numbers_rise_and_unknown_jobs_are_told(archive: Archive) -> None:
    numbers = [archive.jobs.add("generate", {}).number for _ in range(3)]
    assert numbers == [1, 2, 3]
    with pytest.raises(NotFound, match="no job 'x'"):
        archive.jobs.get("x")


# -- generations ----------------------------------------------------------------------------------------------------


def test_round_trip_and_order(archive: Archive) -> None:
    job = archive.jobs.add("generate", {})
    first = add(archive, job.id, prompt="a red star", seed=2**64 - 1)
    second = add(archive)
    assert archive.generations.get(first.id) == first
    assert [one.id for one in archive.generations.page(10)] == [second.id, first.id]
    assert [one.id for one in archive.generations.page(1, offset=1)] == [first.id]
    assert archive.generations.of_job(job.id) == [first]
    with pytest.raises(NotFound):
        archive.generations.get(99)


@pytest.mark.parametrize(
    ("search", "found"),
    [
        ("", 3),
        ("star", 2),
        ("STAR red", 1),
        ("square", 1),
        ("100%", 1),
        ("%", 1),
        ("_", 0),
        ("'; drop table generations; --", 0),
    ],
)
def test_search(archive: Archive, search: str, found: int) -> None:
    add(archive, prompt="a red star")
    add(archive, prompt="a blue star", negative_prompt="square")
    add(archive, prompt="100% heart")
    assert archive.generations.count(search) == len(archive.generations.page(10, 0, search)) == found


def test_discarding_a_job_gives_the_images_nothing_else_shows(archive: Archive) -> None:
    job = archive.jobs.add("generate", {})
    add(archive, image="aa" * 32)
    add(archive, job.id, image="aa" * 32)
    add(archive, job.id, image="bb" * 32)
    assert archive.generations.discard_job(job.id) == ["bb" * 32]
    assert archive.generations.count() == 1


def test_many_threads_at_once(archive: Archive) -> None:
    def work() -> None:
        for _ in range(10):
            add(archive)
            archive.generations.page(5)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert archive.generations.count() == 60


# -- images ---------------------------------------------------------------------------------------------------------


def test_images_are_stored_once_by_content(archive: Archive) -> None:
    sha256 = archive.images.put(b"one")
    assert archive.images.put(b"one") == sha256 != archive.images.put(b"two")
    path = archive.images.path(sha256)
    assert path.read_bytes() == b"one" and path.parent.name == sha256[:2]
    archive.images.remove(sha256)
    archive.images.remove(sha256)
    assert not path.exists()


def test_half_written_images_are_swept_and_never_under_a_final_name(tmp_path: Path) -> None:
    (tmp_path / "images" / "ab").mkdir(parents=True)
    leftover = tmp_path / "images" / "ab" / "tmp123.part"
    leftover.write_bytes(b"half")
    Archive.open(tmp_path).close()
    assert not leftover.exists()


def test_a_failing_write_leaves_nothing(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    from studio.core.errors import WorkspaceError

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(WorkspaceError, match="disk is full"):
        archive.images.put(b"three")
    assert [path for path in archive.images.root.rglob("*") if path.is_file()] == []
    monkeypatch.undo()
    assert archive.images.path(archive.images.put(b"three")).exists()
