"""What a recipe's prompts come to at each step, by the names guidance asks for."""

from __future__ import annotations

from typing import Any

import pytest

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.prompts.conditions import ConditionPlan
from studio.prompts.plan import Mix


def plan(**values: Any) -> ConditionPlan:
    return ConditionPlan.of(Recipe.load({"prompt": "a star", "steps": 10, **values}))


def words(plan: ConditionPlan, name: str, step: int = 0) -> list[tuple[float, str]]:
    """The parts of a condition as (weight, text)."""
    found: list[tuple[float, str]] = []
    for weight, said in plan.parts(name, step):
        assert not isinstance(said.item, Mix)
        found.append((weight, "".join(fragment.text for chunk in said.item.chunks for fragment in chunk)))
    return found


def test_a_prompt_alone() -> None:
    alone = plan()
    assert words(alone, "pos") == [(1, "a star")] and words(alone, "empty") == [(1, "")]
    assert alone.weights(0) == () and len(alone.texts) == 2
    with pytest.raises(KeyError):
        alone.parts("neg", 0)


def test_negatives_and_their_mean() -> None:
    three = plan(negative_prompt="fog", more_negatives=[{"prompt": "rain", "weight": 3}, {"prompt": ""}])
    assert three.weights(9) == (0.25, 0.75)
    assert words(three, "neg/1") == [(1, "rain")] and words(three, "neg") == [(0.25, "fog"), (0.75, "rain")]


def test_prompts_joined_by_and_go_around_what_guidance_moves_away_from() -> None:
    joined = {"prompt": "a star :0.5 AND a ring :1.5"}
    assert words(plan(**joined), "pos") == [(0.5, "a star"), (1.5, "a ring"), (-1.0, "")]
    away = plan(**joined, negative_prompt="fog AND rain")
    assert words(away, "neg/0") == [(1, "fog"), (1, "rain"), (-1, "")]
    assert words(away, "pos")[2:] == [(-1, "fog"), (-1, "rain"), (1, "")]


def test_a_schedule_is_told_step_by_step() -> None:
    turning = plan(prompt="a [red:blue:0.3] star")
    assert [words(turning, "pos", step)[0][1] for step in (2, 3)] == ["a red star", "a blue star"]


# -- windows --------------------------------------------------------------------------------------------------------


def windowed(*windows: tuple[float, float], **values: Any) -> ConditionPlan:
    negatives = [
        {"prompt": f"n{k}", "weight": k + 1, "start": start, "stop": stop} for k, (start, stop) in enumerate(windows)
    ]
    return plan(more_negatives=negatives, **values)


def test_a_negative_acts_in_its_window_only() -> None:
    half = windowed((0, 0.5), (0.25, 1))
    assert [half.weights(step) for step in (1, 2, 4, 5)] == [(1 / 3, 0), (1 / 3, 2 / 3), (1 / 3, 2 / 3), (0, 2 / 3)]
    assert words(half, "neg", 1) == [(1, "n0")] and words(half, "neg", 5) == [(1, "n1")]
    assert words(half, "neg", 3) == [(1 / 3, "n0"), (2 / 3, "n1")]


def test_where_none_acts_the_mean_is_the_empty_prompt() -> None:
    early = windowed((0, 0.2), prompt="a star AND a ring")
    assert words(early, "neg", 1) == [(1, "n0")] and words(early, "neg", 2) == [(1, "")]
    assert words(early, "pos", 1)[2:] == [(-1, "n0")] and words(early, "pos", 2)[2:] == [(-1, "")]


def test_a_window_of_all_steps_is_none() -> None:
    assert windowed((0, 1)).parts("neg", 9) == plan(more_negatives=[{"prompt": "n0"}]).parts("neg", 9)


@pytest.mark.parametrize("steps", [1, 7, 20])
def test_windows_that_touch_leave_no_step_out_and_none_twice(steps: int) -> None:
    touching = windowed((0, 0.35), (0.35, 1), steps=steps)
    assert all(sum(weight > 0 for weight in touching.weights(step)) == 1 for step in range(steps))


def test_a_window_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(BadInput) as caught:
        windowed((0.6, 0.5))
    assert str(caught.value) == (
        "The window of a negative prompt must start before it stops, not start at 0.6 and stop at 0.5 of the steps."
    )


def test_so_many_texts_that_encoding_them_takes_too_long_are_refused_unspelled(monkeypatch: pytest.MonkeyPatch) -> None:
    many = "[" + "|".join(f"a{n}" for n in range(31)) + "] [" + "|".join(f"b{n}" for n in range(37)) + "]"
    assert len(plan(prompt=many, steps=1000).texts) == 1001
    spelled: list[int] = []
    monkeypatch.setattr("studio.prompts.conditions.compile", lambda *values: spelled.append(1))
    with pytest.raises(BadInput, match="come to 2,001 different texts.*at most 1,024.*Take fewer steps") as refused:
        plan(prompt=many, negative_prompt=f"c {many}", steps=1000)
    assert refused.value.field == "steps" and not spelled


def test_recipes_of_equal_prompts_share_their_plan() -> None:
    assert plan(prompt="[a|b]", seed=1, width=256) is plan(prompt="[a|b]", seed=2)
    assert plan(prompt="[a|b]", steps=11) is not plan(prompt="[a|b]")
