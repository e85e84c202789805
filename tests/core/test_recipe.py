"""The recipe: exact round trips, one name per content, one sentence per mistake."""

import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from studio.core.errors import BadInput
from studio.core.recipe import MAX_JSON_BYTES, EditRef, GuidanceSpec, Recipe

TEXT = st.text(max_size=200)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
RECIPES = st.builds(
    Recipe,
    prompt=TEXT,
    negative_prompt=TEXT,
    seed=st.integers(0, 2**64 - 1),
    width=st.integers(4, 256).map(lambda n: 8 * n),
    height=st.integers(4, 256).map(lambda n: 8 * n),
    steps=st.integers(1, 1000),
    sampler=st.sampled_from(["ddim", "dpmpp_2m"]),
    guidance=st.builds(
        GuidanceSpec,
        method=st.text(max_size=20),
        params=st.dictionaries(st.text(max_size=20), FINITE | st.integers() | st.booleans() | TEXT, max_size=5),
    ),
    edits=st.lists(st.builds(EditRef, edit=TEXT, strength=st.floats(-10, 10)), max_size=4).map(tuple),
    batching=st.sampled_from(["isolated", "shared"]),
)


@settings(deadline=None, max_examples=60)
@given(RECIPES)
def test_json_round_trip_is_exact(recipe: Recipe) -> None:
    text = recipe.canonical_json()
    again = Recipe.from_json(text.encode())
    assert again == recipe
    assert again.canonical_json() == text
    assert again.digest() == recipe.digest()
    assert hash(again) == hash(recipe)
    for name, value in recipe.guidance.params.items():
        assert type(again.guidance.params[name]) is type(value)


def test_canonical_json_is_sorted_and_tight() -> None:
    text = Recipe(prompt="é ☃").canonical_json()
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert '"prompt":"é ☃"' in text


def test_the_digest_of_a_recipe_never_changes() -> None:
    # Stored in images and labels: if this fails, old records no longer match, and the version must be raised.
    assert Recipe(prompt="a red star", seed=7).digest() == (
        "e5d095b933a5bb04cc7e6cf4d62f9ec5a51c56cc0c53d97f7aa1c67a0fad6997"
    )


@pytest.mark.parametrize(
    ("negative", "digest"),
    [
        ({}, "55196feefa529c82776e78d5b4860abee4afddaf4ee6ea0491ceff60c189da47"),
        ({"start": 0, "stop": 1}, "55196feefa529c82776e78d5b4860abee4afddaf4ee6ea0491ceff60c189da47"),
    ],
)
def test_a_negative_without_a_window_is_written_as_before_there_were_any(negative: dict[str, Any], digest: str) -> None:
    recipe = Recipe.load({"prompt": "a", "more_negatives": [{"prompt": "b", "weight": 0.5, **negative}]})
    assert recipe.model_dump(mode="json")["more_negatives"] == [{"prompt": "b", "weight": 0.5}]
    assert recipe.digest() == digest


def test_a_negatives_window_is_part_of_the_recipe() -> None:
    recipe = Recipe.load({"more_negatives": [{"prompt": "b", "start": 0.25}]})
    assert recipe.model_dump(mode="json")["more_negatives"] == [{"prompt": "b", "weight": 1.0, "start": 0.25}]
    assert Recipe.from_json(recipe.canonical_json()) == recipe
    with pytest.raises(BadInput, match="stop must be a number from 0 to 1, not 2"):
        Recipe.load({"more_negatives": [{"prompt": "b", "stop": 2}]})


@pytest.mark.parametrize("change", [{"seed": 8}, {"prompt": "b"}, {"guidance": {"params": {"guidance_scale": 3.5}}}])
def test_any_change_changes_the_digest(change: dict[str, Any]) -> None:
    base: dict[str, Any] = {"prompt": "a", "seed": 7}
    assert Recipe.load(base).digest() != Recipe.load(base | change).digest()


def test_left_out_fields_take_their_defaults() -> None:
    assert Recipe.load({}) == Recipe()
    assert Recipe.load({"steps": 20.0}) == Recipe(steps=20)


