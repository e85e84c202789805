from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio.core.recipe import EditRef, Recipe
from studio.ui.components.query import Query
from studio.ui.edit_stack import EditRow, Stack, change
from studio.ui.prompt import jobs, redraw, view
from tests.ui.fake_studio import FakeStudio
from tests.ui.stencil_edits import edit_file
from tests.ui.test_form import FILLED


@pytest.fixture
def edit(fake: FakeStudio, tmp_path: Path) -> str:
    return fake.edits.import_file(edit_file(tmp_path / "mine.safetensors", "mine")).id


def test_a_strength_draws_the_picture_again_with_its_seed(fake: FakeStudio, edit: str) -> None:
    fake.ended(fake.pictures.submit([Recipe(prompt="a ring", seed=77, steps=1)]))
    before = fake.history.get(1)
    watched, job, now = redraw.redraw(fake, 1, Stack((EditRow(edit, 0.5),)), None, None)
    assert watched == job and now.drawing
    fake.ended(job)
    after = fake.history.get(2)
    assert after.recipe == before.recipe.model_copy(update={"edits": (EditRef(edit=edit, strength=0.5),)})
    assert after.sha256 != before.sha256
    assert view.watching(fake, job)[1].picture_id == 2


def test_of_a_job_that_is_over_at_once_the_history_shows_what_is_searched_for(
    fake: FakeStudio, edit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit = fake.pictures.submit

    def submit_and_wait(*given: Any) -> str:
        fake.ended(job := submit(*given))
        return job

    monkeypatch.setattr(fake.pictures, "submit", submit_and_wait)
    for prompt in ("a ring", "a fish"):
        _, now = jobs.submit(fake, FILLED | {"prompt": prompt}, query=Query(search="ring"))
        assert not now.drawing and "a ring" in (now.past or "") and "a fish" not in (now.past or "")
    stack = Stack((EditRow(edit),))
    _, _, now = redraw.redraw(fake, 2, stack, None, None, Query(search="ring"))
    assert not now.drawing and "a ring" in (now.past or "") and "a fish" not in (now.past or "")


def test_of_two_movements_the_second_counts(fake: FakeStudio, edit: str) -> None:
    fake.ended(fake.pictures.submit([Recipe(steps=3)]))
    fake.sketcher.step_s = 0.05
    first = redraw.redraw(fake, 1, Stack((EditRow(edit, 0.5),)), None, None)
    second = redraw.redraw(fake, 1, Stack((EditRow(edit, 0.9),)), first[0], first[1])
    assert second[1] not in (None, first[1])
    fake.ended(second[1])
    assert [made.recipe.edits for made in fake.history.newest()] == [(EditRef(edit=edit, strength=0.9),), ()]


def test_a_change_told_twice_is_drawn_once(fake: FakeStudio, edit: str) -> None:
    fake.ended(fake.pictures.submit([Recipe(steps=1)]))
    fake.sketcher.step_s = 0.1
    first = redraw.redraw(fake, 1, Stack((EditRow(edit),)), None, None)
    assert redraw.redraw(fake, 1, Stack((EditRow(edit),)), first[0], first[1])[:2] == first[:2]
    fake.ended(first[1])
    assert len(fake.jobs.newest()) == 2


def test_a_switch_there_and_back_leaves_the_picture_that_was_there(fake: FakeStudio, edit: str) -> None:
    fake.ended(fake.pictures.submit([Recipe(steps=5)]))
    fake.sketcher.step_s = 0.1
    watched, job, _ = redraw.redraw(fake, 1, Stack((EditRow(edit),)), None, None)
    watched, none, now = redraw.redraw(fake, 1, Stack((EditRow(edit, on=False),)), watched, job)
    assert watched is None and none is None and "/pictures/1.png" in (now.canvas or "") and now.progress == ""
    assert fake.jobs.get(fake.ended(job)).status == "cancelled" and [one.id for one in fake.history.newest()] == [1]


def test_nothing_is_drawn_for_what_changes_no_picture(fake: FakeStudio, edit: str) -> None:
    off = Stack((EditRow(edit, 1.0, on=False),))
    assert redraw.redraw(fake, 0, Stack((EditRow(edit),)), None, None)[1] is None  # no picture to draw again
    fake.ended(fake.pictures.submit([Recipe(steps=1)]))
    assert redraw.redraw(fake, 1, off, None, None)[1] is None
    fake.ended(fake.pictures.submit([Recipe(steps=1, edits=(EditRef(edit=edit),))]))
    two = change(off, "toggle", edit)
    assert redraw.redraw(fake, 2, two, None, None)[1] is None
    assert redraw.redraw(fake, 99, two, None, None)[1] is None
    assert len(fake.jobs.newest()) == 2


def test_an_edit_that_is_gone_is_told(fake: FakeStudio, edit: str) -> None:
    fake.ended(fake.pictures.submit([Recipe(steps=1)]))
    fake.edits.remove(edit)
    _, job, now = redraw.redraw(fake, 1, Stack((EditRow(edit),)), None, None)
    assert job is None and "no edit named" in (now.message or "")
    _, now = jobs.submit(fake, FILLED, [EditRef(edit=edit)])
    assert "no edit named" in (now.message or "")
