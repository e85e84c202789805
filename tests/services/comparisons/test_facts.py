"""Facts: of what is drawn and read alone, with their n; a row that changes nothing is named."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.services.comparisons.comparison import Column, Comparison, Row
from studio.services.comparisons.facts import CellFacts, FeaturesByPrompt, rows_of, units_of
from studio.services.studio import Studio
from studio.training.features.extractors import WORLD_CLIP
from studio.training.readings import store
from studio.world.reading import Reading, SeenThing
from tests.services.waiting import wait_for

Draw = Callable[..., Recipe]
PLAIN = {"params": {"guidance_scale": 1.0}}


@pytest.fixture
def studio(settings: Settings) -> Iterator[Studio]:
    with Studio(settings, backend="inline") as made:
        yield made


def test_facts_of_drawn_pictures_before_and_after_they_are_read(studio: Studio, draw: Draw) -> None:
    recipes = [
        draw(guidance=PLAIN, prompt="a red star"),
        draw(guidance=PLAIN, prompt="a red star", negative_prompt="blue"),  # asked of nothing at a scale of 1
        draw(prompt="a red star"),
        draw(guidance=PLAIN, prompt="a red star"),
        draw(model="nowhere"),
    ]
    columns = tuple(Column(seed=seed) for seed in range(3))
    comparison = Comparison(rows=tuple(Row(recipe=recipe) for recipe in recipes), columns=columns)
    empty = studio.comparisons.facts(comparison)
    assert all(cell is None for row in empty.cells for cell in row) and empty.unread == 0
    assert studio.comparisons.read(comparison) == ""
    (job,) = studio.comparisons.draw(comparison)
    wait_for(studio, job, "done")
    facts = studio.comparisons.facts(comparison)
    assert facts.unread == 9 and facts.unit == "seeds"  # nine pictures: the fourth row is the first
    cell = facts.cells[2][1]
    assert cell is not None and cell.values["nfe"] == 6 and cell.values["seconds"] > 0
    assert 0 <= cell.values["saturation"] <= 1 and "accuracy" not in cell.values and cell.is_same is False
    assert cell.from_reference is not None and cell.from_reference > 0
    assert [row.has_no_effect for row in facts.rows] == [False, True, False, False, False]
    assert "no effect on these pictures: all 3" in facts.rows[1].remark
    assert "the reference once more" in facts.rows[3].remark
    assert facts.rows[4].pictures == 0 and facts.rows[4].estimates == {} and facts.rows[4].contrasts == {}
    assert facts.rows[0].contrasts == {} and facts.rows[1].contrasts["saturation"].mean == 0
    cost = facts.rows[2].estimates["nfe"]
    assert (cost.mean, cost.low, cost.n) == (6, None, 3) and facts.rows[2].diversity is None  # counted, not sampled

    job = studio.comparisons.read(comparison)
    assert studio.comparisons.read(comparison) == ""  # it is under way
    wait_for(studio, job, "done")
    facts = studio.comparisons.facts(comparison)
    assert facts.unread == 0 and studio.comparisons.read(comparison) == ""
    for row in facts.cells[:4]:
        for cell in row:
            assert cell is not None and cell.asked == ("red", "star")
            assert cell.values["accuracy"] == 1 - len(cell.missed) / 2
            assert cell.values["broken"] in (0, 1) and (cell.values["broken"] == 0 or cell.missed == cell.asked)
    diversity = facts.rows[2].diversity
    assert diversity is not None and diversity.n == 1 and facts.rows[2].seeds_per_prompt == 3
    assert facts.rows[2].features == "oracle" and diversity.low is None
    vendi = facts.rows[2].vendi
    assert vendi is not None and 1 < vendi.mean <= 3
    # A row that is added has read what was read.
    assert studio.comparisons.facts(comparison.model_copy(update={"rows": comparison.rows[:1]})).unread == 0


def test_seconds_are_there_when_the_studio_is_opened_again(settings: Settings, draw: Draw) -> None:
    comparison = Comparison(rows=(Row(recipe=draw()),))
    with Studio(settings, backend="inline") as first:
        wait_for(first, first.comparisons.draw(comparison)[0], "done")
        cell = first.comparisons.facts(comparison).cells[0][0]
    with Studio(settings, backend="inline") as second:
        again = second.comparisons.facts(comparison).cells[0][0]
        assert cell is not None and again is not None and again.values == cell.values and cell.values["seconds"] > 0
    path = settings.workspace / "readings" / "seconds.json"
    path.write_text("[]")
    with Studio(settings, backend="inline") as third:
        unknown = third.comparisons.facts(comparison).cells[0][0]
        assert unknown is not None and "seconds" not in unknown.values


def test_prompts_are_what_is_independent_where_there_are_several() -> None:
    assert units_of([Recipe(seed=1), Recipe(seed=2)]) == ("seeds", ["1", "2"])
    assert units_of([Recipe(seed=1, prompt="a"), Recipe(seed=2, prompt="a"), Recipe(prompt="b")]) == (
        "prompts",
        ["a", "a", "b"],
    )


def test_rows_are_summed_up_over_units_and_corrected_for_how_many_there_are() -> None:
    def cells(values: list[float]) -> list[CellFacts | None]:
        return [CellFacts({"accuracy": value}, missed=("red",) if value < 1 else ()) for value in values]

    units = [str(n) for n in range(6)]
    reference = cells([0.0] * 6)
    better, unlike, partial = cells([1.0] * 6), cells([1.0, 0.0] * 3), [*cells([1.0]), None, None, None, None, None]
    none = FeaturesByPrompt()
    rows = rows_of("abcd", [reference, better, unlike, partial], units, 0, [True] + [False] * 3, [none] * 4)
    contrast = rows[1].contrasts["accuracy"]
    assert (contrast.mean, contrast.n, contrast.wins) == (1.0, 6, 6)
    assert contrast.p == 2 / 2**6 and contrast.adjusted_p == 3 * contrast.p  # three rows were tried
    assert not contrast.is_told and contrast.more is None  # alone it would be told: how many more is not known then
    assert rows[3].contrasts["accuracy"].n == 1 and rows[3].pictures == 1
    alone = rows_of("ab", [reference, better], units, 0, [True, False], [none] * 2)[1].contrasts["accuracy"]
    assert alone.is_told and alone.more == 0
    assert rows[0].missed == {"red": 6} and rows[1].missed == {} and rows[2].missed == {"red": 3}
    estimate = rows[2].estimates["accuracy"]
    assert (estimate.mean, estimate.n) == (0.5, 6) and estimate.low is not None


def test_readings_come_back_and_a_damaged_line_costs_itself_alone(tmp_path: Path) -> None:
    path = store.path_of(tmp_path / store.FOLDER, "ab" * 32)
    first = Reading((SeenThing("star", "red"),), "one", "flat", "white", "small", "left", False, 0.25, {"style": 0.5})
    second = Reading((), "empty", "flat", "night", "small", "center", True, 0.9)
    store.add(path, {"a": first})
    path.write_bytes(path.read_bytes()[:-5])  # cut short
    store.add(path, {"b": second, "c": first})
    assert store.read(path) == {"b": second, "c": first} and store.newest(path.parent) == path
    path.write_bytes(path.read_bytes().replace(b'"night"', b'"white"'))
    assert store.read(path) == {"c": first} and store.read(tmp_path / "none") == {}


def test_pictures_of_other_models_are_held_against_a_clip_of_the_user_s(
    settings: Settings, draw: Draw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = Comparison(
        rows=(Row(recipe=draw(prompt="a red star")), Row(recipe=draw(prompt="a red star", steps=4)))
    )
    with Studio(settings, backend="inline") as without:
        monkeypatch.setattr(without.sources, "is_of_world", lambda model: False)
        wait_for(without, without.comparisons.draw(comparison)[0], "done")
        wait_for(without, without.comparisons.read(comparison), "done")
        facts = without.comparisons.facts(comparison)
        cell = facts.cells[0][0]
        assert facts.unread == 0 and cell is not None and "score" not in cell.values and cell.asked == ()
    shutil.copytree(WORLD_CLIP, tmp_path / "models" / "mine")
    with Studio(settings.model_copy(update={"models_dir": tmp_path / "models"}), backend="inline") as studio:
        monkeypatch.setattr(studio.sources, "is_of_world", lambda model: False)
        assert studio.comparisons.facts(comparison).unread == 2
        wait_for(studio, studio.comparisons.read(comparison), "done")
        facts = studio.comparisons.facts(comparison)
        assert facts.unread == 0 and studio.comparisons.read(comparison) == ""
        for row in facts.cells:
            cell = row[0]
            assert cell is not None and 0 <= cell.values["score"] <= 2.5 and "accuracy" not in cell.values
            assert cell.asked == ("red", "star") and set(cell.missed) <= set(cell.asked)
        assert facts.rows[1].contrasts["score"].n == 1
