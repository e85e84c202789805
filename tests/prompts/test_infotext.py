"""A1111's infotext: what is taken over, what is named as left out, and that ours comes back whole."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.core.errors import BadInput
from studio.core.recipe import GuidanceSpec, Recipe
from studio.prompts.infotext import Infotext, parse_infotext, quoted
from studio.prompts.samplers import sampler_and_schedule
from studio.storage.png import infotext, program

FOREIGN = r"""masterpiece, (a red star:1.2) <lora:../../x:9e9>
second line
Negative prompt: ugly,
bad
Steps: 30, Sampler: DPM++ 2M Karras, CFG scale: 7.5, Seed: 123, Size: 512x768, Model hash: abc, Model: v1-5, Variation seed: 9, Variation seed strength: 0.3, Clip skip: 2, Lora hashes: "x: 1234, y: \"q\"\n", Version: v1.9.4"""  # noqa: E501


def left(found: Infotext) -> dict[str, str]:
    return {item.name: item.value for item in found.left_out}


def with_settings(line: str) -> Infotext:
    return parse_infotext(f"a\n{line}, Steps: 20, Seed: 1, Size: 64x64")


def test_foreign() -> None:
    found = parse_infotext(FOREIGN)
    assert found.values == {
        "prompt": "masterpiece, (a red star:1.2) <lora:../../x:9e9>\nsecond line",
        "negative_prompt": "ugly,\nbad",
        "sampler": "dpmpp_2m",
        "spacing": "karras",
        "guidance": {"method": "cfg", "params": {"guidance_scale": 7.5}},
        "steps": 30,
        "seed": 123,
        "variation_seed": 9,
        "variation_strength": 0.3,
        "width": 512,
        "height": 768,
        "model": "v1-5",
    }
    assert left(found) == {
        "Extra network": "<lora:../../x:9e9>",
        "Clip skip": "2",
        "Lora hashes": 'x: 1234, y: "q"\n',
    }
    assert str(found.left_out[1]) == "Clip skip: 2 (there is no such setting here)"
    assert Recipe.load(found.values).seed == 123 and not found.ours


def test_a_model_that_is_not_at_hand_is_named() -> None:
    assert left(parse_infotext(FOREIGN, models=["stencil"]))["Model"] == "v1-5"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("DPM++ 2M Karras", ("dpmpp_2m", "karras")),
        ("DPM++ 2M SDE Exponential", ("dpmpp_2m_sde", "exponential")),
        ("DPM++ 2M SDE", ("dpmpp_2m_sde", None)),
        ("Euler a", ("euler_ancestral", None)),
        ("Euler", ("euler", None)),
        ("DDIM", ("ddim", None)),
        ("UniPC", ("unipc", None)),
        ("euler_ancestral", ("euler_ancestral", None)),
        ("DPM++ 2M SDE Heun Karras", (None, None)),
        ("LMS Karras", (None, None)),
        ("Karras", (None, None)),
        ("", (None, None)),
    ],
)
def test_samplers(name: str, expected: tuple[str | None, str | None]) -> None:
    assert sampler_and_schedule(name) == expected


@pytest.mark.parametrize(
    ("schedule", "spacing", "named"),
    [
        ("Karras", "karras", False),
        ("Exponential", "exponential", False),
        ("Uniform", "linspace_fractional", False),
        ("Normal", "linspace_fractional", False),
        ("Polyexponential", "exponential", False),
        ("Beta", "beta_levels", False),
        ("karras", "karras", False),
        ("sgm_uniform", "trailing", True),
        ("DDIM", "leading", True),
        ("KL Optimal", None, True),
        ("Simple", "trailing", False),
        ("SGM Uniform", "trailing", True),
        ("Automatic", "leading", True),
        ("Align Your Steps", None, True),
    ],
)
def test_schedule_types(schedule: str, spacing: str | None, named: bool) -> None:
    found = with_settings(f"Sampler: DDIM, Schedule type: {schedule}")
    assert found.values.get("spacing") == spacing and ("Schedule type" in left(found)) == named


@pytest.mark.parametrize(
    ("line", "name", "reason"),
    [
        ("Sampler: Heun", "Sampler", "no such sampler"),
        ("Steps: 99999", "Steps", "from 1 to 1000"),
        ("Seed: -1", "Seed", "seed must be a whole number"),
        ("Seed: 1e9", "Seed", "not a whole number"),
        ("Seed: " + "9" * 5000, "Seed", "not a whole number"),
        ("Size: 65536x65536", "Size", "width must be"),
        ("Size: 100x64", "Size", "multiple of 8"),
        ("Size: big", "Size", "not two whole numbers"),
        ("CFG scale: nan", "CFG scale", "not a number"),
        ("CFG scale: 1e999", "Guidance", "finite"),
        ("Variation seed strength: 2", "Variation seed strength", "from 0 to 1"),
        ("Guidance: apg", "Guidance", "no such setting"),
        ("Hires upscale: 2", "Hires upscale", "no such setting"),
    ],
)
def test_what_is_out_of_range_or_unknown_is_named(line: str, name: str, reason: str) -> None:
    key = line.split(":")[0]
    rest = {"Steps": "20", "Seed": "1", "Size": "64x64"}
    found = parse_infotext("a\n" + ", ".join([*(f"{k}: {v}" for k, v in rest.items() if k != key), line, "Version: v"]))
    (item,) = found.left_out
    assert item.name == name and reason in item.reason and len(item.value) <= 60
    Recipe.load(found.values)


@pytest.mark.parametrize("text", ["", "a red star", "a: b, c: d", "two\nlines: here"])
def test_a_prompt_alone(text: str) -> None:
    assert parse_infotext(text).values == {"prompt": text}


def test_lines_of_other_shapes() -> None:
    assert parse_infotext("Negative prompt: x").values == {"prompt": "", "negative_prompt": "x"}
    assert with_settings('Note: "unclosed, Odd').values["steps"] == 20
    assert left(with_settings(r'Note: "\ud800"'))["Note"] == "?"
    assert left(with_settings(r'Note: "\x"'))["Note"] == r'"\x"'
    assert parse_infotext("a\nSteps: 1, Steps: 2, Seed: 3, Size: 64x64, ,,\r\n").values["steps"] == 2


@pytest.mark.parametrize(
    "piece", ['k: "', "a", ",", "a: b,", r'a: "\",', "\n", "Negative prompt:\n", "<lora:", " ", "k ", "\0", "é: ⭐,"]
)
def test_a_million_hostile_characters(piece: str) -> None:
    text = (piece * 1_000_000)[:999_900]
    for hostile in (f"{text}\nSteps: 1, Seed: 2, Size: 64x64", f"a\nSteps: 1, Seed: 2, {text}"):
        found = parse_infotext(hostile)
        assert len(found.left_out) <= 51 and all(len(item.value) <= 60 for item in found.left_out)
        Recipe.load(found.values)


def test_too_long() -> None:
    with pytest.raises(BadInput, match="1000001 characters; at most 1000000"):
        parse_infotext("x" * 1_000_001)


def test_many_are_counted() -> None:
    found = with_settings(", ".join(f"k{n}: {n}" for n in range(80)))
    assert len(found.left_out) == 51 and str(found.left_out[-1]).startswith("More: 30 ")


# NUL is written as another character, and these two would be read as the start of something else.
writable = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\n\r"), max_size=80).filter(
    lambda text: not text.startswith("Negative prompt:")
)
lines = st.lists(writable, min_size=1, max_size=3).map("\n".join)


@settings(max_examples=80, deadline=None)
@given(
    prompt=lines,
    negative=lines,
    seed=st.integers(0, 2**64 - 1),
    steps=st.integers(1, 1000),
    width=st.integers(4, 256).map(lambda n: 8 * n),
    sampler=st.sampled_from(["ddim", "dpmpp_2m"]),
    params=st.fixed_dictionaries(
        {"guidance_scale": st.floats(1, 20)}, optional={"eta": st.floats(0, 1), "momentum": st.floats(-0.95, 0.5)}
    ),
)
def test_ours_comes_back(prompt: str, negative: str, params: dict[str, float], **others: object) -> None:
    spec = GuidanceSpec(method="apg", params={**params})
    recipe = Recipe.load({"prompt": prompt, "negative_prompt": negative, "guidance": spec.model_dump(), **others})
    found = parse_infotext(infotext(recipe, {"model_hash": "0123456789abcdef"}), models=["stencil"])
    assert found.ours and found.left_out == []
    assert Recipe.load(found.values) == recipe


# -- in the form others write it ------------------------------------------------------------------------------------

SETTINGS = "Steps: 7, Sampler: Euler a, CFG scale: 2, Seed: 41, Size: 64x64"


@pytest.mark.parametrize(
    "text",
    [
        f"a red star\r\nNegative prompt: blue\r\n{SETTINGS}\r\n",
        f"a red star\rNegative prompt: blue\r{SETTINGS}",
        f"a red star\u2028Negative prompt: blue\u2028{SETTINGS}",
        f"  a red star \n Negative prompt:  blue \n\n  {SETTINGS}\n\n",
        f"\ufeffa red star\nnegative prompt:blue\n{SETTINGS.replace(' ', chr(0xA0))}\0\0",
        f"a red star\nNegative Prompt\uff1a blue\n{SETTINGS.replace('CFG s', 'Guidance S').replace('x64', ' x 64')}",
        f"a red star\nNegative prompt: blue\n{SETTINGS.lower()}",
        f"a red star Negative prompt: blue {SETTINGS}",
        "a red star\nNegative prompt: blue\nSize: 64x64, Seed: 41, CFG scale: 2, Sampler: euler_ancestral, Steps: 7",
        f"a red star\nNegative prompt: blue\n{SETTINGS}, Schedule type: Automatic",
    ],
)
def test_white_space_line_ends_and_names_as_others_write_them(text: str) -> None:
    infotext = parse_infotext(text)
    assert infotext.left_out == []
    assert infotext.values == {
        "prompt": "a red star",
        "negative_prompt": "blue",
        "sampler": "euler_ancestral",
        "spacing": "linspace_fractional",
        "guidance": {"method": "cfg", "params": {"guidance_scale": 2.0}},
        "steps": 7,
        "seed": 41,
        "width": 64,
        "height": 64,
    }


@pytest.mark.parametrize(
    ("behind", "named"),
    [
        ("Template: {red|blue}\nNegative Template: x", {"Template": "{red|blue}", "Negative Template": "x"}),
        ("Template: a red\nstar", {"Template": "a red star"}),
        ("\nWildcard: __x__, y: z\n\n", {"Wildcard": "__x__, y: z"}),
        ("just words", {"Further text": "just words"}),
    ],
)
def test_lines_behind_the_settings_are_named_and_no_part_of_a_prompt(behind: str, named: dict[str, str]) -> None:
    infotext = parse_infotext(f"a red star\nNegative prompt: blue\n{SETTINGS}\n{behind}")
    assert (infotext.values["negative_prompt"], infotext.values["seed"], left(infotext)) == ("blue", 41, named)


def test_words_in_the_line_of_settings_that_are_none_are_named() -> None:
    assert left(parse_infotext(f"a\n{SETTINGS}, what, ever")) == {"Further text": "what, ever"}


@pytest.mark.parametrize(
    ("sampler", "schedule", "spacing", "named"),
    [
        ("Euler a", "Automatic", "linspace_fractional", False),
        ("Euler", "", "linspace_fractional", False),
        ("DPM++ 2M", "Automatic", "karras", False),
        ("DPM++ 2M", "", "linspace_fractional", False),
        ("DPM++ 2M SDE", "automatic", "exponential", False),
        ("DPM++ 2M Karras", "Automatic", "karras", False),
        ("DDIM", "Automatic", "leading", True),
        ("UniPC", "Automatic", None, True),
        ("UniPC", "", None, True),
        ("Heun", "Automatic", None, True),
        ("Heun", "", None, False),
        ("Euler", "Turbo", None, True),
    ],
)
def test_a_schedule_that_is_not_named_is_the_samplers_or_left_out(
    sampler: str, schedule: str, spacing: str | None, named: bool
) -> None:
    said = f", Schedule type: {schedule}" if schedule else ""
    infotext = parse_infotext(f"a\nSteps: 7, Sampler: {sampler}{said}, CFG scale: 2, Seed: 41, Size: 64x64")
    assert infotext.values.get("spacing") == spacing and ("Schedule type" in left(infotext)) == named


@pytest.mark.parametrize("name", ["dreamer v8", "dreamer v8.safetensors", "SD/Dreamer v8.ckpt", r"a\dreamer v8"])
def test_a_model_is_known_by_its_file(name: str) -> None:
    assert parse_infotext(f"a\n{SETTINGS}, Model: {name}", ["stencil", "dreamer v8"]).values["model"] == "dreamer v8"


# -- any value of ours ----------------------------------------------------------------------------------------------

_WEB_UI_PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')


def web_ui_reading(text: str) -> dict[str, str]:
    """The settings as the web UI reads them: the last line, pairs at commas, values in quotes as JSON."""
    line = text.strip().split("\n")[-1]
    pairs = _WEB_UI_PAIR.findall(line)
    return {name: json.loads(value) if value[:1] == value[-1:] == '"' else value for name, value in pairs}


awkward = st.text(
    st.one_of(
        st.sampled_from(list(',:"\\()[]{}\n\r\t =\u2028\u2029\x85\xa0\0') + ["Steps: 50, ", "1", "True", "é", "⭐"]),
        st.characters(exclude_categories=["Cs"]),
    ).map(lambda piece: piece[:1]),
    max_size=20,
)
pieces = st.lists(
    st.sampled_from([", ", "Steps: 50", "\n", '"', "\\", ": ", "x", "\u2028", " ", "[", "0.5"]), max_size=8
)


@settings(max_examples=150, deadline=None)
@given(model=awkward | pieces.map("".join))
def test_any_value_survives_our_reader_and_the_web_uis(model: str) -> None:
    text = infotext(Recipe(prompt="a red star", model=model, seed=41), {"model_hash": "0123456789"})
    read = web_ui_reading(text)
    assert (read["Model"], read["Steps"], read["Seed"], read["Model hash"]) == (model, "20", "41", "0123456789")
    ours = parse_infotext(text)
    assert (ours.values["model"], ours.values["steps"], ours.left_out) == (model, 20, [])


@pytest.mark.parametrize("value", ["1", "0.5", "True", "1e5", " x", "a, b", "", '"q"', 0.5, 3, True, 1e-05])
def test_parameters_keep_their_type(value: object) -> None:
    line = (
        f"Steps: 5, Guidance: apg, Guidance x: {quoted(value, typed=True)}, Seed: 1, Size: 64x64, Version: {program()}"
    )
    params = parse_infotext(f"a\n{line}").values["guidance"]["params"]
    assert params == {"x": value} and type(params["x"]) is type(value)


def test_what_else_ours_hold_comes_back_or_is_named() -> None:
    recipe = Recipe.load(
        {
            "sampler": "ddim",
            "sampler_params": {"eta": 0.5},
            "spacing": "leading_dpm",
            "syntax": "compel",
            "seed": 3,
            "edits": [{"edit": "stars, v2", "strength": 0.5}],
            "more_negatives": [{"prompt": "é: \n"}],
        }
    )
    ours = parse_infotext(infotext(recipe, {}))
    back = Recipe.load(ours.values)
    assert back == recipe.model_copy(update={"edits": (), "more_negatives": (), "guidance": back.guidance})
    assert left(ours).keys() == {"Edits", "More negative prompts"} and "stars, v2" in left(ours)["Edits"]
