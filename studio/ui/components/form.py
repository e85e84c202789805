"""The form of a recipe: its controls, and the way between what they hold and recipes."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr
from gradio.components import Component

from studio.core.errors import BadInput, NotFound
from studio.core.params import load, shown
from studio.core.recipe import GuidanceSpec, Recipe
from studio.ui import controls
from studio.ui.methods import methods

MAX_COUNT = 16
MAX_SEED = 2**64 - 1
METHOD_LABELS = {"cfg": "Classifier-free (CFG)", "apg": "Adaptive projected (APG)"}
SAMPLERS = [("DPM-Solver++ 2M", "dpmpp_2m"), ("DDIM", "ddim")]

Values = dict[str, Any]  # name of a control -> the plain value it holds


def parse_seed(typed: str | int | None) -> int | None:
    """Read a seed; None asks for a random one (nothing, or -1).

    It comes as text: a number would pass through JavaScript, where every second whole number above 2**53 is lost.
    Raises BadInput.
    """
    text = str("" if typed is None else typed).strip()
    if text in ("", "-1"):
        return None
    # isdecimal also holds for other scripts' digits, which int() reads as well; the length bound keeps int() quick.
    if not text.isdecimal() or len(text) > 40 or int(text) > MAX_SEED:
        allowed = f"a whole number from 0 to {MAX_SEED}, or -1 for a random one"
        raise BadInput(f"The seed must be {allowed}, not {shown(text)}.", field="seed")
    return int(text)


def random_seed() -> int:
    """A seed from the whole range, from the system: never from a generator that a picture is drawn with."""
    return secrets.randbelow(MAX_SEED + 1)


def recipes(values: Mapping[str, Any]) -> list[Recipe]:
    """One recipe per picture wanted; the k-th has the seed plus k. Raises BadInput."""
    first = load(Recipe, _fields(values), "recipe")
    seed = parse_seed(values["seed"])
    start = random_seed() if seed is None else seed
    wanted = _whole(values["count"], "number of pictures", 1, MAX_COUNT)
    # load again and not model_copy, which does not validate
    return [load(Recipe, {**first.model_dump(), "seed": (start + k) % (MAX_SEED + 1)}, "recipe") for k in range(wanted)]


def _fields(values: Mapping[str, Any]) -> dict[str, Any]:
    method = str(values["method"])
    prefix = f"{method}."
    given = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
    if method not in methods():
        raise NotFound(f"There is no guidance method named {shown(method)}; there are {', '.join(methods())}.")
    params = controls.values(methods()[method], given)
    return {
        "prompt": values["prompt"] or "",
        "negative_prompt": values["negative_prompt"] or "",
        "width": _whole(values["width"], "width", 32, 2048),
        "height": _whole(values["height"], "height", 32, 2048),
        "steps": _whole(values["steps"], "number of steps", 1, 1000),
        "sampler": values["sampler"],
        "guidance": load(GuidanceSpec, {"method": method, "params": params}, "guidance"),
    }


def _whole(value: Any, what: str, low: int, high: int) -> int:
    """A number control gives None when it is empty, and 20.0 for 20."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value or not low <= value <= high:
        raise BadInput(f"The {what} must be a whole number from {low} to {high}, not {shown(value)}.")
    if value != int(value):
        raise BadInput(f"The {what} must be a whole number, not {shown(value)}.")
    return int(value)


def values_of(recipe: Recipe, count: int = 1) -> Values:
    """What the controls hold for a recipe; the reverse of `recipes`."""
    values: Values = {
        "prompt": recipe.prompt,
        "negative_prompt": recipe.negative_prompt,
        "seed": str(recipe.seed),
        "count": count,
        "method": recipe.guidance.method,
        "steps": recipe.steps,
        "sampler": recipe.sampler,
        "width": recipe.width,
        "height": recipe.height,
    }
    for method, declared in methods().items():
        if method == recipe.guidance.method:
            given = {s.name: s.default for s in declared} | recipe.guidance.params
            values |= {f"{method}.{spec.name}": given[spec.name] for spec in declared}
    return values


class Form:
    """The controls of a recipe, laid out where `Form(...)` is called in two parts: `words` and `numbers`.

    controls: name -> component, in a fixed order; `plain` gives the values of that order their names again.
    """

    def __init__(self) -> None:
        self.controls: dict[str, Component] = {}
        self._groups: dict[str, gr.Group] = {}

    def add(self, name: str, component: Component) -> Any:
        self.controls[name] = component
        return component

    def guidance(self) -> None:
        """The choice of method, and the controls of each method, of which those of the chosen one are shown."""
        declared = methods()
        choices = [(METHOD_LABELS.get(name, name), name) for name in declared]
        choice = self.add("method", gr.Dropdown(choices, value="cfg", label="Guidance", elem_id="method",
                          info="How the picture is pulled towards the prompt."))  # fmt: skip
        for method, parameters in declared.items():
            with gr.Group(visible=method == "cfg", elem_classes="method-controls") as group:
                # The first two are what one reaches for; the rest would bury them.
                for spec in parameters[:1]:
                    self.add(f"{method}.{spec.name}", controls.control(spec))
                with gr.Accordion("More of this method", open=False):
                    for spec in parameters[1:]:
                        self.add(f"{method}.{spec.name}", controls.control(spec))
            self._groups[method] = group
        choice.change(self.show_method, choice, list(self._groups.values()), queue=False, show_progress="hidden",
                      api_visibility="private")  # fmt: skip

    def show_method(self, method: str) -> list[Any]:
        return [gr.update(visible=name == method) for name in self._groups]

    def size(self, default_px: int) -> None:
        note = f"In pixels, a multiple of 8; the model was trained at {default_px}."
        for name in ("width", "height"):
            self.add(name, gr.Number(default_px, precision=0, minimum=32, maximum=2048, step=8, label=name.capitalize(),
                                     info=note, elem_id=name, min_width=100))  # fmt: skip

    @property
    def components(self) -> list[Component]:
        return list(self.controls.values())

    def plain(self, given: Sequence[Any]) -> Values:
        """Values in the order of `components` -> by name."""
        return dict(zip(self.controls, given, strict=True))

    def update(self, values: Mapping[str, Any]) -> list[Any]:
        """What sets the controls to `values`; those not named are left as they are."""
        return [gr.update(value=values[name]) if name in values else gr.skip() for name in self.controls]
