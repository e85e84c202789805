"""The form of a recipe: its controls, and the way between what they hold and recipes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr
from gradio.components import Component

from studio.core.errors import BadInput
from studio.core.params import load, shown
from studio.core.recipe import EditRef, GuidanceSpec, Recipe
from studio.prompts.wildcards import Wildcards
from studio.services.wording import Words
from studio.ui.components import around, choice, negatives
from studio.ui.components.seeds import MAX_SEED, parse_seed, random_seed
from studio.ui.methods import Method, declarations

MAX_COUNT = 16
NO_WORDS = Words({}, Wildcards({}))
GUIDANCE, SAMPLER = "guidance method", "sampler"

Values = dict[str, Any]  # name of a control -> the plain value it holds


def samplers() -> dict[str, Method]:
    """The samplers that a recipe may name."""
    return declarations().samplers


def spacings() -> list[tuple[str, str]]:
    """(label, name) of the ways to space the noise levels."""
    grids = [(grid.label, name) for name, grid in declarations().grids.items()]
    return [("Automatic: the model's own", "auto"), *grids]


def recipes(values: Mapping[str, Any], edits: Sequence[EditRef] = (), words: Words = NO_WORDS) -> list[Recipe]:
    """One recipe per picture wanted; the k-th has the seed plus k, and wildcards drawn by that.

    edits: the stack. words: the styles and wildcards at hand. Raises BadInput, NotFound.
    """
    fields = {**_fields(values), "edits": tuple(edits)}
    seed = parse_seed(values["seed"])
    start = random_seed() if seed is None else seed
    count = _whole(values["count"], "number of pictures", 1, MAX_COUNT)
    return [_worded(fields, values["styles"] or (), (start + k) % (MAX_SEED + 1), words) for k in range(count)]


def _worded(fields: Mapping[str, Any], styles: Sequence[str], seed: int, words: Words) -> Recipe:
    """One recipe; checked before its words are put together and after."""
    typed = load(Recipe, {**fields, "seed": seed}, "recipe")
    wording = words.say(typed.prompt, typed.negative_prompt, styles, seed)
    return load(
        Recipe, {**fields, "seed": seed, "prompt": wording.prompt, "negative_prompt": wording.negative_prompt}, "recipe"
    )


def _fields(values: Mapping[str, Any]) -> dict[str, Any]:
    method, params = choice.chosen(values, "method", GUIDANCE, declarations().guidance)
    sampler, sampler_params = choice.chosen(values, "sampler", SAMPLER, samplers())
    strength = _number(values["variation_strength"], "variation strength")
    seed = parse_seed(values["variation_seed"], "variation_seed")
    return {
        "model": values["model"],
        "prompt": values["prompt"] or "",
        "negative_prompt": values["negative_prompt"] or "",
        "more_negatives": negatives.negatives(values["more_negatives"]),
        "syntax": values["syntax"],
        # Without strength the second noise says nothing, and a recipe should not say what it does not mean.
        "variation_seed": (random_seed() if seed is None else seed) if strength else None,
        "variation_strength": strength,
        "width": _whole(values["width"], "width", 32, 2048),
        "height": _whole(values["height"], "height", 32, 2048),
        "steps": _whole(values["steps"], "number of steps", 1, 1000),
        "sampler": sampler,
        "sampler_params": sampler_params,
        "spacing": values["spacing"],
        "guidance": load(
            GuidanceSpec,
            {"method": method, "params": params, "wrappers": around.read(values.get("wrappers"))},
            "guidance",
        ),
    }


def _whole(value: Any, noun: str, low: int, high: int) -> int:
    """A number control gives None when it is empty, and 20.0 for 20."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or not low <= value <= high:
        raise BadInput(f"The {noun} must be a whole number from {low} to {high}, not {shown(value)}.")
    if value != int(value):
        raise BadInput(f"The {noun} must be a whole number, not {shown(value)}.")
    return int(value)


def _number(value: Any, noun: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise BadInput(f"The {noun} must be a number, not {shown(value)}.")
    return float(value)


def values_of(recipe: Recipe, count: int = 1) -> Values:
    """What the controls hold for a recipe; the reverse of `recipes`."""
    variation = "-1" if recipe.variation_seed is None else str(recipe.variation_seed)
    return {
        "model": recipe.model,
        "prompt": recipe.prompt,
        "negative_prompt": recipe.negative_prompt,
        "more_negatives": negatives.rows_of(recipe.more_negatives),
        "styles": [],  # in the words already
        "syntax": recipe.syntax,
        "seed": str(recipe.seed),
        "count": count,
        "variation_seed": variation,
        "variation_strength": recipe.variation_strength,
        "steps": recipe.steps,
        "spacing": recipe.spacing,
        "width": recipe.width,
        "height": recipe.height,
        **choice.values_of_choice("method", recipe.guidance.method, recipe.guidance.params, declarations().guidance),
        "wrappers": around.to_json([wrapper.model_dump(mode="json") for wrapper in recipe.guidance.wrappers]),
        **choice.values_of_choice("sampler", recipe.sampler, recipe.sampler_params, samplers()),
    }


class Form:
    """The controls of a recipe, by the name of what they hold, in a fixed order; laid out elsewhere."""

    def __init__(self) -> None:
        self.controls: dict[str, Component] = {}

    def add(self, name: str, component: Component) -> Any:
        self.controls[name] = component
        return component

    @property
    def names(self) -> tuple[str, ...]:
        """What the controls are called, in their order."""
        return tuple(self.controls)

    def plain(self, values: Mapping[str, Any]) -> Values:
        """Of named values, those that the controls hold."""
        return {name: values[name] for name in self.controls}

    def update(self, values: Mapping[str, Any]) -> Values:
        """What sets the controls to `values`, by name; those of `beyond` are left out."""
        beyond = self.beyond(values)
        return {name: gr.update(value=values[name]) for name in self.controls if name in values and name not in beyond}

    def beyond(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the values that name what a menu does not have."""
        return {
            name: values[name]
            for name, control in self.controls.items()
            if name in values and not _can_hold(control, values[name])
        }


def _can_hold(control: Component, value: Any) -> bool:
    """Whether a menu has that entry: a draft may be of a version that had others."""
    if not isinstance(control, gr.Dropdown):
        return True
    entries = [entry[1] if isinstance(entry, tuple | list) else entry for entry in control.choices]
    return all(entry_value in entries for entry_value in value) if isinstance(value, list) else value in entries
