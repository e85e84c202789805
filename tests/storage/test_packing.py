"""What the pictures of a job share is kept once, and comes back as it was."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.core.recipe import Recipe
from studio.storage.packing import VERSION, pack, unpack

NAMES = st.sampled_from(["", "a", "0", "1", "packed"])
LEAVES = st.sampled_from([None, True, False, 0, 1, 0.0, -0.0, 1.0, 2**64 - 1, 1e-9, "", "1", "я", '"\\\0'])
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3), max_size=4))
def test_any_recipes_come_back(recipes: list[dict[str, Any]]) -> None:
    payload = {"kind": "generate", "recipes": recipes, "account": True}
    again = unpack(pack(payload))
    assert json.dumps(again, sort_keys=True) == json.dumps(payload, sort_keys=True)  # 1, 1.0 and true are told apart


def test_values_that_python_takes_for_equal_are_told_apart() -> None:
    """JSON writes them differently, and so would a digest of the recipe."""
    values = [1, True, 1.0, "1.0", 0, False, 0.0, -0.0, None, "", "null", [], {}, "[]", [1], [True]]
    recipes = [{"seed": 7, "value": value} for value in values]
    again = unpack(pack({"recipes": recipes}))["recipes"]
    assert list(map(json.dumps, again)) == list(map(json.dumps, recipes))


def test_a_further_picture_costs_what_it_differs_in() -> None:
    def length(count: int) -> int:
        recipes = [Recipe(prompt="a star", seed=10**6 + n).model_dump(mode="json") for n in range(count)]
        return len(pack({"kind": "generate", "recipes": recipes}))

    assert length(256) - length(1) < 256 * len("1000000,[255],") + 200  # its seed, and where that is


def test_what_one_recipe_holds_is_its_own() -> None:
    first, second = unpack(pack({"recipes": [{"edits": [], "params": {}}] * 2}))["recipes"]
    first["edits"].append(1)
    first["params"]["a"] = 1
    assert second == {"edits": [], "params": {}}


def test_equal_work_has_equal_texts_in_whatever_order_it_came() -> None:
    recipe = Recipe.load({"prompt": "a", "guidance": {"method": "cfg", "params": {"guidance_scale": 2.0}}})
    values = recipe.model_dump(mode="json")
    backwards = dict(reversed(list(values.items())))
    assert pack({"kind": "generate", "recipes": [values] * 2}) == pack({"recipes": [backwards] * 2, "kind": "generate"})
    assert pack(unpack(pack({"recipes": [values] * 2}))) == pack({"recipes": [values] * 2})


@pytest.mark.parametrize("varied", ["seed", "weight"])
def test_a_large_request_makes_a_row_of_its_own_size(varied: str) -> None:
    negatives = [{"prompt": chr(0x430 + place) * 10_000, "weight": 1.0} for place in range(8)]
    recipes = []
    for number in range(256):
        if varied == "weight":
            negatives = [{**negative, "weight": number / 100} for negative in negatives]
        recipes.append(Recipe.load({"more_negatives": negatives, "seed": number}).model_dump(mode="json"))
    packed = pack({"kind": "generate", "recipes": recipes})
    assert len(packed) < 2 * len(json.dumps(recipes[0]))
    assert unpack(packed)["recipes"] == recipes


def test_what_only_some_pictures_share_is_kept_once_as_well() -> None:
    prompts = [chr(0x430 + place) * 10_000 for place in range(4)]
    recipes = [Recipe.load({"prompt": prompts[n % 4], "seed": n}).model_dump(mode="json") for n in range(256)]
    packed = pack({"kind": "generate", "recipes": recipes})
    assert len(packed) < 1.2 * len(json.dumps(prompts))
    assert unpack(packed)["recipes"] == recipes


@pytest.mark.parametrize("payload", [{}, {"kind": "train"}, {"recipes": []}, {"recipes": [{"a": [1]}, {"a": {}}]}])
def test_payloads_of_older_versions_are_read(payload: dict[str, Any]) -> None:
    assert unpack(json.dumps(payload)) == payload == unpack(pack(payload))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        "null",
        json.dumps({**json.loads(pack({"recipes": [{"a": 1}]})), "packed": VERSION + 1}),
        json.dumps({"packed": VERSION}),
        json.dumps(
            {"packed": VERSION, "recipes": {"count": 2, "same": [], "paths": [["a"]], "values": [], "rows": []}}
        ),
        json.dumps({"packed": VERSION, "recipes": [1]}),
    ],
)
def test_what_is_no_payload(text: str) -> None:
    with pytest.raises(ValueError):
        unpack(text)
