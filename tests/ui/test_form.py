from __future__ import annotations

import random
from typing import Any

import gradio as gr
import pytest

from studio.core.errors import BadInput, NotFound
from studio.core.recipe import EditRef, GuidanceSpec, Negative, Recipe, WrapperSpec
from studio.ui.components.form import Form, recipes, values_of
from studio.ui.components.seeds import MAX_SEED, parse_seed, random_seed

FILLED: dict[str, Any] = values_of(Recipe(prompt="a star", seed=5)) | {"count": 1}


def test_a_seed_of_64_bits_survives() -> None:
    assert parse_seed(str(MAX_SEED)) == MAX_SEED == 18446744073709551615
    assert parse_seed(" 9007199254740993 ") == 2**53 + 1  # the first that a JavaScript number cannot hold


@pytest.mark.parametrize("typed", ["", "-1", "  ", None])
def test_no_seed_asks_for_a_random_one(typed: str | None) -> None:
    assert parse_seed(typed) is None


@pytest.mark.parametrize("typed", [str(MAX_SEED + 1), "-2", "1.5", "1e3", "seven", "9" * 5000, "0x10", "²"])
def test_other_seeds_are_refused_in_one_sentence(typed: str) -> None:
    with pytest.raises(BadInput) as caught:
        parse_seed(typed)
    assert len(str(caught.value)) < 250


def test_random_seeds_come_from_the_system_and_not_from_a_seeded_generator() -> None:
    random.seed(0)
    first = random_seed()
    random.seed(0)
    assert random_seed() != first


def test_one_recipe_per_picture_each_with_the_next_seed() -> None:
    made = recipes(FILLED | {"seed": str(MAX_SEED), "count": 3})
    assert [recipe.seed for recipe in made] == [MAX_SEED, 0, 1]
    assert {recipe.prompt for recipe in made} == {"a star"}


def test_without_a_seed_two_jobs_differ_and_the_seed_is_in_the_recipe() -> None:
    first, second = recipes(FILLED | {"seed": "-1"}), recipes(FILLED | {"seed": "-1"})
    assert first[0].seed != second[0].seed


def test_values_and_recipe_are_each_others_reverse() -> None:
    recipe = Recipe(
        prompt="a <b>star</b>",
        negative_prompt="noise",
        seed=MAX_SEED,
        width=64,
        height=96,
        steps=7,
        sampler="ddim",
        sampler_params={"eta": 0.5},
        spacing="karras",
        variation_seed=3,
        variation_strength=0.25,
        more_negatives=(Negative(prompt="blur", weight=0.5), Negative(prompt="text", start=0.25, stop=0.75)),
        guidance=GuidanceSpec(
            method="apg",
            params={"guidance_scale": 7.5, "eta": 0.5, "momentum": -0.25, "norm_threshold_rms": 0.1, "space": "raw"},
            wrappers=(WrapperSpec(wrapper="interval", params={"stop": 0.5}),),
        ),
    )
    others = {name: value for name, value in FILLED.items() if name not in values_of(recipe)}
    assert recipes(others | values_of(recipe)) == [recipe]


def test_a_recipe_records_all_parameters_of_its_method() -> None:
    (recipe,) = recipes(FILLED)
    assert recipe.guidance.params["guidance_scale"] == 1.5 and "rescale" in recipe.guidance.params


@pytest.mark.parametrize(
    "bad",
    [
        {"steps": None},
        {"steps": 0},
        {"steps": 1e9},
        {"steps": 2.5},
        {"steps": float("nan")},
        {"steps": True},
        {"width": 100},
        {"width": 1 << 20},
        {"height": None},
        {"count": 0},
        {"count": 17},
        {"count": "2"},
        {"sampler": "nothing"},
        {"sampler": None},
        {"prompt": "x" * 10_001},
        {"seed": "x"},
        {"method": "none"},
        {"method.first": '{"cfg": {"guidance_scale": "high"}}'},
        {"method.first": "{"},
        {"method.first": '{"cfg": {"guidance_scale": Infinity}}'},
        {"method.rest": '{"cfg": 1}'},
        {"method.rest": "[]"},
        {"method.rest": 7},
        {"sampler": "ddim", "sampler.first": '{"ddim": {"eta": null}}'},
        {"spacing": None},
        {"spacing": "x" * 41},
        {"variation_strength": None},
        {"variation_strength": 1.5},
        {"variation_strength": 0.5, "variation_seed": "x"},
        {"model": None},
        {"sampler_params": 1, "sampler": "heun"},
        {"more_negatives": "x"},
        {"more_negatives": ["x"]},
        {"more_negatives": [{"prompt": "x", "weight": None}]},
        {"more_negatives": [{"prompt": "x", "weight": 11}]},
        {"more_negatives": [{"prompt": "x", "evil": 1}]},
        {"more_negatives": [{"prompt": "x", "weight": 1}] * 17},
        {"more_negatives": [{"prompt": "x", "stop": None}]},
    ],
)
def test_bad_values_are_refused_before_anything_is_queued(bad: dict[str, Any], fake: Any) -> None:
    with pytest.raises(BadInput) as caught:
        fake.pictures.submit(recipes(FILLED | bad))
    assert "\n" not in str(caught.value)
    assert not fake.jobs.newest()


def test_an_unknown_method_is_named_with_those_there_are() -> None:
    with pytest.raises(NotFound, match="there are apg, autoguidance, cfg, "):
        recipes(FILLED | {"method": "zero"})


def test_negatives_without_words_are_left_out() -> None:
    rows = [{"prompt": " ", "weight": 1}, {"prompt": "blur", "weight": 2}]
    (recipe,) = recipes(FILLED | {"more_negatives": rows})
    assert recipe.more_negatives == (Negative(prompt="blur", weight=2.0),)


def test_without_strength_the_variation_seed_is_not_recorded() -> None:
    (recipe,) = recipes(FILLED | {"variation_seed": "9", "variation_strength": 0})
    assert recipe.variation_seed is None
    first, second = recipes(FILLED | {"variation_seed": "-1", "variation_strength": 0.5, "count": 2})
    assert first.variation_seed == second.variation_seed is not None


def test_the_edit_stack_is_part_of_every_recipe() -> None:
    stack = (EditRef(edit="no-star-12ab", strength=0.5),)
    assert [recipe.edits for recipe in recipes(FILLED | {"count": 2}, stack)] == [stack, stack]


def test_a_menu_is_not_set_to_what_it_does_not_hold() -> None:
    form = Form()
    form.add("sampler", gr.Dropdown(["ddim"], value="ddim"))
    form.add("steps", gr.Number(20))
    changed = form.update({"sampler": "of another version", "steps": 5})
    assert list(changed) == ["steps"] and changed["steps"]["value"] == 5
    assert form.beyond({"sampler": "of another version", "steps": 5}) == {"sampler": "of another version"}


@pytest.mark.parametrize("said", ["[", "{}", "3", "interval"])
def test_what_is_around_the_method_must_be_a_list(said: str) -> None:
    with pytest.raises(BadInput) as caught:
        recipes(FILLED | {"wrappers": said})
    assert str(caught.value) == f"The modifiers must be a JSON list, not {said!r}."
