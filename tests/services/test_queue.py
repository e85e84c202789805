"""The queue as the studio tells it, and jobs done again."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator

import pytest

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.engine.process import MAX_DEATHS
from studio.services.studio import Studio
from studio.storage.jobs import describe
from tests.services.waiting import wait_for

Draw = Callable[..., Recipe]


@pytest.fixture
def studio(settings: Settings) -> Iterator[Studio]:
    with Studio(settings, backend="inline") as made:
        yield made


def long(draw: Draw, **values: object) -> list[Recipe]:
    return [draw(steps=1000, seed=seed, **values) for seed in range(50)]


def test_the_queue_as_plain_values(studio: Studio, draw: Draw) -> None:
    assert studio.jobs.queue() == []
    running = studio.pictures.submit(long(draw))
    wait_for(studio, running, "progress")
    waiting, sweep = (
        studio.pictures.submit([draw(prompt="")]),
        studio.pictures.submit([draw()] * 2, priority="background"),
    )
    first, second, third = studio.jobs.queue()
    assert (first.job_id, first.position, first.state, first.description) == (
        running,
        0,
        "running",
        "50 pictures: a red star",
    )
    assert first.progress is not None and 0 < first.progress < 1 and first.left_s is not None and first.left_s > 0
    assert (second.job_id, second.position, second.state, second.description) == (
        waiting,
        1,
        "waiting",
        "1 picture: no prompt",
    )
    assert (second.progress, second.left_s, second.kind, second.retry_of) == (None, None, "generate", None)
    assert (third.job_id, third.position, third.priority) == (sweep, 2, "background")
    assert third.created_at == studio.jobs.get(sweep).created_at
    studio.jobs.stop(running)
    wait_for(studio, sweep, "done")
    assert studio.jobs.queue() == []


def test_moving(studio: Studio, draw: Draw) -> None:
    running = studio.pictures.submit(long(draw))
    wait_for(studio, running, "started")
    first, second = studio.pictures.submit([draw()]), studio.pictures.submit([draw(seed=1)])
    studio.jobs.move(second, before_id=first)
    assert [entry.job_id for entry in studio.jobs.queue()] == [running, second, first]
    studio.jobs.move(second)
    assert [entry.job_id for entry in studio.jobs.queue()] == [running, first, second]
    with pytest.raises(BadInput, match="is waiting"):
        studio.jobs.move(running)
    with pytest.raises(NotFound):
        studio.jobs.move(first, before_id="nonsense")
    studio.jobs.stop(running)
    wait_for(studio, second, "done")
    for number in (1, 2):  # the order in which they were made
        assert studio.archive.generations.get(studio.history.count() - 2 + number).job == (first, second)[number - 1]


def test_moving_a_job_of_an_earlier_run(settings: Settings, studio: Studio, draw: Draw) -> None:
    job_id = studio.pictures.submit([draw()])
    wait_for(studio, job_id, "done")
    studio.close()
    with Studio(settings, backend="inline") as studio:
        with pytest.raises(BadInput, match="is waiting"):
            studio.jobs.move(job_id)
        with pytest.raises(NotFound):
            studio.jobs.move("nonsense")


def test_retry_is_a_new_job_with_the_same_work(studio: Studio, draw: Draw) -> None:
    job_id = studio.pictures.submit(long(draw))
    wait_for(studio, job_id, "progress")
    with pytest.raises(BadInput, match="not over yet"):
        studio.jobs.retry(job_id)
    studio.jobs.stop(job_id, keep=False)
    wait_for(studio, job_id, "cancelled")
    again = studio.jobs.retry(job_id)
    assert again != job_id and studio.jobs.queue()[0].retry_of == job_id
    first, second = studio.jobs.get(job_id), studio.jobs.get(again)
    assert (second.payload, second.digest, second.retry_of) == (first.payload, first.digest, job_id)
    studio.jobs.stop(again)
    wait_for(studio, again, "cancelled")
    with pytest.raises(NotFound):
        studio.jobs.retry("nonsense")


def test_retry_of_what_no_engine_could_do_any_more(studio: Studio, draw: Draw) -> None:
    gone = draw().model_copy(update={"model": "gone"}).model_dump(mode="json")
    job = studio.archive.jobs.add("generate", {"kind": "generate", "recipes": [gone]})
    studio.archive.jobs.finish(job.id, "failed", "No room.")
    with pytest.raises(NotFound, match="no model named 'gone'"):
        studio.jobs.retry(job.id)


def test_the_ledger_in_pages(studio: Studio, draw: Draw) -> None:
    jobs = [studio.pictures.submit([draw(seed=seed)]) for seed in range(3)]
    wait_for(studio, jobs[-1], "done")
    page = studio.jobs.newest(2)
    assert [job.id for job in page] == [jobs[2], jobs[1]]
    assert [job.id for job in studio.jobs.newest(before_number=page[-1].number)] == [jobs[0]]
    for limit in (0, 201):
        with pytest.raises(BadInput, match="1 to 200 jobs"):
            studio.jobs.newest(limit)


@pytest.mark.skipif(sys.platform == "win32", reason="no signals to kill with")
@pytest.mark.usefixtures("quick_workers")
def test_work_that_killed_its_worker_twice_is_refused_also_after_a_restart(settings: Settings, draw: Draw) -> None:
    job_id = None
    for _ in range(MAX_DEATHS):
        with Studio(settings) as studio:  # each death in a run of its own
            job_id = studio.jobs.retry(job_id) if job_id else studio.pictures.submit(long(draw))
            wait_for(studio, job_id, "progress")
            os.kill(studio.status().pid or 0, signal.SIGKILL)
            wait_for(studio, job_id, "interrupted")
    with Studio(settings) as studio:
        assert job_id is not None
        refused = studio.jobs.retry(job_id)
        assert "2 times and is not run again" in wait_for(studio, refused, "failed").data["error"]
        assert studio.jobs.get(refused).status == "failed"
        assert len(studio.pictures.draw([draw()])) == 1


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        ({"kind": "train"}, "train"),
        ({"kind": "train", "what": "Erase\nvan Gogh"}, "Erase van Gogh"),
        ({"kind": "generate", "recipes": [{"prompt": "x" * 100}]}, "1 picture: " + "x" * 66 + "..."),
        ({"kind": "generate", "recipes": [{"prompt": "a"}, {"prompt": "b"}]}, "2 pictures: a"),
    ],
)
def test_what_a_job_does_in_a_few_words(payload: dict[str, object], said: str) -> None:
    assert describe(payload) == said
