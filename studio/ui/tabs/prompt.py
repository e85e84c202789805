"""Prompt: write, generate, watch, keep, and find again. Laid out here, subject by subject; see studio/ui/prompt."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.services.presets import GuidancePresets
from studio.ui.components import canvas, caption, gallery
from studio.ui.components.form import Form
from studio.ui.components.history import Query
from studio.ui.components.seeds import random_seed
from studio.ui.prompt import dropped, glance, grid, jobs, past, presets, redraw, settings, writing
from studio.ui.prompt.bench import QUICK, Bench
from studio.ui.tabs.base import Page, Tab
from studio.ui.values import TEXT, holds, remembered

POLL_S = 0.25


def build(page: Page) -> None:
    form, side = Form(), page.sidebar
    form.add("model", side.model)
    html: dict[str, gr.HTML] = {"status": side.status, "queue": side.queue, "ended": side.ended}
    with gr.Row(elem_classes="workbench"):
        with gr.Column(elem_classes="controls", min_width=0):
            parts = _controls(page, form)
            html["message"] = parts["message"]
        with gr.Column(elem_classes="stage", min_width=0):
            html["canvas"] = _live(canvas.unseen_html(), canvas.CLICK, "canvas")
            html["progress"] = _live("", glance.AGAIN, "progress")
            html["caption"] = _live("", caption.CLICK, "caption")
            axes = grid.build()
        with gr.Column(elem_classes="past", min_width=0):
            filters = past.build(page.studio)
            html["past"] = _live("", gallery.CLICK, "gallery")
            drop = dropped.build()
    bench = Bench(
        page, form, html, parts["stop"], parts["cancel"],
        # Fixed key and secret: with random ones, nothing kept in the browser would outlive a restart of the studio.
        job=holds(gr.BrowserState(None, storage_key="palimpsest-job", secret="palimpsest-page"), remembered(TEXT)),
        pinned=gr.State(False), shown=gr.State(0), asked=gr.State(Query()), seen=gr.State(0),
        timer=gr.Timer(POLL_S, active=False),
    )  # fmt: skip
    jobs.wire(bench, parts["generate"])
    writing.wire(bench, parts)
    past.wire(bench, filters, parts["again"])
    redraw.wire(bench)
    grid.wire(bench, axes)
    dropped.wire(bench, drop)
    parts["dice"].click(lambda: str(random_seed()), None, form.controls["seed"], **QUICK)


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
    parts |= settings.seed_and_count(form)
    presets.build(form, GuidancePresets(page.studio.settings.workspace), page)
    parts |= writing.styles_and_wildcards(form, page.studio)
    writing.more_negatives(form)
    settings.sampling_and_size(form, page.studio.sources.card())
    settings.variations(form)
    return parts


def _live(html: str, script: str | None, id: str) -> gr.HTML:
    return gr.HTML(html, apply_default_css=False, js_on_load=script, elem_id=id)


TAB = Tab("Prompt", order=10, build=build)
