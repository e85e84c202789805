"""Align: labels are trained into an edit that draws what was preferred. See studio/ui/label/align."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from studio.training.align.plan import MAX_NAME_CHARS
from studio.training.lora.pace import MINUTES
from studio.ui import live
from studio.ui.components import before_after
from studio.ui.edit_stack import Stack
from studio.ui.elements import element
from studio.ui.label.align import form, past
from studio.ui.label.align.handlers import Handlers
from studio.ui.label.parts import Part
from studio.ui.tabs.base import Page
from studio.ui.values import TEXT
from studio.ui.wiring import Answer, Event, Wiring

LOOKS = ("labels", "pairs", "past", "stop", "contents")


def build(page: Page) -> None:
    """Lay out and wire the part."""
    wiring = Wiring({**page.parts, **_layout()})
    do = Handlers(page.studio)

    def on_look(event: Event) -> Answer:
        return do.looked(event.values)

    def on_field(event: Event) -> Answer:
        return do.noted(event.values)

    def on_train(event: Event) -> Answer:
        return do.train(event.values)

    def on_train_seeds(event: Event) -> Answer:
        return do.train(event.values, form.SEEDS)

    def on_stop(event: Event) -> Answer:
        return do.stop(event.values)

    def on_op(event: Event) -> Answer:
        return do.act(event.read("op", TEXT), event.read("edit", TEXT), event.read("job", TEXT), event.values)

    def on_decide(event: Event, stack: Stack) -> tuple[Stack, str]:
        return do.on_stack(stack, event.read("edit", TEXT))

    parts = wiring.parts
    wiring.on(page.demo.load, on_look, form.FIELDS, LOOKS)
    wiring.on(page.tab.select, on_look, form.FIELDS, LOOKS, mode="multiple")
    for place in ("past", "pairs"):
        wiring.on(parts[place].look, on_look, form.FIELDS, LOOKS)
    wiring.on([parts["labels"].change, parts["objective"].change], on_field, form.FIELDS, ("contents",))
    # Once: who presses twice wants one training.
    wiring.on(parts["train"].click, on_train, form.FIELDS, ("align_message", *LOOKS), mode="once", announces=True)
    gives = ("align_message", *LOOKS)
    wiring.on(parts["train_seeds"].click, on_train_seeds, form.FIELDS, gives, mode="once", announces=True)
    wiring.on(parts["stop"].click, on_stop, form.FIELDS, LOOKS, announces=True)
    wiring.on(parts["past"].op, on_op, form.FIELDS, ("align_message", *LOOKS), mode="multiple", announces=True)
    page.sidebar.edits.replaced_on(wiring, parts["past"].decide, on_decide, "align_message")


def _layout() -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with gr.Row(elem_classes="workbench campaigns-bench"):
        with gr.Column(elem_classes="controls", min_width=0, elem_id="align-form"):
            parts["labels"] = gr.CheckboxGroup(
                [],
                value=[],
                label="Labels",
                info="Campaigns whose answers it learns from. None marked: all of them.",
                elem_id="align-labels",
            )
            parts["contents"] = element("", "align-contents")
            parts["objective"] = gr.Dropdown(
                form.objective_choices(),
                value=form.RECOMMENDED,
                label="Objective",
                info="How labels are learned from.",
                elem_id="align-objective",
            )
            with gr.Row(elem_classes="go"):
                parts["train"] = gr.Button("Train", variant="primary", elem_id="align-train")
                parts["stop"] = gr.Button(
                    "Stop", variant="stop", interactive=False, elem_id="align-stop", min_width=64, scale=0
                )
            parts["train_seeds"] = gr.Button(
                f"Train with {('no', 'one', 'two', 'three')[form.SEEDS]} seeds", size="sm", elem_id="align-train-seeds"
            )
            with gr.Accordion("Advanced", open=False, elem_id="align-advanced"):
                parts["align_name"] = gr.Textbox(
                    "",
                    label="Name of the edit",
                    info="Empty: named after its labels.",
                    max_lines=1,
                    max_length=MAX_NAME_CHARS,
                    elem_id="align-name",
                )
                parts["align_minutes"] = gr.Number(
                    None,
                    label="At most, in minutes",
                    info=MINUTES,
                    elem_id="align-minutes",
                )
                parts["align_seed"] = gr.Textbox(
                    "0",
                    label="Seed",
                    info="Of what is held out, first weights, noise and order. One run says little: train three.",
                    max_lines=1,
                    max_length=40,
                    elem_id="align-seed",
                )
                parts["align_beta"] = gr.Textbox(
                    "",
                    label="Beta",
                    info="How strongly it is held to the base. Empty: the objective's own; auto: found by how "
                    "wrong the base is, and by whether pictures change.",
                    max_lines=1,
                    max_length=40,
                    elem_id="align-beta",
                )
        with gr.Column(elem_classes="stage", min_width=0):
            parts["align_message"] = element("", "align-message")
            parts["pairs"] = element("", "align-pairs", before_after.SCRIPT + live.SCRIPT)
            parts["past"] = element(past.EMPTY, "align-past", past.SCRIPT)
    return parts


STYLE = Path(form.__file__).with_name("style.css").read_text(encoding="utf-8")
PART = Part("Align", order=30, build=build, style=STYLE)
