"""The studio object: from recipes to a history that survives, with one engine per run."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studio.core.errors import BadInput, EngineError, NotFound, WorkspaceError
from studio.core.recipe import EditRef, GuidanceSpec, Recipe
from studio.core.settings import Settings
from studio.services.checks import settled
from studio.services.studio import Studio
from studio.storage.images import ImageStore
from studio.storage.png import read_png
from tests.services.waiting import wait_for

Draw = Callable[..., Recipe]


@pytest.fixture
def studio(settings: Settings) -> Iterator[Studio]:
    with Studio(settings, backend="inline") as made:
        yield made


def test_a_picture_is_stored_with_its_recipe_before_it_is_told(studio: Studio, draw: Draw) -> None:
    job_id = studio.pictures.submit([draw(seed=7)])
    told = wait_for(studio, job_id, "image").data
    record = read_png(Path(told["path"]))
    assert record.recipe == settled(draw(seed=7)) and record.made_by == told["made_by"]
    assert "rgb" not in told
    shown = studio.history.get(told["generation"])
    assert (shown.image_path, shown.recipe, shown.job_id) == (Path(told["path"]), record.recipe, job_id)
    wait_for(studio, job_id, "done")
    assert studio.jobs.get(job_id).status == "done" and studio.jobs.unfinished() == []


def test_guidance_by_an_early_checkpoint_that_is_not_there_is_refused_before_it_is_queued(
    studio: Studio, draw: Draw
) -> None:
    with pytest.raises(BadInput, match="autoguidance needs an early checkpoint of the model, and stencil has none"):
        studio.pictures.submit([draw(guidance=GuidanceSpec(method="autoguidance"))])
    assert studio.jobs.unfinished() == []


def test_generate_now(studio: Studio, draw: Draw) -> None:
    seen: list[str] = []
    made = studio.pictures.draw([draw(seed=1), draw(seed=2)], lambda event: seen.append(event.kind))
    assert [one.recipe.seed for one in made] == [1, 2]
    assert seen[0] == "queued" and seen[-1] == "done"
    assert [one.id for one in studio.history.newest()] == [made[1].id, made[0].id]
    assert studio.history.count("star") == 2 and studio.history.newest(search="heart") == []


def test_history_survives_and_old_jobs_can_still_be_read(settings: Settings, draw: Draw) -> None:
    with Studio(settings, backend="inline") as studio:
        job_id = studio.pictures.submit([draw(steps=30)])
        wait_for(studio, job_id, "done")
        told = studio.jobs.events(job_id)
    with Studio(settings, backend="inline") as studio:
        events = studio.jobs.events(job_id)
        assert [event.kind for event in events] == ["queued", "image", "done"]
        assert studio.history.newest()[0].id == events[1].data["generation"]
        # They have the numbers they had when they were told: who read them then is not told again.
        assert [event.seq for event in events] == [event.seq for event in told if event.kind != "started"]
        assert studio.jobs.events(job_id, since=events[1].seq) == events[2:]
        assert studio.jobs.events(job_id, since=events[-1].seq) == []
        studio.jobs.stop(job_id)
        with pytest.raises(NotFound):
            studio.jobs.events("nonsense")
        with pytest.raises(NotFound):
            studio.jobs.stop("nonsense")


@pytest.mark.parametrize("keep", [True, False])
def test_stop_keeps_and_discard_moves_into_the_bin(studio: Studio, draw: Draw, keep: bool) -> None:
    before = studio.pictures.draw([draw(seed=0, steps=20)])[0]
    job_id = studio.pictures.submit([draw(seed=seed, steps=20) for seed in range(200)])
    second = [
        wait_for(studio, job_id, "image").data,
        *(e.data for e in studio.jobs.events(job_id) if e.kind == "image"),
    ][-1]
    studio.jobs.stop(job_id, keep=keep)
    ended = wait_for(studio, job_id, "cancelled")
    assert studio.jobs.get(job_id).status == "cancelled"
    assert studio.history.count() == 1 + ended.data["images"]
    assert (ended.data["images"] > 0) is keep
    # A window that was told of a picture a moment ago can still load it, and it can be had back.
    assert Path(second["path"]).exists()
    assert (studio.history.get(second["generation"]).deleted_at is None) is keep
    assert studio.history.get(before.id).deleted_at is None  # the same file as the job's first picture
    studio.jobs.stop(job_id, keep=keep)


def test_jobs_that_a_killed_program_left_are_told_and_can_be_made_again(settings: Settings, draw: Draw) -> None:
    payload = {"kind": "generate", "recipes": [draw().model_dump(mode="json")]}
    with Studio(settings, backend="inline") as studio:
        running, queued = (studio.archive.jobs.add("generate", payload) for _ in range(2))
        studio.archive.jobs.start(running.id)
    with Studio(settings, backend="inline") as studio:
        assert [studio.jobs.get(job.id).status for job in (running, queued)] == ["interrupted"] * 2
        assert "while this job was running" in studio.jobs.events(running.id)[-1].data["error"]
        # Whoever had read any number of its events still hears of its end.
        assert "before this job began" in studio.jobs.events(queued.id, since=10_000)[-1].data["error"]
        assert studio.jobs.queue() == []  # nothing goes on by itself
        again = studio.jobs.retry(queued.id)
        wait_for(studio, again, "done")
        assert studio.jobs.get(again).retry_of == queued.id


def test_a_failing_job_raises_its_sentence(studio: Studio, draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(store: ImageStore, data: bytes) -> str:
        raise WorkspaceError("The picture cannot be written: the disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(ImageStore, "put", full)
        with pytest.raises(EngineError, match="disk is full"):
            studio.pictures.draw([draw()])
    assert studio.history.count() == 0
    assert len(studio.pictures.draw([draw()])) == 1  # recovers when space returns


def test_from_many_threads(studio: Studio, draw: Draw) -> None:
    jobs: list[str] = []
    threads = [
        threading.Thread(target=lambda n=n: jobs.append(studio.pictures.submit([draw(seed=n)]))) for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for job_id in jobs:
        wait_for(studio, job_id, "done")
    assert studio.history.count() == 8


# -- what is refused before anything is queued ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"model": "dall-e"}, "no model named 'dall-e'"),
        ({"guidance": GuidanceSpec(method="cgf")}, "did you mean 'cfg'"),
        ({"guidance": GuidanceSpec(params={"guidance_scale": 31.0})}, "guidance_scale must be a number from 0 to 30"),
        ({"guidance": GuidanceSpec(params={"scale": 3.0})}, "no field 'scale'"),
        ({"edits": (EditRef(edit="x"),)}, "no edit named 'x'"),
        ({"spacing": "nonsense"}, "named 'nonsense'"),
        ({"sampler": "ddim", "sampler_params": {"eta": 2.0}}, "eta must be a number from 0 to 1"),
        ({"steps": 0}, "steps must be a whole number from 1 to 1000, not 0"),
        ({"steps": 10**9}, "steps must be a whole number from 1 to 1000"),
        ({"steps": float("nan")}, "steps must be"),
        ({"width": 7}, "width must be a multiple of 8 from 32 to 2048, not 7"),
        ({"height": 65536}, "height must be a multiple of 8 from 32 to 2048, not 65536"),
        ({"seed": -1}, "seed must be a whole number from 0"),
        ({"seed": 2**64}, "seed must be a whole number from 0"),
        ({"seed": "7"}, "seed must be a whole number from 0"),
        ({"prompt": "x" * 10_001}, "prompt must be valid text of at most 10000 characters, not 10001 characters"),
        ({"negative_prompt": 5}, "negative_prompt must be valid text"),
        ({"sampler": "heun"}, "no sampler named 'heun'"),
        ({"batching": "both"}, "batching must be one of"),
        ({"version": 2}, "version 2"),
    ],
)
def test_recipes_no_engine_could_run(studio: Studio, draw: Draw, values: dict[str, object], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        studio.pictures.submit([draw().model_copy(update=values)])
    assert studio.jobs.unfinished() == []


@pytest.mark.parametrize("count", [0, 257])
def test_too_few_or_many(studio: Studio, draw: Draw, count: int) -> None:
    with pytest.raises(BadInput, match=f"1 to 256 pictures, not {count}"):
        studio.pictures.submit([draw()] * count)


# -- around it ------------------------------------------------------------------------------------------------------


def test_one_owner(settings: Settings, studio: Studio) -> None:
    with pytest.raises(WorkspaceError, match=f"process {os.getpid()}"):
        Studio(settings).open()


def test_what_it_can_say_without_an_engine(studio: Studio) -> None:
    assert studio.sources.prompt_report("a red zebra").unknown_words == ("zebra",)
    assert studio.sources.card().default_size_px == 32
    assert studio.status().state == "resting"


@pytest.mark.skipif(sys.platform == "win32", reason="no signals to kill with")
@pytest.mark.usefixtures("quick_workers")
def test_a_worker_killed_under_the_studio(settings: Settings, draw: Draw) -> None:
    with Studio(settings) as studio:
        job_id = studio.pictures.submit([draw(steps=1000, seed=seed) for seed in range(50)])
        wait_for(studio, job_id, "progress")
        os.kill(studio.status().pid or 0, signal.SIGKILL)
        told = wait_for(studio, job_id, "interrupted")
        job = studio.jobs.get(job_id)
        assert (job.status, job.worker_died, job.error) == ("interrupted", True, told.data["error"])
        assert len(studio.pictures.draw([draw()])) == 1
