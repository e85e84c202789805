"""Equal network work for guidance of different cost."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.core.settings import Settings
from studio.engine.batcher import Batcher
from studio.engine.conditions import Conditions
from studio.engine.resident import encoder_of, room_of
from studio.engine.trajectory import StepReport, Trajectory
from studio.guidance import GUIDANCE
from studio.models.embedded import EmbeddedModel, load_stencil
from studio.services.budget import MAX_STEPS, network_rows, within
from studio.services.sources import Sources
from tests.services.random_recipes import draw_guided
from tests.tiny_model import SIZE_PX


@pytest.fixture
def card(settings: Settings) -> Any:
    return Sources(settings).card("stencil")


@pytest.fixture(scope="module")
def bundle(tiny_model: Path) -> EmbeddedModel:
    return load_stencil(tiny_model)


def recipe(method: str, steps: int = 20, wrappers: tuple[Any, ...] = (), **params: Any) -> Recipe:
    spec = {"method": method, "params": params, "wrappers": wrappers}
    return Recipe.load({"prompt": "a red star", "steps": steps, "guidance": spec})


def told_and_run(bundle: EmbeddedModel, made: Recipe) -> tuple[int, int]:
    """The rows an account would tell of a picture drawn alone, and those the network ran."""
    conditions = Conditions.of(made, encoder_of(bundle))
    batcher, reports = Batcher(bundle, room_of(bundle), weak=bundle), list[StepReport]()
    trajectory = Trajectory(0, made, bundle, conditions, weak=conditions)  # as good a weak model as any for counting
    with torch.inference_mode(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(bundle, "predict", lambda x, t, cond: 0.9 * x)  # rows are counted, whatever comes of them
        list(batcher.run([trajectory], reports.append, lambda: False))
    return reports[-1].rows, batcher.rows


# -- what a recipe costs --------------------------------------------------------------------------------------------


def test_what_a_picture_costs(card: Any) -> None:
    assert network_rows(recipe("cfg", guidance_scale=4.0), card) == 40
    assert network_rows(recipe("cfg", guidance_scale=1.0), card) == 20
    half = ({"wrapper": "interval", "params": {"start": 0.0, "stop": 0.5}},)
    assert network_rows(recipe("cfg", wrappers=half, guidance_scale=4.0), card) == 30
    assert network_rows(recipe("pag", guidance_scale=4.0, pag_scale=2.0), card) == 60


CFG, PERP = {"guidance_scale": 4.0}, {"method": "perp_neg"}
PAG = {"method": "pag", "params": {"guidance_scale": 3.0}}
BLUE = {"prompt": "blue"}


@pytest.mark.parametrize(
    ("values", "rows"),
    [
        ({"prompt": "a star AND a square"}, 30),  # weights of 1 and 1 leave -1 of the empty prompt, asked for already
        ({"prompt": "a star :0.5 AND a square :0.5"}, 30),
        ({"prompt": "a star :0.5 AND a square :0.5", "guidance": {"params": {"guidance_scale": 1.0}}}, 20),
        ({"prompt": "a star AND a square", "guidance": {"params": {"guidance_scale": 1.0}}}, 30),
        ({"negative_prompt": "red"}, 20),
        ({"negative_prompt": "red", "more_negatives": [BLUE]}, 30),
        ({"negative_prompt": "red", "more_negatives": [BLUE, {"prompt": "", "weight": 2}]}, 30),
        ({"negative_prompt": "a star", "more_negatives": [BLUE]}, 20),  # the prompt is one of the negatives
        ({"guidance": PERP}, 20),
        ({"guidance": PERP, "negative_prompt": "red"}, 30),
        ({"guidance": PERP, "negative_prompt": "red", "more_negatives": [BLUE, BLUE]}, 40),
        ({"guidance": {**PERP, "params": {"negative_scale": 0.0}}, "negative_prompt": "red"}, 20),
        ({"prompt": "[a star:a star AND a square:0.5]"}, 20),  # a schedule holds no AND: it is text
        ({"prompt": "[red|blue] star", "negative_prompt": "red star"}, 15),  # every second step they are one
        ({"prompt": "[red:blue:0.3] star", "negative_prompt": "red star"}, 17),
        ({"guidance": {**PAG, "wrappers": [{"wrapper": "sum", "added": {"method": "cfg"}}]}}, 30),
        (
            {
                "guidance": {**PAG, "wrappers": [{"wrapper": "interval", "params": {"stop": 0.4}}]},
                "prompt": "a star AND a square",
                "negative_prompt": "red",
            },
            4 * 6 + 6 * 3,
        ),
    ],
)
def test_what_prompts_add(card: Any, bundle: EmbeddedModel, values: dict[str, Any], rows: int) -> None:
    size = {"width": SIZE_PX, "height": SIZE_PX, "steps": 10}
    made = Recipe.load({"prompt": "a star", "guidance": {"params": CFG}, **size, **values})
    assert network_rows(made, card) == rows
    assert told_and_run(bundle, made) == (rows, rows)


@pytest.mark.parametrize("number", range(0, 192, 8))
def test_the_account_of_any_recipe_tells_what_was_counted(card: Any, bundle: EmbeddedModel, number: int) -> None:
    chance = random.Random(number)
    drawn = 0
    while drawn < 8:
        made = draw_guided(chance, number + drawn, GUIDANCE.names())
        try:
            counted = network_rows(made, card)
            told, run = told_and_run(bundle, made)
        except BadInput:  # wrappers that do not go together: a sum of two methods that move the latents, for one
            continue
        drawn += 1
        assert told == counted, made
        # A time of its own counts as such; the network answers once where it comes to be the step's.
        assert run == told or "time_shift" in made.canonical_json() and run < told


def test_the_levels_are_the_models_own(card: Any) -> None:
    """Its config's offset of the steps moves the times, and with them what an interval of times holds."""
    box = ({"wrapper": "interval_timestep", "params": {"t_min": 51.0, "t_max": 1000.0}},)
    made = recipe("cfg", wrappers=box, guidance_scale=4.0)
    at = [network_rows(made, replace(card, spacing="leading", steps_offset=offset)) for offset in (0, 1)]
    assert at == [38, 39]


