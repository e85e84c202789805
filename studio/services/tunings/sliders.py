"""What of a recipe votes can tune: strengths of its edits, numbers of its guidance method and of what is around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from studio.core.errors import BadInput
from studio.core.params import Params, ParamSpec, load, mattering, shown, specs
from studio.core.recipe import GuidanceSpec, Recipe
from studio.preference.tuning.votes import Point
from studio.services.edits.library import EditLibrary
from studio.services.scales import PARAMETER, PLAIN, scales
from studio.services.sources import Sources

MAX_LEVELS = 1001
STRENGTH_STEP, STRENGTH_HIGH = 0.05, 1.5
EDITS, GUIDANCE_PARAMS, WRAPPERS_PATH = "edits", "guidance.params", "guidance.wrappers"
_DIGITS = 6


class Slider(Params):
    """One number that is tuned.

    path: where it stands in a recipe: edits.0.strength, guidance.params.eta, guidance.wrappers.0.params.stop.
    label: what people call it.
    low, high: between which values.
    step: from one value to the next.
    whole: whether it takes whole numbers alone.
    """

    path: str = Field(max_length=200)
    label: str = Field(default="", max_length=200)
    low: float
    high: float
    step: float = Field(gt=0)
    whole: bool = False

    @property
    def levels(self) -> int:
        """How many values it has."""
        return int((self.high - self.low) / self.step + 1e-6) + 1

    def value(self, share: float) -> float:
        """The value at a share of the range, 0 to 1."""
        return round(self.low + share * self.step * (self.levels - 1), _DIGITS)

    def share(self, value: float) -> float:
        """Where a value lies in the range, 0 to 1."""
        return min(1.0, max(0.0, (value - self.low) / (self.step * (self.levels - 1))))


def tunable(recipe: Recipe, sources: Sources, edits: EditLibrary) -> list[Slider]:
    """Everything of a recipe that can be tuned, each with the range that is usual.

    Edits first, in the order of the stack, then the guidance method's parameters that matter, then those around it.
    Raises NotFound, BadInput for guidance that is none.
    """
    # Here and not above: they bring torch, and the page imports this file before it is painted.
    from studio.guidance import GUIDANCE, spoken
    from studio.guidance.wrapper import WRAPPERS

    guidance = spoken(recipe.guidance)
    entries = edits.known(ref.edit for ref in recipe.edits)
    sliders = [
        Slider(
            path=f"{EDITS}.{place}.strength",
            label=f"Strength of {(entries[ref.edit].name if ref.edit in entries else None) or ref.edit}"[:200],
            low=min(0.0, ref.strength),
            high=max(STRENGTH_HIGH, ref.strength),
            step=STRENGTH_STEP,
        )
        for place, ref in enumerate(recipe.edits)
    ]
    sliders += _of_params(GUIDANCE_PARAMS, specs(GUIDANCE.get(guidance.method)), guidance, sources, recipe.model)
    for place, layer in enumerate(guidance.wrappers):
        path = f"{WRAPPERS_PATH}.{place}.params"
        sliders += _of_params(path, specs(WRAPPERS.get(layer.wrapper)), layer, sources, recipe.model)
    return sliders


def _of_params(folder: str, params: Sequence[ParamSpec], owner: Any, sources: Sources, model: str) -> list[Slider]:
    present: dict[str, Any] = owner.params
    matter = mattering(params, present)
    sliders: list[Slider] = []
    for spec in params:
        if spec.kind not in ("float", "int") or spec.name not in matter or spec.low is None or spec.high is None:
            continue
        low, high = float(spec.low), float(spec.high)
        value = float(present.get(spec.name, spec.default))
        if spec.name == PARAMETER:
            low, high = _usual_scales(owner, sources, model, low, high)
        low, high = min(low, value), max(high, value)
        step = float(spec.step or (1 if spec.kind == "int" else (high - low) / 100))
        if (high - low) / step >= 1:
            step *= max(1, -(-int((high - low) / step) // (MAX_LEVELS - 1)))  # a range as wide has coarser steps
            whole = spec.kind == "int"
            path = f"{folder}.{spec.name}"
            sliders.append(Slider(path=path, label=spec.label, low=low, high=high, step=step, whole=whole))
    return sliders


def _usual_scales(owner: Any, sources: Sources, model: str, low: float, high: float) -> tuple[float, float]:
    """The guidance scales one would try: those that leave pictures whole where that was measured."""
    is_plain = isinstance(owner, GuidanceSpec) and owner.method == PLAIN
    measured = scales(sources, model) if is_plain else None
    usual_low, usual_high = measured or (1.0, 10.0)
    return max(low, usual_low), min(high, usual_high)


def check_sliders(
    recipe: Recipe, sliders: Sequence[Slider], sources: Sources, edits: EditLibrary, size: int
) -> tuple[Slider, ...]:
    """The sliders, named and checked against what a recipe has. size: pictures of a question.

    Raises BadInput for none, one that is not there, comes twice or does nothing; a range that is empty, too wide, too
    fine, or leaves out what the recipe has.
    """
    by_path = {slider.path: slider for slider in tunable(recipe, sources, edits)}
    if not by_path:
        message = "Nothing of this recipe can be tuned: it has no edit, and its guidance method no number."
        raise BadInput(message, "Put an edit on the stack, or take another guidance method.", field="sliders")
    if not sliders:
        raise BadInput("A tuning needs something to tune.", f"There is {', '.join(by_path)}.", field="sliders")
    checked: list[Slider] = []
    for slider in sliders:
        usual = by_path.get(slider.path)
        if usual is None:
            message = f"There is nothing to tune called {shown(slider.path)}, or it does nothing beside the rest."
            raise BadInput(message, f"There is {', '.join(by_path)}.", field="sliders")
        if slider.path in {earlier.path for earlier in checked}:
            raise BadInput(f"{usual.label} is to be tuned twice.", "Name each once.", field="sliders")
        labelled = slider.model_copy(update={"label": usual.label, "whole": usual.whole})
        _check_range(recipe, labelled, size)
        checked.append(labelled)
    return tuple(checked)


def _check_range(recipe: Recipe, slider: Slider, size: int) -> None:
    label, low, high = slider.label, slider.low, slider.high
    if not low < high:
        message = f"The range of {label} is empty: it goes from {low:g} to {high:g}."
        raise BadInput(message, "Give a lower and a higher end.", field="sliders")
    if slider.whole and any(value != int(value) for value in (low, high, slider.step)):
        message = f"{label} is a whole number: it cannot go from {low:g} to {high:g} in steps of {slider.step:g}."
        raise BadInput(message, field="sliders")
    if not size <= slider.levels <= MAX_LEVELS:
        message = f"From {low:g} to {high:g} in steps of {slider.step:g}, {label} has {slider.levels:,}"
        allowed = f"value{'s' * (slider.levels > 1)}; here it takes {size} to {MAX_LEVELS:,}."
        raise BadInput(f"{message} {allowed}", "Take another step or range.", field="sliders")
    value = value_of(recipe, slider)
    if not low <= value <= high:
        message = f"The tuning starts at {value:g} for {label}, which is not from {low:g} to {high:g}."
        raise BadInput(message, "Widen the range, or start elsewhere.", field="sliders")
    for end in (0.0, 1.0):
        placed(recipe, (slider,), (end,))


def value_of(recipe: Recipe, slider: Slider) -> float:
    """What a recipe has there. Raises BadInput where it has no such number."""
    place: Any = recipe.model_dump(mode="json")
    try:
        for part in slider.path.split("."):
            place = place[int(part)] if isinstance(place, list) else place[part]
    except (KeyError, IndexError, ValueError, TypeError):
        place = None
    if isinstance(place, bool) or not isinstance(place, int | float):
        raise BadInput(f"The recipe has no number {shown(slider.path)}.", field="sliders")
    return float(place)


def point_of(recipe: Recipe, sliders: Sequence[Slider]) -> Point:
    """Where a recipe stands on all sliders, each from 0 to 1. Raises BadInput as `value_of`."""
    return tuple(round(slider.share(value_of(recipe, slider)), 9) for slider in sliders)


def placed(recipe: Recipe, sliders: Sequence[Slider], point: Point) -> Recipe:
    """The recipe with its sliders at a point. Raises BadInput for what its guidance does not take."""
    values: dict[str, Any] = recipe.model_dump(mode="json")
    for slider, share in zip(sliders, point, strict=True):
        *folders, last = slider.path.split(".")
        place: Any = values
        for part in folders:
            place = place[int(part)] if isinstance(place, list) else place[part]
        value = slider.value(share)
        place[last] = int(value) if isinstance(place.get(last), int) and value == int(value) else value
    return load(Recipe, values, "recipe")
