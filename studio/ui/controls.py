"""Controls made from declared parameters: one field of a method gives its slider, label, range and explanation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.components import Component

from studio.core.params import ParamSpec


def label(spec: ParamSpec) -> str:
    return f"{spec.label} ({spec.unit})" if spec.unit else spec.label


def explanation(spec: ParamSpec) -> str:
    """The help text as a sentence; a parameter without one is told by its default, never left blank."""
    told = spec.help or f"default {spec.default}"
    return told[0].upper() + told[1:] + ("" if told.endswith((".", "?", "!")) else ".")


def control(spec: ParamSpec, **extra: Any) -> Component:
    """The control of one parameter: a slider where both bounds are known, else a number, checkbox, list or text."""
    shown: dict[str, Any] = {"value": spec.default, "label": label(spec), "info": explanation(spec), **extra}
    if spec.kind == "bool":
        return gr.Checkbox(**shown)
    if spec.kind == "choice":
        return gr.Dropdown(choices=list(spec.choices or ()), **shown)
    if spec.kind == "text":
        return gr.Textbox(**shown)
    if spec.low is not None and spec.high is not None:
        return gr.Slider(minimum=spec.low, maximum=spec.high, step=_step(spec), buttons=["reset"], **shown)
    return gr.Number(
        minimum=spec.low, maximum=spec.high, step=_step(spec), precision=0 if spec.kind == "int" else None, **shown
    )


def _step(spec: ParamSpec) -> float:
    if spec.step is not None:
        return spec.step
    if spec.kind == "int":
        return 1
    return 0.01 if spec.low is None or spec.high is None else (spec.high - spec.low) / 100


def values(specs: tuple[ParamSpec, ...], given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a method among what the controls hold, defaults too: a recipe must outlive a changed default.

    Controls give 3 for 3.0 and the other way round; the declared kind settles it. A value that is no number is handed
    on as it is, for the recipe to refuse with a sentence.
    """
    settled: dict[str, Any] = {}
    for spec in specs:
        value = given.get(spec.name, spec.default)
        if spec.kind == "float" and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if spec.kind == "int" and isinstance(value, float) and value.is_integer():
            value = int(value)
        settled[spec.name] = value
    return settled
