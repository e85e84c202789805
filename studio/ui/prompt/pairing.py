"""What to know of the chosen guidance beside the sampler and the model, before anything is drawn with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.core.errors import StudioError
from studio.core.params import load
from studio.core.recipe import GuidanceSpec
from studio.services import scales
from studio.services.pairing import caveat
from studio.ui.components import around, choice
from studio.ui.components.form import GUIDANCE, SAMPLER, Form, samplers
from studio.ui.markup import alert
from studio.ui.methods import declarations
from studio.ui.wiring import Answer, Event, Wiring

if TYPE_CHECKING:
    from studio.services.studio import Studio

READ = (
    "model",
    "wrappers",
    *(f"{key}{part}" for key in ("method", "sampler") for part in ("", *(f".{part}" for part in choice.PARTS))),
)


def note(studio: Studio, values: Mapping[str, Any]) -> str:
    """The sentences as HTML, "" where all goes together. values: of the form, by the names of READ."""
    try:
        method, params = choice.chosen(values, "method", GUIDANCE, declarations().guidance)
        sampler, sampler_params = choice.chosen(values, "sampler", SAMPLER, samplers())
        wrappers = around.read(values["wrappers"])
        spec = load(GuidanceSpec, {"method": method, "params": params, "wrappers": wrappers}, "guidance")
        of_scale = scales.caveat(spec, studio.sources, str(values["model"]))
        return alert(of_scale, kind="note") + alert(caveat(spec, sampler, sampler_params), kind="note")
    except StudioError:  # which generating will say
        return ""


def build() -> dict[str, Any]:
    """The place for the sentences."""
    return {"pairing": gr.HTML("", apply_default_css=False, elem_id="pairing")}


def wire(studio: Studio, form: Form, wiring: Wiring) -> None:
    """The sentences follow the choices and their parameters."""

    def on_choice(event: Event) -> Answer:
        return {"pairing": note(studio, event.values)}

    changes = [form.controls[name].change for name in READ]  # type: ignore[attr-defined]
    wiring.on(changes, on_choice, READ, ("pairing",), mode="always_last")
