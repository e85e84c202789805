"""Edits that jobs need are not deleted."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import EditRef, Recipe
from studio.services.edits import use
from tests.ui.fake_studio import FakeStudio
from tests.ui.stencil_edits import edit_file


def test_an_edit_is_deleted_when_no_job_needs_it_any_more(tmp_path: Path) -> None:
    with FakeStudio(tmp_path / "workspace", step_s=0.05) as fake:
        one = fake.edits.import_file(edit_file(tmp_path / "one.safetensors", "one")).id
        other = fake.edits.import_file(edit_file(tmp_path / "other.safetensors", "other", size=0.2)).id
        running = fake.pictures.submit([Recipe(prompt="a star", steps=100)])
        waiting = fake.pictures.submit(
            [Recipe(prompt="a <b>ring", steps=1), Recipe(steps=1, edits=(EditRef(edit=one),))]
        )
        renamed = fake.edits.rename(one, "two").id
        for ref in (one, renamed, "two"):
            with pytest.raises(BadInput, match=r"The edit two is in use: 2 pictures: a <b>ring is drawn with it or"):
                use.remove(fake, ref)
        assert use.remove(fake, other).name == "other"
        fake.jobs.stop(running)
        fake.ended(waiting)
        assert use.remove(fake, one).id == renamed and not fake.edits.list()
        with pytest.raises(NotFound):
            use.remove(fake, one)


def test_an_edit_that_waits_to_be_evaluated_is_not_deleted(tmp_path: Path) -> None:
    with FakeStudio(tmp_path / "workspace", step_s=0.05) as fake:
        one = fake.edits.import_file(edit_file(tmp_path / "one.safetensors", "one")).id
        running = fake.pictures.submit([Recipe(prompt="a star", steps=100)])
        parts = [{"suite": "one-object", "pictures": 1}]
        waiting = fake.evaluations.start({"parts": parts, "stacks": [[], [{"edit": one}]]})
        with pytest.raises(BadInput, match="The edit one is in use: one-object with base, one"):
            use.remove(fake, one)
        fake.jobs.stop(waiting)
        assert use.remove(fake, one).name == "one"
        fake.jobs.stop(running)
