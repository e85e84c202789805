"""From rows to pictures: one batch, equal work, one row again, sweeps; and what is seen of them."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.core.errors import BadInput
from studio.core.recipe import GuidanceSpec
from studio.core.settings import Settings
from studio.services import account
from studio.services.studio import Studio
from studio.ui.components.rows import Rows
from studio.ui.guidance import board as boards
from studio.ui.guidance import results, run, sweep
from studio.ui.methods import defaults
from tests.tiny_model import SIZE_PX, build_once

GIVEN = {"prompt": "a red star", "negative": "", "seed": "7", "seeds": 1, "steps": 3, "sampler": "dpmpp_2m"}


@pytest.fixture(scope="module")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_once(tmp_path_factory)


@pytest.fixture
def studio(tiny_model: Path, tmp_path: Path) -> Iterator[Studio]:
    settings = Settings(workspace=tmp_path / "workspace", model_dir=tiny_model, device="cpu", threads=1)
    with Studio(settings, backend="inline") as made:
        yield made


def base(studio: Studio, **given: Any) -> Any:
    return run.base_of(studio, "stencil", {**GIVEN, **given}, [])


def test_all_rows_on_all_seeds_are_one_job(studio: Studio) -> None:
    board = run.compare(studio, boards.new(), base(studio), 2, equal=False)
    jobs = {cell.job for cell in board.cells}
    assert len(jobs) == 1 and len(board.cells) == 8 and board.seeds == ["7", "8"]
    studio.pictures.finish(jobs.pop())
    now = results.show(studio, board)
    assert not now.busy and len(now.pictures) == 8
    for (row, seed), picture in now.pictures.items():
        assert picture.recipe.guidance.method == board.rows[row].method and str(picture.recipe.seed) == seed
    assert now.html.count("<figcaption") == 8 and "NFE" in now.html and "saturation" in now.html


def test_beneath_every_picture_stand_the_same_numbers_in_the_same_order(studio: Studio) -> None:
    board = run.compare(studio, boards.new(), base(studio), 1, equal=False)
    names = ["NFE", "steps", "time", "saturation", "clipped"]

    def shown() -> list[list[str]]:
        return [
            re.findall(r"<dt>([^<]*)</dt>", card) for card in results.show(studio, board).html.split("card-name")[1:]
        ]

    assert shown() == [names] * 4  # places are kept for them, so that nothing moves when they come
    made = studio.pictures.finish(board.cells[0].job)
    made[0].image_path.unlink()
    assert shown() == [names] * 4
    drawn = results.show(studio, board).pictures
    clipped = [results.measures(studio, drawn[row.id, "7"], names)["clipped"] for row in board.rows]
    assert clipped[0] == "–" and all(re.fullmatch(r"\d+\.\d%", told) for told in clipped[1:])


def test_of_several_seeds_the_cost_is_told_once_a_row(studio: Studio) -> None:
    board = run.compare(studio, boards.new(), base(studio), 2, equal=False)
    studio.pictures.finish(board.cells[0].job)
    html = results.show(studio, board).html
    assert html.count(" NFE · 3 steps · ") == 4 and html.count("<dt>NFE</dt>") == 0
    assert html.count("<dt>clipped</dt>") == 8


def test_a_job_is_timed_once_however_many_pictures_it_has(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    board = run.compare(studio, boards.new(), base(studio), 2, equal=False)
    studio.pictures.finish(board.cells[0].job)
    asked: list[int] = []
    monkeypatch.setattr(results.account, "of", lambda studio, id, of=account.of: asked.append(id) or of(studio, id))
    results.show(studio, board)
    # To time the job, for its numbers, for its row's, for the sum of all.
    assert max(asked.count(id) for id in asked) <= 4


def test_equal_work_gives_dear_rows_fewer_steps(studio: Studio) -> None:
    board = boards.Board(Rows.of([boards.new().chosen]))
    board = boards.add(board, {"method": "pag", "params": {"guidance_scale": 4.0, "pag_scale": 2.0}})
    board = run.compare(studio, board, base(studio, steps=6), 1, equal=True)
    studio.pictures.finish(board.cells[0].job)
    drawn = results.show(studio, board).pictures
    assert [drawn[row.id, "7"].recipe.steps for row in board.rows] == [6, 4]


def test_one_row_is_drawn_again_on_the_seeds_that_are_shown(studio: Studio) -> None:
    board = run.compare(studio, boards.new(), base(studio), 1, equal=False)
    first = board.cells[0].job
    studio.pictures.finish(first)
    board = boards.change(board, "param", 2, name="guidance_scale", value=9.0)
    board = run.again(studio, board, 2, base(studio, seed="12345"), equal=False)
    (made,) = studio.pictures.finish(next(cell.job for cell in board.cells if cell.row == 2))
    assert made.recipe.seed == 7 and made.recipe.guidance.params["guidance_scale"] == 9.0
    assert {cell.job for cell in board.cells if cell.row != 2} == {first}


def test_a_row_that_cannot_be_drawn_is_named_and_nothing_is_queued(studio: Studio) -> None:
    board = boards.change(boards.new(), "param", 2, name="guidance_scale", value=99.0)
    with pytest.raises(BadInput, match="guidance_scale must be a number from 0 to 30"):
        run.compare(studio, board, base(studio), 1, equal=False)
    told, wrong = run.formulas(board, studio, "stencil")
    assert set(wrong) == {2} and "from 0 to 30" in wrong[2] and set(told) == {1, 3, 4}
    assert not studio.jobs.newest()


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [("steps", float("nan"), "steps"), ("steps", 1e6, "steps"), ("steps", None, "steps"), ("seed", "x", "seed")],
)
def test_fields_out_of_range(studio: Studio, field: str, value: Any, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        base(studio, **{field: value})


@pytest.mark.parametrize("seeds", [0, 5, None, float("nan"), True])
def test_seeds_out_of_range(studio: Studio, seeds: Any) -> None:
    with pytest.raises(BadInput, match="One to 4 seeds"):
        run.compare(studio, boards.new(), base(studio), seeds, equal=False)


def test_a_sweep_is_a_filmstrip_with_curves(studio: Studio) -> None:
    board = run.sweep(studio, boards.new(), base(studio), "guidance_scale", 0, 10, 3)
    assert board.sweep and (board.sweep.name, board.sweep.values) == ("guidance_scale", (0.0, 5.0, 10.0))
    html, busy = sweep.sweep_html(studio, board.sweep)
    assert busy and html.count("To be drawn") == 3
    studio.pictures.finish(board.sweep.job)
    html, busy = sweep.sweep_html(studio, board.sweep)
    assert not busy and html.count("data-pick") == 3 and html.count("<svg") == 3
    assert [re.findall(r"<figcaption>([^<]*)", html)] == [["0", "5", "10"]]
    found = sweep.measured(studio, board.sweep.job, "guidance_scale")
    table = list(csv.DictReader(io.StringIO(sweep.to_csv(found, "guidance_scale"))))
    assert [float(line["guidance_scale"]) for line in table] == [0, 5, 10]
    assert all(0 <= float(line["saturation"]) <= 1 for line in table)


@pytest.mark.parametrize(
    ("name", "low", "high", "count", "told"),
    [
        ("guidance_scale", 0, 31, 3, "from 0 to 30"),
        ("guidance_scale", float("nan"), 3, 3, "goes from a number"),
        ("guidance_scale", 2, 2, 3, "two different values"),
        ("guidance_scale", 0, 3, 13, "2 to 12 pictures"),
        ("formulation", 0, 3, 3, "no number 'formulation'"),
        ("", 0, 3, 3, "Choose what to sweep"),
    ],
)
def test_sweeps_that_cannot_be(studio: Studio, name: str, low: Any, high: Any, count: Any, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        run.sweep(studio, boards.new(), base(studio), name, low, high, count)


def test_a_value_that_was_not_drawn_leaves_its_place_empty() -> None:
    colours = {"saturation": 0.2, "contrast": 0.1, "clipped": 0.05}
    (_, _, clipped) = sweep.panels([(0.0, 1, colours), (10.0, 2, colours)], "guidance_scale", [0.0, 5.0, 10.0])
    assert clipped.names == ("0", "5", "10")
    first, middle, last = clipped.series[0].y
    assert (first, last) == (5.0, 5.0) and math.isnan(middle)  # per cent


def test_whole_numbers_are_swept_as_such() -> None:
    guidance = GuidanceSpec.model_validate(defaults("cfg_mp"))
    assert sweep.values(guidance, "iterations", 0, 3, 7) == [0.0, 1.0, 2.0, 3.0]


def test_the_sizes_fit_the_model(studio: Studio) -> None:
    assert (base(studio).width, base(studio).height) == (SIZE_PX, SIZE_PX)


@pytest.mark.parametrize("kept", [None, 7, "x", [], {"steps": 5}, {"prompt": 3, "steps": "9", "seeds": 0, "equal": 1}])
def test_what_a_browser_kept_is_put_back_where_it_fits(kept: Any) -> None:
    held = run.stored_fields(kept)
    assert held == ({"steps": 5} if kept == {"steps": 5} else {})


def test_all_that_the_fields_can_hold_is_put_back() -> None:
    whole = {"prompt": "<b>", "negative": "", "seed": "-1", "seeds": 4, "steps": 100, "sampler": "ddim", "equal": True}
    assert run.stored_fields(whole) == whole and set(whole) == set(run.FIELDS)
    for name, beyond in (
        ("seeds", 5),
        ("steps", 101),
        ("steps", float("nan")),
        ("sampler", "gone"),
        ("sampler", None),
        ("prompt", "x" * 20_001),
        ("steps", True),
    ):
        assert name not in run.stored_fields({**whole, name: beyond})
