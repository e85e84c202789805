"""What is foretold of a recipe is what the engine does: how wide its evaluations are, and what follows from that."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.core.errors import BadInput
from studio.core.recipe import Recipe
from studio.engine.ahead import chunks_by, why_wide, widest
from studio.engine.batcher import Batcher
from studio.engine.conditions import Conditions
from studio.engine.resident import encoder_of, room_of
from studio.engine.trajectory import Trajectory
from studio.guidance import GUIDANCE
from studio.models.bundle import ModelBundle
from studio.models.card import read_card
from studio.models.embedded import load_stencil
from studio.models.loading import load_model
from tests.services.random_recipes import draw_guided, prompt
from tests.tiny_model import SIZE_PX

ASKING_MORE = ("pag", "seg", "slg", "autoguidance", "perp_neg", "cfg", "nag")


@pytest.fixture(scope="module")
def cutting(tiny_model: Path) -> ModelBundle:
    """Leaves out what its text encoder does not read at once."""
    return load_stencil(tiny_model)


@pytest.fixture(scope="module")
def chunking(tiny_model: Path) -> ModelBundle:
    """Goes on in further chunks: the same folder, taken for any Stable Diffusion."""
    return load_model(tiny_model, name="tiny")


def trajectory_of(bundle: ModelBundle, recipe: Recipe, index: int = 0) -> Trajectory:
    conditions = Conditions.of(recipe, encoder_of(bundle))
    return Trajectory(index, recipe, bundle, conditions, weak=conditions)  # as good a weak model as any for counting


def evaluations(bundle: ModelBundle, *trajectories: Trajectory, max_rows: int = 1000) -> list[int]:
    """The rows of each evaluation of a run, in order."""
    seen: list[int] = []

    def counted(x: Any, t: Any, cond: Any) -> Any:
        seen.append(len(x))
        return 0.9 * x  # rows are counted, whatever comes of them

    with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
        patch.setattr(bundle, "predict", counted)
        batcher = Batcher(bundle, room_of(bundle), max_rows, weak=bundle)
        list(batcher.run(trajectories, lambda report: None, lambda: False))
    return seen


def foretold(bundle: ModelBundle, recipe: Recipe, folder: Path) -> int:
    """From the configs and the tokenizer alone."""
    return widest(recipe, read_card(folder), chunks_by(bundle.tokenizer, bundle.overflow))


def draw(chance: random.Random, number: int) -> Recipe:
    """A recipe of anything, or half of the time one of several prompts that reach over chunks."""
    methods = ASKING_MORE if number % 2 else GUIDANCE.names()
    made = draw_guided(chance, number, methods)
    if chance.random() < 0.5:
        texts = [prompt(chance, "a1111").replace(" AND ", chance.choice((" ", " BREAK "))) for _ in range(4)]
        joined = " AND ".join(f"{text} :{chance.choice((0.5, 1, 1.2))}" for text in texts[: chance.randint(2, 4)])
        negatives = [{"prompt": text, "start": chance.choice((0, 0.4)), "stop": 0.8} for text in texts[1:]]
        values = made.model_dump(mode="json") | {"syntax": "a1111", "prompt": joined}
        made = Recipe.load(values | {"more_negatives": negatives[: chance.randint(0, 3)]})
    return made


@pytest.mark.parametrize("number", range(0, 160, 8))
def test_the_widest_evaluation_is_the_one_foretold(
    cutting: ModelBundle, chunking: ModelBundle, tiny_model: Path, number: int
) -> None:
    chance = random.Random(number)
    drawn = 0
    while drawn < 8:
        bundle, recipe = (cutting, chunking)[drawn % 2], draw(chance, number + drawn)
        try:
            run = max(evaluations(bundle, trajectory_of(bundle, recipe)), default=1)
        except BadInput:  # wrappers that do not go together: a sum of two methods that move the latents, for one
            continue
        drawn += 1
        told = foretold(bundle, recipe, tiny_model)
        assert told == trajectory_of(bundle, recipe).width
        # A time of its own counts as such; where it comes to be the step's, a row of each are one.
        assert run == told or ("time_shift" in recipe.canonical_json() and run < told), recipe


@pytest.mark.parametrize(
    ("values", "rows"),
    [
        ({}, 2),
        ({"prompt": "a star AND a square AND blue"}, 4),  # weights of 1 leave -2 of the empty prompt, asked for already
        ({"prompt": "a star AND a square", "negative_prompt": "red"}, 3),
        ({"negative_prompt": "red", "more_negatives": [{"prompt": "blue"}, {"prompt": "white"}]}, 4),
        ({"more_negatives": [{"prompt": "blue", "stop": 0.5}, {"prompt": "white", "start": 0.5}]}, 2),
        ({"negative_prompt": "red BREAK blue"}, 1),  # of two chunks: an evaluation of its own
        ({"prompt": "a star BREAK red", "negative_prompt": "red BREAK blue"}, 2),
        ({"guidance": {"method": "autoguidance", "params": {"guidance_scale": 3.0}}}, 2),  # the third is of another
        ({"guidance": {"method": "pag", "params": {"guidance_scale": 3.0}}, "prompt": "a star AND a square"}, 6),
        ({"guidance": {"method": "nag"}, "negative_prompt": "red"}, 1),
        ({"guidance": {"method": "nag", "params": {"guidance_scale": 3.0}}, "negative_prompt": "a star"}, 1),
    ],
)
def test_what_makes_it_wide(cutting: ModelBundle, tiny_model: Path, values: dict[str, Any], rows: int) -> None:
    recipe = Recipe.load({"prompt": "a star", "steps": 6, "width": SIZE_PX, "height": SIZE_PX, **values})
    assert foretold(cutting, recipe, tiny_model) == rows
    assert max(evaluations(cutting, trajectory_of(cutting, recipe))) == rows


def test_pictures_of_many_prompts_are_not_taken_for_narrow_ones(cutting: ModelBundle) -> None:
    """Two of three rows each do not go into five: each runs whole, where one would be torn apart."""
    size = {"width": SIZE_PX, "height": SIZE_PX, "steps": 4, "batching": "shared"}
    both = [Recipe.load({"prompt": "a star AND a square", "seed": seed, **size}) for seed in (1, 2)]
    ahead = [trajectory_of(cutting, recipe, index) for index, recipe in enumerate(both)]
    assert evaluations(cutting, *ahead, max_rows=5) == [3] * 8
    ahead = [trajectory_of(cutting, recipe, index) for index, recipe in enumerate(both)]
    assert evaluations(cutting, *ahead, max_rows=6) == [6] * 4


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "guidance by cfg"),
        ({"prompt": "a AND b AND c"}, "3 prompts joined by AND, guidance by cfg"),
        (
            {"prompt": "a AND b", "negative_prompt": "d AND e", "more_negatives": [{"prompt": "f"}]},
            "4 prompts joined by AND, 2 negative prompts, guidance by cfg",
        ),
        (
            {"guidance": {"method": "pag", "wrappers": [{"wrapper": "sum", "added": {"method": "seg"}}]}},
            "guidance by pag and seg",
        ),
    ],
)
def test_says_what_makes_it_wide(values: dict[str, Any], said: str) -> None:
    assert why_wide(Recipe.load({"prompt": "a", **values})) == said
