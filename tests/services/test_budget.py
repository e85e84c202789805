"""Equal network work for guidance of different cost."""

from __future__ import annotations

from typing import Any

import pytest

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.services.budget import network_rows, within
from studio.services.sources import Sources


@pytest.fixture
def card(settings: Settings) -> Any:
    return Sources(settings).card("stencil")


def recipe(method: str, steps: int = 20, wrappers: tuple[Any, ...] = (), **params: Any) -> Recipe:
    spec = {"method": method, "params": params, "wrappers": wrappers}
    return Recipe.load({"prompt": "a red star", "steps": steps, "guidance": spec})


def test_what_a_picture_costs(card: Any) -> None:
    assert network_rows(recipe("cfg", guidance_scale=4.0), card) == 40
    assert network_rows(recipe("cfg", guidance_scale=1.0), card) == 20
    half = ({"wrapper": "interval", "params": {"start": 0.0, "stop": 0.5}},)
    assert network_rows(recipe("cfg", wrappers=half, guidance_scale=4.0), card) == 30
    assert network_rows(recipe("pag", guidance_scale=4.0, pag_scale=2.0), card) == 60


@pytest.mark.parametrize(
    ("made", "steps"),
    [
        (recipe("cfg", guidance_scale=4.0), 20),
        (recipe("cfg", guidance_scale=1.0), 40),
        (recipe("pag", guidance_scale=4.0, pag_scale=2.0), 13),
        (recipe("cfg", wrappers=({"wrapper": "interval", "params": {"stop": 0.5}},), guidance_scale=4.0), 27),
    ],
)
def test_the_most_steps_within_the_same_work(card: Any, made: Recipe, steps: int) -> None:
    found = within(made, card, 40)
    assert found.steps == steps and network_rows(found, card) <= 40
    assert network_rows(found.model_copy(update={"steps": steps + 1}), card) > 40
    assert found.model_copy(update={"steps": made.steps}) == made


def test_too_little_work_is_one_step(card: Any) -> None:
    assert within(recipe("pag", guidance_scale=4.0, pag_scale=2.0), card, 1).steps == 1


def test_unknown_parameters_are_told(card: Any) -> None:
    with pytest.raises(BadInput, match="wrong"):
        network_rows(recipe("cfg", wrong=1.0), card)
