from __future__ import annotations

import time

import pytest

from studio.core.errors import StudioError
from studio.core.recipe import EditRef, Recipe
from studio.ui import sidebar
from studio.ui.components import queue
from studio.ui.prompt import jobs, view
from studio.ui.wiring import Event
from tests.ui.fake_studio import FakeStudio
from tests.ui.test_form import FILLED


def test_generating_answers_at_once_and_the_job_is_seen_to_its_end(fake: FakeStudio) -> None:
    fake.sketcher.step_s = 0.02
    job, now = jobs.submit(fake, FILLED)
    assert now.drawing and now.message == ""
    assert [entry.description for entry in fake.jobs.queue()] == ["1 picture: a star"]
    fake.ended(job)
    watched, now = view.watching(fake, job)
    assert watched is None and not now.drawing and now.progress == ""
    assert "/pictures/1.png" in (now.canvas or "") and now.picture_id == 1
    assert "Restore settings" in (now.caption or "") and "data-pick" in (now.past or "")


def test_a_refused_form_queues_nothing_and_leaves_the_picture(fake: FakeStudio) -> None:
    job, now = jobs.submit(fake, FILLED | {"seed": "<b>"})
    assert job is None and not fake.jobs.newest() and not now.drawing
    assert now.canvas is None and "&lt;b&gt;" in (now.message or "")


def test_generating_while_a_job_is_drawn_adds_to_the_queue_and_goes_on_watching(fake: FakeStudio) -> None:
    fake.sketcher.step_s = 0.02
    first, _ = jobs.submit(fake, FILLED)
    second, now = jobs.submit(fake, FILLED | {"prompt": "a ring"}, watched=first)
    third, _ = jobs.submit(fake, FILLED | {"prompt": "a fish"}, watched=first)
    assert second == third == first and "In the queue, number 1" in (now.message or "") and now.canvas is None
    assert [entry.description for entry in fake.jobs.queue()] == [
        "1 picture: a star",
        "1 picture: a ring",
        "1 picture: a fish",
    ]
    fake.ended(first)
    watched, now = view.watching(fake, first)
    assert watched not in (None, first)  # told to its end, and the next one is watched from then on
    assert view.watching(fake, watched)[1].drawing
    for job in fake.jobs.unfinished():
        fake.jobs.stop(job.id)


def test_a_job_that_came_and_went_between_two_looks_is_told_too(fake: FakeStudio) -> None:
    fake.ended(fake.pictures.submit([Recipe(prompt="a ring", steps=1)]))
    _, now = view.watching(fake, None, newest_id=0)
    assert (
        now.picture_id == now.newest_id == 1
        and "/pictures/1.png" in (now.canvas or "")
        and "data-pick" in (now.past or "")
    )
    assert view.watching(fake, None, newest_id=1)[1].canvas is None
    assert view.watching(fake, None, pinned=True, newest_id=0)[1].canvas is None
    fake.ended(fake.pictures.submit([Recipe(steps=1)], priority="background"))
    assert view.watching(fake, None, newest_id=1)[1].canvas is None  # a grid's pictures are in the grid
    fake.ended(fake.pictures.submit([Recipe(steps=1)], origin="guidance"))
    assert view.watching(fake, None, newest_id=1)[1].canvas is None  # and those of a comparison beside its rows
    fake.sketcher.hold = True
    beside = fake.pictures.submit([Recipe(steps=1)], origin="guidance")
    assert view.attached(fake, None) is None
    fake.jobs.stop(beside)


def test_a_job_that_ended_behind_the_one_watched_is_told_with_it(fake: FakeStudio) -> None:
    fake.sketcher.step_s = 0.05
    watched, _ = jobs.submit(fake, FILLED | {"count": 12})
    behind = fake.pictures.submit([Recipe(prompt="a green fish", steps=1)])
    assert watched
    fake.jobs.stop(watched, keep=False)
    fake.ended(watched)
    fake.ended(behind)  # both before the page looks again
    following, now = view.watching(fake, watched)
    assert (
        following is None
        and "a green fish" in (now.caption or "")
        and now.picture_id == now.newest_id == fake.history.newest(1)[0].id
    )
    assert "Stopped" in (now.message or "")
    assert "Stopped" in (view.watching(fake, watched, pinned=True)[1].message or "")


def test_another_page_follows_the_same_job(fake: FakeStudio) -> None:
    fake.sketcher.step_s = 0.05
    first, _ = jobs.submit(fake, FILLED)
    jobs.submit(fake, FILLED, watched=first)
    watched, now = view.on_opening(fake, None)
    assert watched == first and now.drawing and f'data-watch="{first}"' in (now.progress or "")
    for job in fake.jobs.unfinished():
        fake.jobs.stop(job.id)


