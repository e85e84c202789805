"""The ledger and the history."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import Recipe
from studio.storage.archive import Archive
from studio.storage.generations import GenerationRecord
from studio.storage.search import ORIGINS, HistoryFilter
from tests.quick_workspaces import quick_workspaces as quick_workspaces


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    made = Archive.open(tmp_path)
    yield made
    made.close()


def add(
    archive: Archive, job: str | None = None, image: str = "ab" * 32, origin: Any = "prompt", **values: object
) -> GenerationRecord:
    recipe, made_by = Recipe.load(values), {"torch": "2"}
    return archive.generations.add(job=job, image=image, recipe=recipe, made_by=made_by, origin=origin)


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
    assert archive.jobs.interrupt_unfinished("Closed.", "Never begun.") == 2
    assert [archive.jobs.get(job.id).status for job in (queued, running, done)] == ["interrupted"] * 2 + ["done"]
    assert [archive.jobs.get(job.id).error for job in (queued, running)] == ["Never begun.", "Closed."]
    assert archive.jobs.worker_deaths() == {}


def test_pages_of_the_ledger(archive: Archive) -> None:
    jobs = [archive.jobs.add("train", {}, priority="background") for _ in range(5)]
    page = archive.jobs.page(2)
    assert [job.id for job in page] == [jobs[4].id, jobs[3].id] and page[0].priority == "background"
    assert [job.number for job in archive.jobs.page(10, before_number=page[-1].number)] == [3, 2, 1]


def test_of_jobs_that_ended_early_one_or_all_are_dismissed_and_stay_so(archive: Archive, tmp_path: Path) -> None:
    failed, cancelled, interrupted, done, queued = (archive.jobs.add("generate", {"n": n}) for n in range(5))
    for job, status in ((failed, "failed"), (cancelled, "cancelled"), (interrupted, "interrupted"), (done, "done")):
        archive.jobs.finish(job.id, status)  # type: ignore[arg-type]

    def dismissed(opened: Archive) -> list[str]:
        return [job.id for job in opened.jobs.page(10) if job.dismissed]

    archive.jobs.dismiss([cancelled.id])
    assert dismissed(archive) == [cancelled.id] and archive.jobs.get(cancelled.id).status == "cancelled"
    archive.jobs.dismiss_ended_early()
    archive.close()
    again = Archive.open(tmp_path)
    assert dismissed(again) == [interrupted.id, cancelled.id, failed.id] and queued.id not in dismissed(again)
    again.close()


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


def test_search_looks_through_every_negative(archive: Archive) -> None:
    add(archive, prompt="a star", more_negatives=[{"prompt": "Fog"}, {"prompt": "rain"}])
    assert archive.generations.count("fog star") == 1 and archive.generations.count("snow") == 0


@pytest.mark.parametrize(
    ("search", "found"), [("ÉTOILE", 1), ("étoile", 1), ("STRASSE", 1), ("straße", 1), ("⭐", 1), ("\\", 0), ("'\"", 0)]
)
def test_search_knows_letters_beyond_ascii(archive: Archive, search: str, found: int) -> None:
    add(archive, prompt="une Étoile rouge ⭐ Straße")
    assert archive.generations.count(search) == found


NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("only", "found"),
    [
        (HistoryFilter(), [3, 2, 1]),
        (HistoryFilter(favourites=True), [2]),
        (HistoryFilter(deleted=True), [4]),
        (HistoryFilter(model="other"), [2]),
        (HistoryFilter(sampler="ddim"), [1]),
        (HistoryFilter(method="apg"), [3]),
        (HistoryFilter(seed=2**64 - 1), [3]),
        (HistoryFilter(seed=0), [2, 1]),
        (HistoryFilter(seed=0, favourites=True), [2]),
        (HistoryFilter(made_from=NOW - timedelta(hours=1)), [3, 2, 1]),
        (HistoryFilter(made_from=NOW + timedelta(hours=1)), []),
        (HistoryFilter(made_until=NOW - timedelta(hours=1)), []),
    ],
)
def test_filters(archive: Archive, only: HistoryFilter, found: list[int]) -> None:
    add(archive, sampler="ddim")
    add(archive, model="other")
    add(archive, guidance={"method": "apg"}, seed=2**64 - 1)
    add(archive, sampler="ddim", seed=5)
    archive.generations.favourite(2, True)
    archive.generations.set_deleted([4], True)
    assert [row.id for row in archive.generations.page(10, only=only)] == found
    assert archive.generations.count(only=only) == len(found)


def test_times_are_compared_across_zones(archive: Archive) -> None:
    made = add(archive).created_at
    elsewhere = made.astimezone(timezone(timedelta(hours=-9)))
    generations = archive.generations
    assert generations.count(only=HistoryFilter(made_from=elsewhere)) == 1
    assert generations.count(only=HistoryFilter(made_until=elsewhere)) == 0


@pytest.mark.parametrize(
    "values",
    [
        {"seed": -1},
        {"seed": 2**64},
        {"seed": True},
        {"seed": "1"},
        {"made_from": datetime(2026, 1, 1)},
        {"made_until": "yesterday"},
    ],
)
def test_filters_out_of_range(values: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=next(iter(values))):
        HistoryFilter(**values)


def test_a_search_has_an_end(archive: Archive) -> None:
    with pytest.raises(BadInput, match="at most 1000 characters, not 1001"):
        archive.generations.page(10, search="x" * 1001)


def test_pages_by_number(archive: Archive) -> None:
    ids = [add(archive).id for _ in range(5)]
    archive.generations.set_deleted([ids[2]], True)
    first = archive.generations.page(2)
    assert [row.id for row in first] == [5, 4]
    add(archive)  # made while somebody turns the page: nothing is shown twice
    assert [row.id for row in archive.generations.page(2, before_id=first[-1].id)] == [2, 1]


def test_marking(archive: Archive) -> None:
    made = add(archive)
    archive.generations.favourite(made.id, True)
    archive.generations.favourite(made.id, True)
    assert archive.generations.get(made.id).favourite is True
    archive.generations.favourite(made.id, False)
    assert archive.generations.get(made.id).favourite is False
    with pytest.raises(NotFound):
        archive.generations.favourite(99, True)


def test_the_bin(archive: Archive) -> None:
    one, two = add(archive), add(archive)
    assert archive.generations.set_deleted([one.id, one.id], True) == 1
    assert archive.generations.set_deleted([one.id, two.id], True) == 1
    assert archive.generations.count() == 0
    assert archive.generations.get(one.id).deleted_at is not None
    assert archive.generations.set_deleted([two.id], False) == 1
    assert [row.id for row in archive.generations.page(10)] == [two.id]
    assert archive.generations.set_deleted([], True) == 0
    with pytest.raises(NotFound, match="number 99"):
        archive.generations.set_deleted([two.id, 99], True)
    assert archive.generations.count() == 1  # all or none
    with pytest.raises(BadInput, match="At most 1000"):
        archive.generations.set_deleted(range(1001), True)


def keep(archive: Archive, png: bytes, job: str | None = None) -> GenerationRecord:
    return archive.keep_picture(png, job=job, recipe=Recipe(), made_by={}, place=0, seq=2)


def test_purging_removes_what_nothing_shows(archive: Archive) -> None:
    shared, gone, kept = keep(archive, b"one"), keep(archive, b"two"), keep(archive, b"three")
    keep(archive, b"one")
    orphan = archive.images.put(b"a program was killed after this")
    archive.generations.set_deleted([shared.id, gone.id], True)
    assert archive.purge() == (2, 2)
    assert archive.images.path(shared.image).exists() and archive.images.path(kept.image).exists()
    assert not archive.images.path(gone.image).exists() and not archive.images.path(orphan).exists()
    with pytest.raises(NotFound):
        archive.generations.get(gone.id)
    assert archive.purge() == (0, 0)


def test_purging_leaves_what_anything_refers_to(archive: Archive) -> None:
    held, gone = keep(archive, b"held"), keep(archive, b"gone")
    archive.generations.hold([held.id], "training:a")
    archive.generations.hold([held.id, held.id], "training:a")
    archive.generations.hold([held.id], "report:b")
    archive.generations.set_deleted([held.id, gone.id], True)
    assert archive.purge() == (1, 1)
    assert archive.generations.get(held.id).deleted_at and archive.images.path(held.image).exists()
    assert archive.generations.release("training:a") == 1 and archive.purge() == (0, 0)
    assert archive.generations.release("report:b") == 1 and archive.purge() == (1, 1)
    with pytest.raises(NotFound, match=f"no picture number {gone.id} "):
        archive.generations.hold([gone.id], "training:a")


def test_the_history_is_what_people_drew_unless_somebody_asks_for_more(archive: Archive) -> None:
    made = {origin: add(archive, origin=origin).id for origin in ORIGINS}
    pages = archive.generations

    def ids(**only: Any) -> set[int]:
        found = {row.id for row in pages.page(100, only=HistoryFilter(**only))}
        assert pages.count(only=HistoryFilter(**only)) == len(found)
        return found

    assert ids() == {made["prompt"], made["guidance"]}
    assert ids(origins=("card",)) == {made["card"]} and ids(origins=ORIGINS) == set(made.values())
    assert ids(origins=("card", "prompt")) == {made["card"], made["prompt"]}
    assert pages.get(made["campaign"]).origin == "campaign"
    pages.set_deleted([made["card"]], True)
    assert ids(deleted=True) == {made["card"]}  # all of the bin is purged, so all of it is seen
    for origin in ("", "cards", None, 3):
        with pytest.raises(BadInput, match="A picture is drawn for prompt, guidance"):
            add(archive, origin=origin)
    with pytest.raises(BadInput, match="not for 'cards'"):
        HistoryFilter(origins=("card", "cards"))


def test_purging_never_takes_a_picture_that_is_just_being_stored(archive: Archive) -> None:
    def store() -> None:
        for number in range(40):
            keep(archive, b"picture %d" % number)

    thread = threading.Thread(target=store)
    thread.start()
    while thread.is_alive():
        archive.purge()
    rows = archive.generations.page(100)
    assert len(rows) == 40 and all(archive.images.path(row.image).exists() for row in rows)


def test_discarding_a_job_moves_its_pictures_into_the_bin_and_no_others(archive: Archive) -> None:
    job = archive.jobs.add("generate", {})
    other = keep(archive, b"shared")
    first, second = (keep(archive, data, job.id) for data in (b"shared", b"own"))
    archive.generations.set_deleted([first.id], True)
    assert archive.generations.discard_job(job.id) == 1  # the other one is there already
    assert [row.id for row in archive.generations.page(10)] == [other.id]
    assert [row.deleted_at is not None for row in archive.generations.of_job(job.id)] == [True, True]
    assert archive.images.path(second.image).exists()
    assert archive.generations.set_deleted([second.id], False) == 1  # and back


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
