"""Comparisons of an open studio: nothing is drawn twice, what cannot be drawn is said, what is kept comes back."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import EditRef, GuidanceSpec, Recipe
from studio.core.settings import Settings
from studio.services.comparisons.comparison import Column, Comparison, Row
from studio.services.studio import Studio
from tests.services.waiting import PATIENCE_S, wait_for

Draw = Callable[..., Recipe]


@pytest.fixture
def studio(settings: Settings) -> Iterator[Studio]:
    with Studio(settings, backend="inline") as made:
        yield made


def comparison_of(*recipes: Recipe, seeds: int = 2, **values: object) -> Comparison:
    columns = tuple(Column(seed=seed) for seed in range(seeds))
    return Comparison.load(
        {"rows": [Row(recipe=recipe).model_dump(mode="json") for recipe in recipes], **values}
    ).model_copy(update={"columns": columns})


def draw_all(studio: Studio, comparison: Comparison) -> list[int]:
    """How many pictures each of its jobs made."""
    counts: list[int] = []
    for job in studio.comparisons.draw(comparison):
        wait_for(studio, job, "done")
        counts.append(len(studio.archive.generations.of_job(job)))
    return counts


def states(studio: Studio, comparison: Comparison) -> list[list[str]]:
    return [[cell.state for cell in row] for row in studio.comparisons.cells(comparison)]


def test_a_new_row_draws_only_itself_and_equal_rows_once(studio: Studio, draw: Draw) -> None:
    comparison = comparison_of(draw(), draw(steps=4), draw(seed=9))  # the third is the first, once the seeds are said
    assert states(studio, comparison) == [["missing"] * 2] * 3
    assert draw_all(studio, comparison) == [4]
    cells = studio.comparisons.cells(comparison)
    for row in cells:
        for cell in row:
            assert cell.state == "drawn" and cell.picture is not None and cell.picture.origin == "comparison"
            assert cell.picture.recipe == cell.recipe and cell.recipe.seed == cell.column
    first, third = cells[0][1].picture, cells[2][1].picture
    assert first is not None and third is not None and first.id == third.id
    assert draw_all(studio, comparison) == []
    longer = comparison.model_copy(update={"rows": (*comparison.rows, Row(recipe=draw(steps=5)))})
    assert states(studio, longer)[3] == ["missing"] * 2 and draw_all(studio, longer) == [2]
    assert draw_all(studio, comparison.model_copy(update={"columns": (Column(seed=0), Column(seed=7))})) == [2]


def test_pictures_of_the_history_are_cells_and_one_in_the_bin_is_none(studio: Studio, draw: Draw) -> None:
    (picture,) = studio.pictures.draw([draw(seed=1)])  # isolated: the same to rounding as in company
    comparison = comparison_of(draw())
    assert states(studio, comparison) == [["missing", "drawn"]]
    alone = comparison.model_copy(update={"batching": "isolated"})
    assert states(studio, alone) == [["missing", "drawn"]]
    studio.history.delete([picture.id])
    assert states(studio, comparison) == [["missing", "missing"]]
    assert draw_all(studio, comparison) == [2]
    assert states(studio, alone) == [["missing", "missing"]]  # what was drawn in company is not one drawn alone


def test_what_is_under_way_is_not_queued_again_and_a_stop_keeps_what_is_drawn(
    studio: Studio, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep, may_go_on, pictures = studio.archive.keep_picture, threading.Event(), itertools.count()

    def held(*args: Any, **values: Any) -> Any:
        """The engine is held at the second picture, until the job was told to stop."""
        if next(pictures) == 1:
            assert may_go_on.wait(PATIENCE_S)
        return keep(*args, **values)

    monkeypatch.setattr(studio.archive, "keep_picture", held)
    comparison = comparison_of(draw(steps=4), draw(steps=5), seeds=4)
    (job,) = studio.comparisons.draw(comparison)
    wait_for(studio, job, "image")
    assert studio.comparisons.draw(comparison) == ()
    cells = [cell for row in studio.comparisons.cells(comparison) for cell in row]
    assert [cell.state for cell in cells].count("drawn") == 1
    assert {cell.job for cell in cells if cell.picture is None} == {job}
    assert sorted(cell.place for cell in cells if cell.picture is None) == sorted({0, 1, 2, 3, 4, 5, 6, 7} - {0})
    prompt_job = studio.pictures.submit([draw(seed=3, steps=5, batching="shared")])
    studio.comparisons.stop(comparison)
    may_go_on.set()
    wait_for(studio, job, "cancelled")
    wait_for(studio, prompt_job, "done")  # somebody else's job goes on
    cells = [cell for row in studio.comparisons.cells(comparison) for cell in row]
    missing = [cell for cell in cells if cell.state == "missing"]
    assert missing and len(missing) < len(cells)
    assert {cell.trouble for cell in missing} == {"Drawing was stopped."}
    again = studio.jobs.retry(job)  # draws what is missing, and not all
    wait_for(studio, again, "done")
    with pytest.raises(BadInput, match="Every picture of this job is drawn by now"):
        studio.jobs.retry(job)
    assert len(studio.archive.generations.of_job(again)) == len(missing)


def test_a_row_that_cannot_be_drawn_says_why_and_the_others_are_drawn(studio: Studio, draw: Draw) -> None:
    refused = [
        (draw(model="nowhere"), "nowhere"),
        (draw(edits=[{"edit": "gone"}]), "There is no edit named 'gone'."),
        (draw(guidance={"method": "cfg", "params": {"scale": 1}}), "scale"),
    ]
    comparison = comparison_of(draw(), *(recipe for recipe, _ in refused))
    plan = studio.comparisons.plan(comparison)
    assert [row.refusal == "" for row in plan.rows] == [True, False, False, False]
    for row, (_, words) in zip(plan.rows[1:], refused, strict=True):
        assert words in row.refusal and "\n" not in row.refusal and row.refused == 2
    assert (plan.missing, plan.refused, plan.finished) == (2, 6, 0)
    assert draw_all(studio, comparison) == [2]
    with pytest.raises(BadInput, match="Nothing of this can be drawn"):
        studio.comparisons.draw(comparison, rows=[1])
    with pytest.raises(BadInput, match="no rows"):
        studio.comparisons.draw(Comparison())


def test_one_cell_may_be_refused_alone(studio: Studio, draw: Draw) -> None:
    joined = " AND ".join(f"star {n}" for n in range(600))  # more texts than a picture takes
    comparison = Comparison(rows=(Row(recipe=draw()),), columns=(Column(prompt="a star"), Column(prompt=joined)))
    plan = studio.comparisons.plan(comparison)
    assert plan.rows[0].refusal == "" and (plan.missing, plan.refused) == (1, 1)
    assert "\n" not in studio.comparisons.cells(comparison)[0][1].refusal
    assert draw_all(studio, comparison) == [1]


def test_the_plan_counts_network_evaluations_and_knows_the_time_once_something_was_drawn(
    studio: Studio, draw: Draw
) -> None:
    plain, guided = GuidanceSpec(params={"guidance_scale": 1.0}), GuidanceSpec(params={"guidance_scale": 3.0})
    comparison = comparison_of(draw(guidance=plain.model_dump()), draw(guidance=guided.model_dump()))
    plan = studio.comparisons.plan(comparison)
    assert [row.nfe for row in plan.rows] == [3, 6] and plan.nfe == 2 * (3 + 6) and plan.seconds is None
    assert [row.name for row in plan.rows] == ["row 1", "guidance scale 3"]
    draw_all(studio, comparison)
    further = studio.comparisons.plan(comparison.model_copy(update={"columns": (Column(seed=8),)}))
    assert further.seconds is not None and further.seconds > 0
    equal = comparison.model_copy(update={"equal_nfe": True})
    cells = studio.comparisons.cells(equal)
    assert [row[0].recipe.steps for row in cells] == [3, 1]  # two rows of network work a step, within three
    assert [row.nfe for row in studio.comparisons.plan(equal).rows] == [3, 2]


def test_remarks_say_what_is_no_fair_comparison(studio: Studio, draw: Draw) -> None:
    chance = Comparison(rows=(Row(recipe=draw(seed=1)), Row(recipe=draw(seed=2))))
    assert any("may be chance" in remark for remark in studio.comparisons.plan(chance).remarks)
    sizes = comparison_of(draw(), draw(width=draw().width * 2))
    assert any("equal seeds are not equal noise" in remark for remark in studio.comparisons.plan(sizes).remarks)
    alike = comparison_of(draw(), draw(steps=4), batching="isolated")
    assert studio.comparisons.plan(alike).remarks == ()
    idle = comparison_of(draw(), draw(negative_prompt="red", guidance={"params": {"guidance_scale": 1.0}}))
    assert any("no effect" in remark for remark in studio.comparisons.plan(idle).rows[1].remarks)


def test_pictures_of_other_weights_under_one_name_are_told(studio: Studio, draw: Draw) -> None:
    comparison = comparison_of(draw(), seeds=2)
    draw_all(studio, comparison)
    assert not any("different weights" in remark for remark in studio.comparisons.plan(comparison).remarks)
    picture = studio.comparisons.cells(comparison)[0][0].picture
    assert picture is not None
    png = picture.image_path.read_bytes()
    studio.archive.keep_picture(
        png, job=None, recipe=picture.recipe, made_by={"model_hash": "another"}, place=None, seq=None
    )
    assert any(
        "stencil were drawn by different weights" in remark for remark in studio.comparisons.plan(comparison).remarks
    )
    draw_again = studio.comparisons.draw(comparison, again=True)
    wait_for(studio, draw_again[0], "done")
    assert not any("different weights" in remark for remark in studio.comparisons.plan(comparison).remarks)


def test_comparisons_are_kept_by_name_and_a_broken_file_costs_itself_alone(studio: Studio, draw: Draw) -> None:
    service = studio.comparisons
    first = comparison_of(draw(), name="Scales: 1/3")
    assert service.save(first).rows == 1
    second = first.model_copy(
        update={"reference": 0, "rows": (*first.rows, Row(recipe=draw(edits=[EditRef(edit="x").model_dump()])))}
    )
    service.save(second)
    service.save(first.model_copy(update={"name": "another"}))
    assert [(entry.name, entry.rows, entry.problem) for entry in service.list()] == [
        ("another", 1, ""),
        ("Scales: 1/3", 2, ""),
    ]
    assert service.load("Scales: 1/3") == second
    folder = studio.archive.workspace.root / "comparisons"
    for path in folder.glob("*.json"):
        if b"Scales" in path.read_bytes():
            path.write_bytes(path.read_bytes()[:-40])
    assert service.load("Scales: 1/3") == first  # the version before
    assert [bool(entry.problem) for entry in service.list()].count(True) == 1
    service.remove("another")
    for missing in ("another", "../another", ""):
        with pytest.raises(NotFound, match="no saved comparison"):
            service.load(missing)
    for name in ("", " x", "a\nb"):
        with pytest.raises(BadInput, match="The name of a comparison"):
            service.save(first.model_copy(update={"name": name}))
