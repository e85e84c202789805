"""What to know of the chosen guidance method and sampler together, before anything is drawn with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from studio.core.errors import StudioError
from studio.core.params import load
from studio.core.recipe import GuidanceSpec
from studio.services.pairing import caveat
from studio.ui.components import around, choice
from studio.ui.components.form import GUIDANCE, SAMPLER, Form, samplers
from studio.ui.markup import alert
from studio.ui.methods import declarations
from studio.ui.wiring import Answer, Event, Wiring

READ = (
    "wrappers",
    *(f"{key}{part}" for key in ("method", "sampler") for part in ("", *(f".{part}" for part in choice.PARTS))),
)


def note(values: Mapping[str, Any]) -> str:
    """The sentence as HTML, "" where they go together. values: of the form, by the names of READ."""
    try:
        method, params = choice.chosen(values, "method", GUIDANCE, declarations().guidance)
        sampler, sampler_params = choice.chosen(values, "sampler", SAMPLER, samplers())
        wrappers = around.read(values["wrappers"])
        spec = load(GuidanceSpec, {"method": method, "params": params, "wrappers": wrappers}, "guidance")
        return alert(caveat(spec, sampler, sampler_params), kind="note")
    except StudioError:  # which generating will say
        return ""


def build() -> dict[str, Any]:
    """The place for the sentence."""
    return {"pairing": gr.HTML("", apply_default_css=False, elem_id="pairing")}


def wire(form: Form, wiring: Wiring) -> None:
    """The sentence follows both choices and their parameters."""

    def on_choice(event: Event) -> Answer:
        return {"pairing": note(event.values)}

    changes = [form.controls[name].change for name in READ]  # type: ignore[attr-defined]
    wiring.on(changes, on_choice, READ, ("pairing",), mode="always_last")
