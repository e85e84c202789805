"""Tune by votes: strengths of edits and numbers of guidance, found by questions. See studio/ui/label/tuning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from studio.core.recipe import EditRef
from studio.services.labels.plan import MAX_NAME_CHARS
from studio.services.presets import GuidancePresets
from studio.services.tunings.plan import MAX_QUESTIONS, QUESTIONS
from studio.ui.edit_stack import Stack
from studio.ui.elements import element
from studio.ui.label.parts import Part
from studio.ui.label.tuning import form, list_html
from studio.ui.label.tuning.handlers import Handlers
from studio.ui.stack_panel import SESSION
from studio.ui.tabs.base import Page
from studio.ui.values import ANYTHING, TEXT, WHOLE
from studio.ui.wiring import Answer, Event, Wiring

MAX_TEXT = 100_000


def build(page: Page) -> None:
    """Lay out and wire the part."""
    presets = GuidancePresets(page.studio.settings.workspace)
    wiring, do = Wiring({**page.parts, **_layout()}), Handlers(page.studio, presets)
    parts, panel = wiring.parts, page.sidebar.edits
    fields = (*SESSION, *form.FIELDS)

    def refs_of(event: Event) -> tuple[EditRef, ...]:
        with panel.of(event) as session:
            return session.value.refs

    def on_look(event: Event) -> Answer:
        return do.look() | do.rows(event.values, refs_of(event)) | do.preset_choices(event["tuning_preset"])

    def on_field(event: Event) -> Answer:
        return do.rows(event.values, refs_of(event))

    def on_start(event: Event) -> Answer:
        return do.start(event.values, refs_of(event), event.read("rows", ANYTHING))

    def on_op(event: Event) -> Answer:
        return do.act(event.read("op", TEXT), event.read("campaign", WHOLE))

    def on_decide(event: Event, stack: Stack) -> tuple[Stack, str]:
        return do.accept(stack, event.read("campaign", WHOLE), event.read("value", TEXT))

    rows, tunings = parts["tuning_rows"], parts["tunings"]
    looks = ("tunings", "tuning_rows", "tuning_preset")
    # Not when the page is loaded: what is known of a tuning is computed anew, for whoever looks at it.
    wiring.on(page.tab.select, on_look, fields, looks, mode="multiple")
    wiring.on([parts["tuning_preset"].change, parts["model"].change], on_field, fields, ("tuning_rows",))
    panel.on_change(wiring, on_field, form.FIELDS, ("tuning_rows",))
    wiring.on(tunings.look, on_look, fields, looks)
    # Once: who presses twice wants one tuning.
    wiring.on(rows.start, on_start, fields, ("tuning_message", "tuning_name", "tunings"), mode="once", announces=True)
    wiring.on(tunings.op, on_op, (), ("tuning_message", "tunings"), mode="multiple", announces=True)
    panel.replaced_on(wiring, tunings.decide, on_decide, "tuning_message")


def _layout() -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with gr.Row(elem_classes="workbench campaigns-bench"):
        with gr.Column(elem_classes="controls", min_width=0, elem_id="tuning-form"):
            parts["tuning_preset"] = gr.Dropdown(
                [("What suits the model", form.USUAL)],
                value=form.USUAL,
                label="Guidance to start with",
                info="Edits that are on in the sidebar take part.",
                elem_id="tuning-preset",
            )
            parts["tuning_form"] = gr.Radio(
                list(form.FORMS),
                value="pair",
                label="A question is",
                info="Best of four needs fewer answers, and each takes longer.",
                elem_id="tuning-form-choice",
            )
            parts["tuning_rows"] = element(
                '<p class="hint">What can be tuned is being read.</p>', "tuning-rows", form.SCRIPT
            )
            with gr.Accordion("Prompts, name, limits", open=False, elem_id="tuning-advanced"):
                parts["tuning_prompts"] = gr.Textbox(
                    "",
                    label="Your prompts",
                    info="One per line, taken in turns. Empty: open ones of Stencil's world.",
                    lines=3,
                    max_lines=12,
                    max_length=MAX_TEXT,
                    elem_id="tuning-prompts",
                )
                parts["tuning_name"] = gr.Textbox(
                    "",
                    label="Name",
                    info="Empty: named after what is tuned.",
                    max_lines=1,
                    max_length=MAX_NAME_CHARS,
                    elem_id="tuning-name",
                )
                parts["tuning_most"] = gr.Number(
                    QUESTIONS,
                    label="Questions at most",
                    info=f"It ends earlier where more answers cannot help. Up to {MAX_QUESTIONS}.",
                    minimum=1,
                    maximum=MAX_QUESTIONS,
                    elem_id="tuning-most",
                )
                parts["tuning_seed"] = gr.Textbox(
                    "",
                    label="Seed",
                    info="Of the questions and their pictures. Empty: a new one.",
                    max_lines=1,
                    max_length=40,
                    elem_id="tuning-seed",
                )
        with gr.Column(elem_classes="stage", min_width=0):
            parts["tuning_message"] = element("", "tuning-message")
            parts["tunings"] = element(list_html.EMPTY, "tuning-list", list_html.SCRIPT)
    return parts


PART = Part(
    "Tune by votes",
    order=35,
    build=build,
    style=(Path(list_html.__file__).parent / "style.css").read_text(encoding="utf-8"),
)