def test_stop_is_of_all_that_the_tab_has_in_the_queue_and_of_nothing_else(fake: FakeStudio) -> None:
    fake.sketcher.hold = True
    first = jobs.submit(fake, FILLED)[0] or ""
    while fake.jobs.queue()[0].state != "running":
        pass
    beside = fake.pictures.submit([Recipe(steps=50)], origin="guidance")
    waiting = [jobs.submit(fake, FILLED, watched=first)[0] for _ in range(2)]
    assert waiting == [first, first] and len(view.of_tab(fake)) == 3
    now = view.of_job(fake, first)
    assert view.answer(now)["stop"].value == "Stop all" and now.waiting == 2
    behind = view.of_tab(fake)[1:]
    assert jobs.stop(fake) == 2
    following, now = view.watching(fake, fake.ended(first), taken_out=2)
    assert following is None and "2 jobs that waited were taken out of the queue" in (now.message or "")
    assert view.answer(now)["stop"].value == "Stop"
    kinds = [[event.kind for event in fake.jobs.events(job)] for job in behind]
    assert kinds == [["queued", "cancelled"]] * 2  # none had begun when the one before it stopped
    assert [entry.job_id for entry in fake.jobs.queue()] == [beside]  # which another tab has asked for
    fake.jobs.stop(beside)
    assert jobs.stop(fake) == 0


@pytest.mark.parametrize("keep", [True, False])
def test_stop_keeps_what_is_finished_and_discarding_does_not(fake: FakeStudio, keep: bool) -> None:
    fake.sketcher.step_s = 0.005
    job, _ = jobs.submit(fake, FILLED | {"count": 16})
    while not fake.history.count():
        time.sleep(0.005)
    if keep:
        jobs.stop(fake)
    else:
        jobs.discard(fake, (job, None))
    _, now = view.watching(fake, fake.ended(job))
    assert ("kept." if keep else "moved into the bin.") in (now.message or "")
    assert (fake.history.count() > 0) is keep and ("/pictures/" in (now.canvas or "")) is keep


def test_a_failure_is_told_with_its_sentence_and_can_be_run_again(fake: FakeStudio) -> None:
    fake.sketcher.fail_at = 3
    job = fake.ended(jobs.submit(fake, FILLED)[0])
    _, now = view.watching(fake, job)
    assert "A NaN appeared at a &lt;b&gt;step" in (now.message or "") and not now.drawing
    assert 'data-act="retry"' in queue.ended_html(fake.jobs.ended_early())
    fake.sketcher.fail_at = None
    sidebar.act(fake, Event(data={"act": "retry", "job": job}))
    (again, _) = fake.jobs.newest()
    assert again.retry_of == job and fake.jobs.ended_early() == []
    fake.ended(again.id)
    assert view.watching(fake, None, newest_id=0)[1].picture_id == 1  # the tab finds it by itself


def test_jobs_that_wait_are_moved_and_taken_out(fake: FakeStudio) -> None:
    fake.sketcher.step_s = 0.05
    a, b, c, d = (fake.pictures.submit([Recipe(prompt=name)]) for name in "abcd")
    for what, job, order in (
        ("up", c, [a, c, b, d]),
        ("down", c, [a, b, c, d]),
        ("down", c, [a, b, d, c]),
        ("down", c, [a, b, d, c]),
        ("up", b, [a, b, d, c]),
        ("cancel", d, [a, b, c]),
    ):
        sidebar.act(fake, Event(data={"act": what, "job": job}))
        assert [entry.job_id for entry in fake.jobs.queue()] == order, (what, job)
    shown = queue.queue_html(fake.jobs.queue())
    assert shown.count('data-act="up"') == 2 and shown.count("disabled") == 2 and "Waiting, number 2" in shown
    for job in (a, b, c):
        fake.jobs.stop(job)


def test_what_can_no_longer_be_done_is_said(fake: FakeStudio) -> None:
    job = fake.ended(fake.pictures.submit([Recipe(steps=1)]))
    queue.act(fake, "stop", job)
    for what, of, said in (("up", job, "not waiting"), ("explode", job, "called"), ("retry", "nothing", "no job")):
        with pytest.raises(StudioError, match=said):
            queue.act(fake, what, of)


def test_the_edit_stack_goes_with_every_job(fake: FakeStudio, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Recipe] = []
    monkeypatch.setattr(fake.pictures, "submit", lambda recipes: seen.extend(recipes) or "job")
    monkeypatch.setattr(jobs, "follow", lambda studio, job, watched, query: (job, None))
    jobs.submit(fake, FILLED | {"count": 2}, [EditRef(edit="e", strength=0.5)])
    assert [recipe.edits[0].edit for recipe in seen] == ["e", "e"]


def test_a_reloaded_page_watches_its_job_again(fake: FakeStudio) -> None:
    fake.sketcher.step_s = 0.05
    job, _ = jobs.submit(fake, FILLED)
    for remembered in (job, None, "of another workspace"):
        assert view.attached(fake, remembered) == job
    watched, now = view.on_opening(fake, job)
    assert watched == job and now.drawing and now.past is not None
    fake.jobs.stop(job or "")


def test_with_nothing_running_a_page_opens_on_the_newest_picture(fake: FakeStudio) -> None:
    watched, now = view.on_opening(fake, "gone")
    assert watched is None and now.canvas == view.BLANK and now.picture_id == 0
    fake.ended(fake.pictures.submit([Recipe(prompt="a ring", steps=1)]))
    watched, now = view.on_opening(fake, None)
    assert watched is None and "/pictures/1.png" in (now.canvas or "") and "a ring" in (now.caption or "")


def test_a_pinned_picture_is_not_replaced_by_the_job(fake: FakeStudio) -> None:
    fake.sketcher.step_s = 0.01
    job = fake.pictures.submit([Recipe(steps=30)])
    now = view.of_job(fake, job, pinned=True)
    assert now.canvas is None and now.caption is None and now.picture_id is None and now.drawing
    fake.jobs.stop(job)
