from __future__ import annotations

import io
import time
from typing import Any

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import Recipe
from studio.services.estimate import seconds_for
from studio.ui.prompt import files, grid
from tests.ui.fake_studio import FakeStudio
from tests.ui.test_form import FILLED

VALUES: dict[str, Any] = FILLED | {"steps": 1}
NINE = ["seed", "1-3", "S/R", "star, ring, fish", "", ""]


def drawn(fake: FakeStudio, number: int | None) -> None:
    assert number is not None
    if job := fake.grids.get(number).job_id:
        fake.ended(job)


def test_a_grid_of_nine_fills_and_is_written_as_a_sheet(fake: FakeStudio) -> None:
    number, shown = grid.start(fake, VALUES, (), NINE)
    assert number == 1 and shown.count("<td") == 10 and "pictures" in shown
    drawn(fake, number)
    shown, drawing = grid.show(fake, number)
    assert shown.count("data-pick") == 9 and not drawing and "9 of 9 pictures" in shown and "seed: 2" in shown
    client = TestClient(Starlette(routes=files.routes(fake)))
    answer = client.get("/grids/1.png")
    assert answer.status_code == 200 and Image.open(io.BytesIO(answer.content)).width > 3 * 128
    assert client.get("/grids/2.png").status_code == client.get(f"/grids/{10**30}.png").status_code == 404
    assert grid.earlier(fake) == [("Grid 1", 1)]


def test_a_grid_is_stopped_and_gone_on_with(fake: FakeStudio) -> None:
    fake.sketcher.step_s = 0.05
    number, _ = grid.start(fake, VALUES, (), NINE)
    assert number is not None
    while fake.grids.get(number).missing > 7:
        time.sleep(0.01)
    shown, _ = grid.act(fake, "stop", number)
    drawn(fake, number)
    shown, drawing = grid.show(fake, number)
    missing = fake.grids.get(number).missing
    assert f"Draw the missing {missing}" in shown and not drawing and 0 < missing < 9
    fake.sketcher.step_s = 0
    _, drawing = grid.act(fake, "resume", number)
    assert drawing
    drawn(fake, number)
    assert fake.history.count() == 9  # nothing was drawn twice


def test_the_forecast_counts_and_estimates(fake: FakeStudio) -> None:
    assert "1-9 (+2)" in grid.forecast(fake, VALUES, (), ["", "", "", "", "", ""])
    said = grid.forecast(fake, VALUES, (), NINE)
    assert "3 × 3 = 9 pictures" in said and "after a first picture" in said
    fake.ended(fake.pictures.submit([Recipe(steps=10)]))
    assert seconds_for(fake.jobs, [Recipe(steps=20)]) == pytest.approx(2.0)  # the sketcher says that a job took 1 s
    assert "about 9 s" in grid.forecast(fake, VALUES | {"steps": 10}, (), NINE)
    assert seconds_for(fake.jobs, [Recipe(model="other")]) is None


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        (["steps", "1-", "", ""], "neither a number nor a range"),
        (["seed", "1-300", "", ""], "256"),
        (["seed", "1-17", "steps", "1-17"], "at most 256"),
        (["edits.0.strength", "1", "", ""], "edits"),
        (["S/R", "zebra, x", "", ""], "zebra"),
        (["steps", "0", "", ""], "steps"),
        (["seed", "1", "seed", "2"], "different parameters"),
        (["evil.path", "1", "", ""], "no parameter"),
        (["sampler", "ddim, nothing", "", ""], "nothing"),
        (["prompt", "<b>", "steps", "x"], "'x'"),
    ],
)
def test_axes_that_cannot_be_are_told_before_anything_is_drawn(fake: FakeStudio, axes: list[str], said: str) -> None:
    assert said in grid.forecast(fake, VALUES, (), axes).replace("&#x27;", "'")
    number, message = grid.start(fake, VALUES, (), axes)
    assert number is None and 'role="alert"' in message and not fake.jobs.newest()


def test_where_the_method_changes_its_parameters_do_not_go_along(fake: FakeStudio) -> None:
    axes = ["guidance.method", "cfg, apg", "sampler", "ddim, dpmpp_2m", "", ""]
    number, said = grid.start(fake, VALUES | {"sampler": "ddim", "sampler.first": '{"ddim": {"eta": 0.5}}'}, (), axes)
    assert number is not None, said
    drawn(fake, number)
    assert {made.recipe.guidance.method for made in fake.history.newest()} == {"cfg", "apg"}


def test_every_choice_of_an_axis_is_one_the_service_knows(fake: FakeStudio) -> None:
    from studio.services.grids.axes import parse_axis
    from tests.ui.test_form import recipes

    (base,) = recipes(VALUES)
    paths = [path for _, path in grid.choices() if path and not path.startswith(("edits.", "guidance.params."))]
    assert len(paths) > 10
    for path in paths:
        values = "cfg" if path == "guidance.method" else "1"
        assert parse_axis(base, path, values).path == path


def test_grids_that_are_not_there_show_nothing(fake: FakeStudio) -> None:
    for number in (None, 0, 99):
        assert grid.show(fake, number) == ("", False)
    with pytest.raises(NotFound):
        grid.act(fake, "resume", 99)
    number, _ = grid.start(fake, VALUES, (), NINE)
    drawn(fake, number)
    with pytest.raises(BadInput):
        grid.act(fake, "explode", 1)


def test_labels_are_escaped(fake: FakeStudio) -> None:
    number, shown = grid.start(fake, VALUES, (), ["prompt", '"<b>a</b>", b', "", "", "", ""])
    assert "<b>a" not in shown and "&lt;b&gt;a" in shown
    drawn(fake, number)
