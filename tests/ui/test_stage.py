from __future__ import annotations

import time
from pathlib import Path

from studio.core.recipe import Recipe
from studio.ui.components import stage
from studio.ui.tabs import prompt
from tests.ui.fake_studio import FakeStudio
from tests.ui.test_form import FILLED


def finish(fake: FakeStudio, job: str | None) -> str:
    assert job is not None
    deadline = time.monotonic() + 20
    while not fake.jobs[job].events[-1].final:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return job


def test_generating_answers_at_once_and_the_job_is_seen_to_its_end(tmp_path: Path) -> None:
    fake = FakeStudio(tmp_path, step_s=0.02)
    began = time.monotonic()
    job, shown = prompt.submit(fake, FILLED)  # type: ignore[arg-type]
    assert time.monotonic() - began < 0.2 and shown.busy and shown.message == ""
    finish(fake, job)
    shown = stage.of_job(fake, job or "")  # type: ignore[arg-type]
    assert not shown.busy and shown.progress == "" and "/pictures/1.png" in (shown.canvas or "")
    assert "Restore settings" in (shown.caption or "") and "data-pick" in (shown.past or "")


def test_a_refused_form_queues_nothing_and_leaves_the_picture(fake: FakeStudio) -> None:
    job, shown = prompt.submit(fake, FILLED | {"seed": "<b>"})  # type: ignore[arg-type]
    assert job is None and not fake.jobs and not shown.busy
    assert shown.canvas is None and "&lt;b&gt;" in (shown.message or "")


def test_stop_keeps_what_is_finished(tmp_path: Path) -> None:
    fake = FakeStudio(tmp_path, step_s=0.005)
    job, _ = prompt.submit(fake, FILLED | {"count": 16})  # type: ignore[arg-type]
    while not fake.made:
        time.sleep(0.005)
    prompt.stop(fake, job)  # type: ignore[arg-type]
    shown = stage.of_job(fake, finish(fake, job))  # type: ignore[arg-type]
    assert "kept." in (shown.message or "") and "/pictures/" in (shown.canvas or "")


def test_a_failure_is_told_with_its_sentence(tmp_path: Path) -> None:
    fake = FakeStudio(tmp_path, step_s=0.001, fail_at=3)
    shown = stage.of_job(fake, finish(fake, prompt.submit(fake, FILLED)[0]))  # type: ignore[arg-type]
    assert "A NaN appeared at a &lt;b&gt;step" in (shown.message or "") and not shown.busy


def test_a_reloaded_page_watches_its_job_again_and_another_page_finds_it(tmp_path: Path) -> None:
    fake = FakeStudio(tmp_path, step_s=0.05)
    job, _ = prompt.submit(fake, FILLED)  # type: ignore[arg-type]
    assert stage.attached(fake, job) == job  # type: ignore[arg-type]
    assert stage.attached(fake, None) == job  # type: ignore[arg-type]
    assert stage.attached(fake, "of another workspace") == job  # type: ignore[arg-type]
    watched, shown = stage.on_opening(fake, job)  # type: ignore[arg-type]
    assert watched == job and shown.busy and shown.past is not None
    fake.stop(job or "")


def test_with_nothing_running_a_page_opens_on_the_newest_picture(fake: FakeStudio) -> None:
    watched, shown = stage.on_opening(fake, "gone")  # type: ignore[arg-type]
    assert watched is None and shown.canvas == stage.BLANK
    finish(fake, fake.submit([Recipe(prompt="a ring", steps=1)]))
    watched, shown = stage.on_opening(fake, None)  # type: ignore[arg-type]
    assert watched is None and "/pictures/1.png" in (shown.canvas or "") and "a ring" in (shown.caption or "")


def test_a_pinned_picture_is_not_replaced_by_the_job(tmp_path: Path) -> None:
    fake = FakeStudio(tmp_path, step_s=0.01)
    job = fake.submit([Recipe(steps=30)])
    shown = stage.of_job(fake, job, pinned=True)  # type: ignore[arg-type]
    assert shown.canvas is None and shown.caption is None and shown.busy
    fake.stop(job)


def test_restoring_gives_the_form_of_that_picture(fake: FakeStudio) -> None:
    finish(fake, fake.submit([Recipe(prompt="a ring", seed=2**64 - 1, steps=1)]))
    assert prompt.restored(fake, 1)["seed"] == "18446744073709551615"  # type: ignore[arg-type]
    assert prompt.restored(fake, 1)["prompt"] == "a ring"  # type: ignore[arg-type]


def test_limits_and_searches_from_the_browser_are_brought_into_range(fake: FakeStudio) -> None:
    finish(fake, fake.submit([Recipe(prompt="a ring", steps=1)]))
    assert "data-pick" in stage.past(fake, limit=10**9)  # type: ignore[arg-type]
    assert "data-pick" in stage.past(fake, limit=-5)  # type: ignore[arg-type]
    assert "data-pick" not in stage.past(fake, search="x" * 5000)  # type: ignore[arg-type]


def test_surprises_are_about_the_world() -> None:
    assert prompt.surprise().split()[0] in ("a", "an")
