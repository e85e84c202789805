"""Comparisons as values: read from untrusted JSON, refused in one sentence, written and read back."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from studio.core.errors import BadInput
from studio.core.recipe import EditRef, GuidanceSpec, Recipe, WrapperSpec
from studio.services.comparisons.comparison import MAX_JSON_BYTES, MAX_ROWS, Column, Comparison, Row
from studio.services.comparisons.differences import NOTHING, differences, in_words

ROW = {"recipe": {"prompt": "a star"}}


def test_a_comparison_comes_back_from_its_json_to_the_last_field() -> None:
    recipe = Recipe(
        prompt='</script>"\u2028', guidance=GuidanceSpec(method="apg"), edits=(EditRef(edit="x", strength=2),)
    )
    comparison = Comparison(
        name="two",
        rows=(Row(name="a", recipe=recipe, source="picture 3"), Row(recipe=Recipe(seed=2**64 - 1))),
        columns=(Column(seed=2**64 - 1), Column(prompt=""), Column(seed=0, prompt="a heart")),
        reference=1,
        equal_nfe=True,
        batching="isolated",
    )
    assert Comparison.from_json(comparison.to_json()) == comparison
    assert comparison.recipe_at(0, 2) == recipe.model_copy(update={"seed": 0, "prompt": "a heart"})
    assert comparison.recipe_at(1, 1) == Recipe(seed=2**64 - 1, prompt="", batching="isolated")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"rows": [{"recipe": {"steps": 0}}]}, "Row 1: In the recipe, steps must be"),
        ({"rows": [ROW, {"recipe": {"prompts": ""}}]}, "Row 2: The recipe has no field"),
        ({"rows": [{"recipes": {}}]}, "has no field"),
        ({"rows": 3}, "rows must be a list of at most 20"),
        ({"rows": [ROW] * (MAX_ROWS + 1)}, "rows must be a list of at most 20"),
        ({"rows": [ROW] * 3, "columns": [{"seed": n} for n in range(134)]}, "3 rows by 134 columns are 402"),
        ({"rows": [ROW], "columns": []}, "needs a column"),
        ({"rows": [ROW], "columns": [{"seed": 1}, {"seed": 1}]}, "'seed 1' is there twice"),
        ({"rows": [ROW], "columns": [{"seed": -1}]}, "seed must be"),
        ({"rows": [ROW], "columns": [{"seed": True}]}, "seed must be"),
        ({"rows": [ROW], "reference": 1}, "The reference is row 2, and there are 1"),
        ({"version": 2}, "of version 2, and this program reads up to 1"),
        ({"version": "1"}, "version"),
        ({"name": "x" * 101}, "name must be"),
    ],
)
def test_bad_values_are_refused_in_one_sentence(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput) as refused:
        Comparison.load(values)
    assert sentence in refused.value.message and "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "text", ["", "[]", "{", "[" * 100_000, '{"rows": [{"recipe": NaN}]}', "x" * (MAX_JSON_BYTES + 1)]
)
def test_what_is_no_comparison_is_refused_in_one_sentence(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        Comparison.from_json(text)
    assert "comparison" in refused.value.message.casefold() and "\n" not in str(refused.value)


def test_differences_are_the_fields_that_differ_and_nothing_else() -> None:
    base = Recipe(prompt="a star", guidance=GuidanceSpec(params={"guidance_scale": 2.0}), edits=(EditRef(edit="a"),))
    assert differences(base, base) == ()
    assert differences(base, base.model_copy(update={"batching": "shared"})) == ()
    variant = base.model_copy(
        update={
            "steps": 30,
            "seed": 4,
            "guidance": GuidanceSpec(params={"guidance_scale": 3.0}, wrappers=(WrapperSpec(wrapper="interval"),)),
            "edits": (EditRef(edit="b", strength=0.5, stop=0.5), EditRef(edit="c", strength=0)),
        }
    )
    listed = {one.path: (one.reference, one.variant) for one in differences(base, variant, without=["seed"])}
    assert listed == {
        "steps": ("20", "30"),
        "guidance.params.guidance_scale": ("2", "3"),
        "guidance.wrappers": (NOTHING, "interval"),
        "edits.a": ("at 1", NOTHING),
        "edits.b": (NOTHING, "at 0.5, from 0 to 0.5 of the steps"),
    }
    assert [one.path for one in differences(base, variant)][0] == "seed"
    assert in_words(differences(base, variant)[1:]) == "steps 30, guidance scale 3, modifiers interval and 2 more"
    (method,) = differences(base, base.model_copy(update={"guidance": GuidanceSpec(method="apg")}))
    assert (method.reference, method.variant) == ("cfg (guidance scale 2)", "apg")
    assert in_words(differences(base, base)) == ""


def test_every_field_of_a_recipe_is_told_but_its_batching() -> None:
    """A field that is added to the recipe must be told too, or a row would seem equal that is not."""
    changed: dict[str, Any] = {
        "model": "other",
        "prompt": "x",
        "negative_prompt": "x",
        "more_negatives": [{"prompt": "x"}],
        "syntax": "plain",
        "seed": 1,
        "variation_seed": 1,
        "variation_strength": 0.5,
        "width": 64,
        "height": 64,
        "steps": 3,
        "sampler": "euler",
        "sampler_params": {"x": 1},
        "spacing": "karras",
        "guidance": {"method": "apg"},
        "edits": [{"edit": "x"}],
    }
    assert changed.keys() | {"version", "batching"} == Recipe.model_fields.keys()
    for field, value in changed.items():
        variant = Recipe.from_json(json.dumps({**json.loads(Recipe().canonical_json()), field: value}))
        (difference,) = differences(Recipe(), variant)
        assert difference.path.startswith(field.split(".")[0]) and difference.reference != difference.variant


def test_the_guide_s_example_is_a_comparison() -> None:
    guide = (Path(__file__).parents[3] / "docs" / "guide" / "comparing.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```json\n(.*?)```", guide, re.DOTALL)
    comparison = Comparison.from_json(example)
    assert (len(comparison.rows), len(comparison.columns)) == (3, 3)