def test_is_frozen() -> None:
    with pytest.raises(ValidationError):
        Recipe().seed = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"steps": 0}, "In the recipe, steps must be a whole number from 1 to 1000, not 0."),
        ({"steps": 10**9}, "In the recipe, steps must be a whole number from 1 to 1000, not 1000000000."),
        ({"steps": True}, "In the recipe, steps must be a whole number from 1 to 1000, not True."),
        ({"width": 100}, "In the recipe, width must be a multiple of 8 from 32 to 2048, not 100."),
        ({"height": 4096}, "In the recipe, height must be a multiple of 8 from 32 to 2048, not 4096."),
        ({"seed": 2**64}, f"In the recipe, seed must be a whole number from 0 to {2**64 - 1}, not {2**64}."),
        ({"seed": -1}, f"In the recipe, seed must be a whole number from 0 to {2**64 - 1}, not -1."),
        ({"seed": "7"}, f"In the recipe, seed must be a whole number from 0 to {2**64 - 1}, not '7'."),
        (
            {"prompt": "a" * 10_001},
            "In the recipe, prompt must be valid text of at most 10000 characters, not 10001 characters.",
        ),
        (
            {"negative_prompt": "\u202e" * 10**6},
            "In the recipe, negative_prompt must be valid text of at most 10000 characters, not 1000000 characters.",
        ),
        ({"prompt": "\ud800"}, r"In the recipe, prompt must be valid text of at most 10000 characters, not '\ud800'."),
        (
            {"guidance": {"params": {"guidance_scale": math.nan}}},
            "In the recipe, guidance.params.guidance_scale must be a finite number, true, false or text, not nan.",
        ),
        ({"guidance": {"params": 3}}, "In the recipe, guidance.params must be a set of named values, not 3."),
        (
            {"edits": [{"edit": "a", "strength": 11}]},
            "In the recipe, edits[0].strength must be a number from -10 to 10, not 11.",
        ),
        ({"edits": [{"strength": 1}]}, "The recipe lacks the field 'edits[0].edit'."),
        ({"step": 3}, "The recipe has no field 'step'; did you mean 'steps'?"),
        ({"version": 2}, "The recipe is of version 2, and this program reads up to 1. Update Palimpsest to read it."),
        ({"version": 0}, "In the recipe, version must be 1, not 0."),
        ({"version": "1"}, "In the recipe, version must be 1, not '1'."),
        ({"version": True}, "In the recipe, version must be 1, not True."),
        # A newer version is named as such, whatever new fields it brings.
        (
            {"version": 3, "new": 1},
            "The recipe is of version 3, and this program reads up to 1. Update Palimpsest to read it.",
        ),
    ],
)
def test_a_bad_value_gets_one_sentence(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput) as caught:
        Recipe.load(values)
    assert str(caught.value) == sentence
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a":', "not valid JSON"),
        ("[]", "must be a JSON object, not a list"),
        ("null", "must be a JSON object"),
        ('{"seed": NaN}', "NaN is not a number"),
        ('{"guidance": {"params": {"a": 1e999}}}', "guidance.params.a must be a finite number"),
        ("[" * 100_000, "nested too deep"),
        ('{"seed": ' + "9" * 5000 + "}", "not valid JSON"),
        (b"\xff\xfe", "not valid JSON"),
        (" " * (MAX_JSON_BYTES + 1), "at most 1000000 bytes"),
        ('{"prompt": "\\ud800"}', "valid text"),
    ],
)
def test_bad_json_gets_one_sentence(text: str | bytes, says: str) -> None:
    with pytest.raises(BadInput, match=says) as caught:
        Recipe.from_json(text)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("ref", [{}, {"start": 0}, {"stop": 1.0}, {"auto": False}])
def test_an_edit_that_acts_in_all_steps_is_written_as_before_there_were_windows(ref: dict[str, Any]) -> None:
    recipe = Recipe.load({"prompt": "a", "edits": [{"edit": "no-star-0123456789ab", "strength": 0.5, **ref}]})
    assert recipe.model_dump(mode="json")["edits"] == [{"edit": "no-star-0123456789ab", "strength": 0.5}]
    assert recipe.digest() == "7bbde11ca37b1d83dd617119397825e2d9cd45e47b54fc16009fba4f5d95d97c"


@pytest.mark.parametrize("ref", [{"start": 0.25}, {"stop": 0.5}, {"auto": True}])
def test_what_an_edit_says_beyond_that_is_part_of_the_recipe(ref: dict[str, Any]) -> None:
    recipe = Recipe.load({"edits": [{"edit": "b", **ref}]})
    assert recipe.model_dump(mode="json")["edits"] == [{"edit": "b", "strength": 1.0, **ref}]
    assert Recipe.from_json(recipe.canonical_json()) == recipe
    assert recipe.digest() != Recipe.load({"edits": [{"edit": "b"}]}).digest()