# -- the same work --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "steps"),
    [
        (recipe("cfg", guidance_scale=4.0), 20),
        (recipe("cfg", guidance_scale=1.0), 40),
        (recipe("pag", guidance_scale=4.0, pag_scale=2.0), 13),
        (recipe("cfg", wrappers=({"wrapper": "interval", "params": {"stop": 0.5}},), guidance_scale=4.0), 27),
        (recipe("cfg", guidance_scale=4.0).model_copy(update={"prompt": "a star AND a square"}), 13),
        (recipe("perp_neg").model_copy(update={"negative_prompt": "blue"}), 13),
    ],
)
def test_the_most_steps_within_the_same_work(card: Any, made: Recipe, steps: int) -> None:
    found = within(made, card, 40)
    assert found.steps == steps and network_rows(found, card) <= 40
    assert network_rows(found.model_copy(update={"steps": steps + 1}), card) > 40
    assert found.model_copy(update={"steps": made.steps}) == made


@pytest.mark.parametrize("number", range(6))
def test_no_larger_number_of_steps_is_within(card: Any, number: int) -> None:
    """Also where a step more costs less: bounds rounded to steps, prompts that are one at some of them."""
    chance = random.Random(number)
    wrapper = {"wrapper": "interval", "params": {"start": chance.random() / 2, "stop": 0.5 + chance.random() / 2}}
    made = recipe("pag", wrappers=(wrapper,), guidance_scale=4.0).model_copy(update={"prompt": "[red|blue|red] star"})
    made = made.model_copy(update={"negative_prompt": "[red|red|blue] star"})
    rows = chance.randint(10, 60)
    most = min(rows, MAX_STEPS)  # a step asks one row at least
    fitting = [n for n in range(1, most + 1) if network_rows(made.model_copy(update={"steps": n}), card) <= rows]
    assert within(made, card, rows).steps == max(fitting)


def test_too_little_work_is_one_step(card: Any) -> None:
    assert within(recipe("pag", guidance_scale=4.0, pag_scale=2.0), card, 1).steps == 1


def test_a_spacing_that_places_fewer_steps(card: Any) -> None:
    few = replace(card, schedule={**card.schedule, "num_train_timesteps": 100})
    unguided = recipe("cfg", guidance_scale=1.0).model_copy(update={"spacing": "leading_dpm"})
    assert within(unguided, few, 1000).steps == 99


def test_unknown_parameters_are_told(card: Any) -> None:
    for count in (network_rows, lambda made, card: within(made, card, 40)):
        with pytest.raises(BadInput, match="wrong"):
            count(recipe("cfg", wrong=1.0), card)
