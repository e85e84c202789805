"""Prompt: write, generate, watch, keep, and find again. Laid out here, subject by subject; see studio/ui/prompt."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.services.presets import GuidancePresets
from studio.ui.components import canvas, caption, gallery
from studio.ui.components.form import Form
from studio.ui.components.query import Query
from studio.ui.components.seeds import random_seed
from studio.ui.elements import element
from studio.ui.prompt import dropped, files, grid_panel, jobs, pairing, past, presets, redraw, settings, view, writing
from studio.ui.tabs.base import Page, Tab
from studio.ui.values import FIELDS, TEXT, holds, remembered
from studio.ui.wiring import Answer, Event, Wiring


def build(page: Page) -> None:
    """Lay out and wire the tab."""
    form = Form()
    form.add("model", page.sidebar.model)
    with gr.Row(elem_classes="workbench"):
        with gr.Column(elem_classes="controls", min_width=0):
            parts = _controls(page, form)
        with gr.Column(elem_classes="stage", min_width=0):
            parts["canvas"] = element(canvas.unseen_html(), "canvas", canvas.SCRIPT)
            parts["progress"] = element("", "progress", view.FOLLOW)
            parts["caption"] = element("", "caption", caption.CLICK)
            axes = grid_panel.build({name: control.value for name, control in form.controls.items()})
        with gr.Column(elem_classes="past", min_width=0):
            filters = past.build(page.studio)
            parts["past"] = element("", "gallery", gallery.SCRIPT)
            parts |= dropped.build()
    wiring = Wiring({**page.parts, **parts, **filters, **form.controls, **_memory()})
    jobs.wire(page, form, wiring)
    writing.wire(page, wiring)
    past.wire(page, form, wiring, tuple(filters))
    redraw.wire(page, wiring)
    pairing.wire(page.studio, form, wiring)
    grid_panel.wire(page, form, wiring, axes)
    dropped.wire(page, form, wiring)
    _wire_reset(page, form, wiring)
    wiring.on(parts["dice"].click, lambda event: {"seed": str(random_seed())}, (), ("seed",))


def _wire_reset(page: Page, form: Form, wiring: Wiring) -> None:
    """Everything but the prompt and the model as a first visitor finds it, with what the model has its own of."""
    first = {name: control.value for name, control in form.controls.items() if name not in ("model", "prompt")}

    def on_reset(event: Event) -> Answer:
        return {**first, **writing.models_own(page.studio, event["model"])}

    wiring.on(wiring.parts["reset"].click, on_reset, ("model",), tuple(first))


def _memory() -> dict[str, Any]:
    """What is known of a page besides what it shows.

    job: id of the job that is watched.
    draft: what the form holds.
    pinned: whether a picture was chosen from the history while a job runs, which leaves it in place.
    picture_id: number of the picture one looks at, 0 for none.
    query: what the history shows.
    newest_id: number of the newest picture that was told.
    taken_out: how many jobs that waited were stopped with the one that is watched, until that is told.
    """
    # Fixed key and secret: with random ones, nothing kept in the browser would outlive a restart of the studio.
    job, draft = (
        gr.BrowserState(None, storage_key=f"palimpsest-{name}", secret="palimpsest-page") for name in ("job", "draft")
    )
    return {
        "job": holds(job, remembered(TEXT)),
        "draft": holds(draft, remembered(FIELDS)),
        "pinned": gr.State(False),
        "picture_id": gr.State(0),
        "query": gr.State(Query()),
        "newest_id": gr.State(0),
        "taken_out": gr.State(0),
    }


def _controls(page: Page, form: Form) -> dict[str, Any]:
    """The left column: what one needs on a first evening, then what is folded away."""
    parts = writing.build(form)
    with gr.Row(elem_classes="go"):
        parts["generate"] = gr.Button("Generate", variant="primary", elem_id="generate")
        parts["stop"] = gr.Button("Stop", variant="stop", interactive=False, elem_id="stop", min_width=64, scale=0)
        parts["cancel"] = gr.Button(
            "Discard", variant="stop", interactive=False, elem_id="cancel", min_width=64, scale=0
        )
    parts["message"] = gr.HTML("", apply_default_css=False, elem_id="message")
    parts |= pairing.build()
    parts |= settings.seed_and_count(form)
    presets.build(form, GuidancePresets(page.studio.settings.workspace), page)
    parts |= writing.styles_and_wildcards(form, page.studio)
    writing.more_negatives(form)
    parts |= settings.sampling_and_size(form, page.studio.sources.card())
    settings.variations(form)
    parts["reset"] = gr.Button("Reset all settings", size="sm", elem_id="reset")
    return parts


TAB = Tab(
    "Prompt",
    order=10,
    build=build,
    routes=files.routes,
    primary="#generate",
    stop="#stop",
    drop="dropped",
    keys={"f": "#star-shown", "Delete": "#delete-shown", "/": "#search :is(input, textarea)"},
    shortcuts=((("F",), "favourite"), (("Del",), "move to the bin"), (("/",), "find among past pictures")),
)
