from __future__ import annotations

import io
import itertools
import time
from typing import Any

import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import EditRef, Recipe
from studio.services.estimate import seconds_for
from studio.services.grids.axes import parse_axis
from studio.ui.components import axes
from studio.ui.components.form import recipes
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
        (["sampler", "ddim, DDIM", "", ""], "twice"),
        (["sampler", " ", "", ""], "Which sampler? There are DDIM, DPM++ 2M,"),
        (["prompt", "<b>", "steps", "x"], "'x'"),
    ],
)
def test_axes_that_cannot_be_are_told_before_anything_is_drawn(fake: FakeStudio, axes: list[str], said: str) -> None:
    assert said in grid.forecast(fake, VALUES, (), axes).replace("&#x27;", "'")
    number, message = grid.start(fake, VALUES, (), axes)
    assert number is None and 'role="alert"' in message and not fake.jobs.newest()


def test_cells_whose_method_and_sampler_do_not_go_together_are_told_before_they_are_drawn(fake: FakeStudio) -> None:
    axes = ["guidance.method", "cfg, z_sampling", "sampler", "ddim, dpmpp_2m", "", ""]
    said = grid.forecast(fake, VALUES, (), axes)
    assert "2 × 2 = 4 pictures" in said and said.count("Zigzag (Z-Sampling)") == 1
    assert "Zigzag" not in grid.forecast(fake, VALUES, (), [*axes[:2], "sampler", "ddim, euler", "", ""])


def test_where_the_method_changes_its_parameters_do_not_go_along(fake: FakeStudio) -> None:
    axes = ["guidance.method", "cfg, apg", "sampler", "ddim, dpmpp_2m", "", ""]
    number, said = grid.start(fake, VALUES | {"sampler": "ddim", "sampler.first": '{"ddim": {"eta": 0.5}}'}, (), axes)
    assert number is not None, said
    drawn(fake, number)
    assert {made.recipe.guidance.method for made in fake.history.newest()} == {"cfg", "apg"}


def test_an_axis_offers_what_the_recipe_has_and_the_method_first() -> None:
    wrapped = VALUES | {
        "wrappers": '[{"wrapper": "interval", "params": {"start": 0.1, "stop": 0.7}}]',
        "sampler": "ddim",
    }
    refs = (EditRef(edit="gone-3"), EditRef(edit="blue-1"))
    base = recipes(wrapped, refs)[0]
    entries = axes.choices(wrapped, refs)
    groups = [group for group, _ in itertools.groupby(label.split(":")[0] for label, path in entries if path)]
    assert groups == ["CFG", "interval", "DDIM", "Prompt", "Picture", "Choice of", "Edit"]
    values = {"guidance.method": "cfg", "guidance.params.formulation": "uncond", "guidance.params.rescale_space": "x0"}
    for label, path in entries[1:]:
        assert parse_axis(base, path, values.get(path, "1")).path == path and "_" not in label, label
    assert {("interval: stop", "guidance.wrappers.0.params.stop"), ("DDIM: eta", "sampler_params.eta")} <= set(entries)
    assert entries[-1] == ("Edit: strength of blue-1", "edits.1.strength")
    of_apg = dict(axes.choices(VALUES | {"method": "apg"}))
    assert "APG: momentum" in of_apg and "CFG: rescale" not in of_apg  # of which no picture could be drawn
    kept = axes.choices(VALUES, (), ["guidance.params.momentum", None, "seed"])
    assert kept[-1] == ("momentum (not in this recipe)", "guidance.params.momentum")
    assert axes.choices(VALUES | {"wrappers": '[7, {"params": 3}]', "method": "gone", "sampler": "gone"})


def test_a_grid_that_is_opened_again_has_its_axes_in_the_form(fake: FakeStudio) -> None:
    typed = ["sampler", "euler A, DPM++ 2M", "S/R", 'star, "a ring, red"', "steps", "1-3 (+2)"]
    number, said = grid.start(fake, VALUES, (), typed)
    assert number is not None, said
    assert "Euler a" in said and "dpmpp_2m" not in said  # called as the page calls them
    again = grid.refilled(fake, number)
    assert list(again) == list(grid.AXIS_PARTS)
    assert list(again.values()) == ["sampler", "Euler a, DPM++ 2M", "S/R", 'star, "a ring, red"', "steps", "1, 3"]
    base = recipes(VALUES)[0]
    assert axes.read(fake, base, list(again.values())) == fake.grids.get(number).axes
    drawn(fake, number)
    other, _ = grid.start(fake, VALUES, (), ["seed", "3", "", "", "", ""])
    drawn(fake, other)
    assert list(grid.refilled(fake, other).values()) == ["seed", "3", "", "", "", ""]  # none of the others' is left
    assert grid.refilled(fake, 99) == grid.refilled(fake, None) == {}


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
