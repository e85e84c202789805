"""The scales of guidance that suit the chosen model: said beneath it, and marked on every slider of a scale.

The sliders are drawn once for all models, so where the mark is on them stands in two variables of the page's style.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

from studio.core.params import ParamSpec
from studio.services.scales import PARAMETER, scales
from studio.ui.markup import tag
from studio.ui.wiring import Answer, Event, Wiring

if TYPE_CHECKING:
    from studio.services.studio import Studio

NAME = "scale_range"


def range_html(studio: Studio, model: str) -> str:
    """The sentence and the variables; "" for a model that was not measured, whose sliders have no mark."""
    suitable = scales(studio.sources, model)
    if suitable is None:
        return ""
    low, high = suitable
    style = tag("style", f":root {{ --scale-low: {low:g}; --scale-high: {high:g}; }}")
    return style + tag("p", f"Guidance scales of {low:g} to {high:g} suit it, as marked on the sliders.", class_="hint")


def marked(spec: ParamSpec) -> dict[str, str]:
    """Attributes of what holds the slider of a parameter, so that the mark finds its place beneath it."""
    if spec.name != PARAMETER:
        return {"class_": "pair"}
    return {"class_": "pair scale", "style": f"--low-end: {spec.low:g}; --high-end: {spec.high:g}"}


def build(studio: Studio, model: gr.Dropdown) -> None:
    """Lay it out beneath the choice of model, which it follows."""
    html = gr.HTML(range_html(studio, str(model.value)), apply_default_css=False, elem_id="scale-range")

    def on_model(event: Event) -> Answer:
        return {NAME: range_html(studio, event["model"])}

    Wiring({"model": model, NAME: html}).on(model.change, on_model, ("model",), (NAME,))
