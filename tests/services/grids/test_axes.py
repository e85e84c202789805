"""Axes of a grid: values read from text, or one sentence on what is wrong with it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.core.errors import BadInput, StudioError
from studio.core.recipe import EditRef, GuidanceSpec, Negative, Recipe
from studio.services.grids.axes import Axis, parse_axis, text_of, with_value

BASE = Recipe(
    prompt="a red star, large",
    negative_prompt="red",
    more_negatives=(Negative(prompt="red fog"),),
    sampler="ddim",
    edits=(EditRef(edit="x"),),
)


@pytest.mark.parametrize(
    ("path", "text", "values"),
    [
        ("steps", "1,2,3", (1, 2, 3)),
        ("steps", " 7 ", (7,)),
        ("steps", "1-5", (1, 2, 3, 4, 5)),
        ("steps", "5-1", (5, 4, 3, 2, 1)),
        ("steps", "1-9 (+2)", (1, 3, 5, 7, 9)),
        ("steps", "1-9(+3), 20", (1, 4, 7, 20)),
        ("steps", "10-1 (-4)", (10, 6, 2)),
        ("steps", "10-50 [3]", (10, 30, 50)),
        ("seed", "18446744073709551614-18446744073709551615", (2**64 - 2, 2**64 - 1)),
        ("guidance.params.guidance_scale", "1-3", (1.0, 2.0, 3.0)),
        ("guidance.params.guidance_scale", "0.5-2 [4]", (0.5, 1.0, 1.5, 2.0)),
        ("guidance.params.guidance_scale", "0.1-0.5 (+0.1)", (0.1, 0.2, 0.3, 0.4, 0.5)),
        ("guidance.params.guidance_scale", "1-2 [1]", (1.0,)),
        ("edits.0.strength", "-1-1 (+0.5)", (-1.0, -0.5, 0.0, 0.5, 1.0)),
        ("edits.0.strength", "-2--1", (-2.0, -1.0)),
        ("variation_seed", "1, 2", (1, 2)),
        ("variation_strength", "0-1 [3]", (0.0, 0.5, 1.0)),
        ("sampler_params.eta", "0, 1", (0.0, 1.0)),
        ("more_negatives.0.weight", "0, 2", (0.0, 2.0)),
        ("spacing", "auto", ("auto",)),
        ("sampler", "ddim, dpmpp_2m", ("ddim", "dpmpp_2m")),
        ("prompt", '"a red star, large", a blue star', ("a red star, large", "a blue star")),
        ("negative_prompt", '"", red', ("", "red")),
        ("s/r", "red, blue, ", ("red", "blue", "")),
    ],
)
def test_values(path: str, text: str, values: tuple[Any, ...]) -> None:
    axis = parse_axis(BASE, path, text)
    assert axis.values == values and [type(v) for v in axis.values] == [type(v) for v in values]


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("stepz", "1", "The recipe has no parameter 'stepz'. Take model, prompt"),
        ("edits.1.strength", "1", "no parameter 'edits.1.strength'"),
        ("edits.-1.strength", "1", "no parameter"),
        ("edits", "1", "cannot vary 'edits' as a whole"),
        ("guidance", "1", "cannot vary 'guidance' as a whole"),
        ("version", "1", "cannot vary 'version'"),
        ("guidance.params.eta", "1", "The guidance method cfg has no parameter 'eta'; it has guidance_scale"),
        ("sampler_params.theta", "1", "The sampler ddim has no parameter 'theta'; it has eta"),
        ("more_negatives", "1", "cannot vary 'more_negatives' as a whole"),
        ("__class__", "1", "no parameter"),
        ("", "1", "no parameter"),
        ("steps", "", "'' is neither a number nor a range"),
        ("steps", "1,,2", "'' is neither a number nor a range"),
        ("steps", "many", "'many' is neither a number nor a range"),
        ("steps", "1-5 (+0)", "never gets to its end"),
        ("steps", "1-5 (-1)", "never gets to its end"),
        ("steps", "1-5 [0]", "has 0 values, not 1 to 256"),
        ("steps", "0-1000000000", "has 1000000001 values, not 1 to 256"),
        ("steps", "1-5 (+0.000000000000000001)", "not 1 to 256"),
        ("steps", "1-200, 201-400", "more than 256 values"),
        ("steps", "1-3, 2", "has the value 2 twice"),
        ("steps", "nan", "neither a number"),
        ("steps", "1e3", "neither a number"),
        ("sampler", "", "has no values"),
        ("prompt", '"a" b', "cannot be read"),
        ("prompt", "x" * 100_001, "at most 100000 characters"),
    ],
)
def test_one_sentence_on_what_is_wrong(path: str, text: str, said: str) -> None:
    with pytest.raises(BadInput) as raised:
        parse_axis(BASE, path, text)
    assert said in str(raised.value)


@settings(max_examples=200, deadline=None)
@given(
    path=st.sampled_from(["steps", "seed", "prompt", "S/R", "edits.0.strength", "batching"]), text=st.text(max_size=40)
)
def test_any_text_gives_values_or_a_sentence(path: str, text: str) -> None:
    try:
        assert parse_axis(BASE, path, text).values
    except StudioError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("axis", "value", "changed"),
    [
        (Axis("steps", (5,)), 5, {"steps": 5}),
        (
            Axis("guidance.params.guidance_scale", (2.0,)),
            2.0,
            {"guidance": GuidanceSpec(params={"guidance_scale": 2.0})},
        ),
        (Axis("edits.0.strength", (0.5,)), 0.5, {"edits": (EditRef(edit="x", strength=0.5),)}),
        (
            Axis("S/R", ("red", "blue")),
            "blue",
            {
                "prompt": "a blue star, large",
                "negative_prompt": "blue",
                "more_negatives": (Negative(prompt="blue fog"),),
            },
        ),
        (Axis("S/R", ("red", "blue")), "red", {}),
        (Axis("S/R", (", large", "")), "", {"prompt": "a red star"}),
    ],
)
def test_a_value_put_into_a_recipe(axis: Axis, value: Any, changed: dict[str, Any]) -> None:
    values = BASE.model_dump(mode="json")
    with_value(values, axis, value)
    assert Recipe.load(values) == BASE.model_copy(update=changed)


@pytest.mark.parametrize("searched", ["green", ""])
def test_a_search_without_a_find(searched: str) -> None:
    with pytest.raises(BadInput, match="No prompt has"):
        with_value(BASE.model_dump(mode="json"), Axis("S/R", (searched, "blue")), "blue")


def test_labels() -> None:
    assert Axis("guidance.params.guidance_scale", (1.0, 2.5)).labels() == ("guidance scale: 1", "guidance scale: 2.5")
    assert Axis("S/R", ("red", "")).labels() == ("red", "(nothing)")
    assert Axis("sampler", ("ddim",)).labels() == ("sampler: ddim",)
    paths = ("edits.1.strength", "guidance.method", "guidance.wrappers.0.params.start", "sampler_params.s_noise")
    assert [Axis(path, ()).name for path in paths] == [
        "strength of edit 2",
        "guidance method",
        "start",
        "sampler s noise",
    ]


def test_what_was_read_is_written_as_it_is_typed() -> None:
    for path, typed in (
        ("seed", "18446744073709551615, 3"),
        ("guidance.params.guidance_scale", "0.1-0.5 (+0.1), 1000000"),
        ("guidance.params.rescale", "0.000001"),
        ("prompt", 'a, "b, ""c""", "", d e'),
        ("S/R", '""'),
    ):
        axis = parse_axis(Recipe(), path, typed)
        assert parse_axis(Recipe(), path, text_of(axis)) == axis, text_of(axis)
    fit = parse_axis(Recipe(guidance=GuidanceSpec(method="zero_star")), "guidance.params.fit", "true, FALSE")
    assert text_of(fit) == "true, false"
