"""What to know of the chosen guidance beside sampler, model and negative prompt, before anything is drawn with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.core.errors import StudioError
from studio.core.params import load
from studio.core.recipe import GuidanceSpec
from studio.services import scales
from studio.services.pairing import caveat, idle_negative
from studio.ui.components import around, choice, negatives
from studio.ui.components.form import GUIDANCE, SAMPLER, Form, samplers
from studio.ui.markup import alert
from studio.ui.methods import declarations
from studio.ui.wiring import Answer, Event, Wiring

if TYPE_CHECKING:
    from studio.services.studio import Studio

TEXTS = ("negative_prompt", "more_negatives")
READ = (
    "model",
    *TEXTS,
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
        has_negative = bool(values["negative_prompt"] or negatives.negatives(values["more_negatives"]))
        of_negative = idle_negative(spec) if has_negative else ""
        sentences = (of_scale, caveat(spec, sampler, sampler_params), of_negative)
        return "".join(alert(sentence, kind="note") for sentence in sentences)
    except StudioError:  # which generating will say
        return ""


def build() -> dict[str, Any]:
    """The place for the sentences."""
    return {"pairing": gr.HTML("", apply_default_css=False, elem_id="pairing")}


def wire(studio: Studio, form: Form, wiring: Wiring) -> None:
    """The sentences follow the choices and their parameters."""

    def on_choice(event: Event) -> Answer:
        return {"pairing": note(studio, event.values)}

    changes = [form.controls[name].change for name in READ if name != "negative_prompt"]  # type: ignore[attr-defined]
    changes.append(form.controls["negative_prompt"].blur)  # type: ignore[attr-defined]  # not at every letter
    wiring.on(changes, on_choice, READ, ("pairing",), mode="always_last")
