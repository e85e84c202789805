"""Prompt and negative prompts: the boxes, what the model makes of the words, and prompts to begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np

from studio.ui.components import negatives, words
from studio.ui.components.form import Form
from studio.ui.errors import told
from studio.ui.prompt.bench import QUICK, Bench
from studio.world.caption import canonical
from studio.world.scene import random_scene

if TYPE_CHECKING:
    from studio.services.generate import Studio

MAX_REPORTED_CHARS = 20_000  # of a prompt, which may have 10,000: a longer one is refused, but first counted


# -- handlers -------------------------------------------------------------------------------------------------------


def report(studio: Studio, prompt: str | None, model: str) -> str:
    """What the model makes of the words, while they are typed."""
    return words.report_html(studio.prompt_report((prompt or "")[:MAX_REPORTED_CHARS], model))


def surprise() -> str:
    """A prompt about a random scene of the model's world."""
    return canonical(random_scene(np.random.default_rng()))


# -- layout and wiring ----------------------------------------------------------------------------------------------


def build(form: Form) -> dict[str, Any]:
    """The two boxes one writes in, each with its report, and examples."""
    form.add("prompt", gr.Textbox(
        label="Prompt", info="What to draw. Leave it empty to draw anything.", lines=3, max_lines=8, max_length=10_000,
        placeholder="a striped purple star on a meadow background", elem_id="prompt",
    ))  # fmt: skip
    parts: dict[str, Any] = {"prompt_report": gr.HTML("", apply_default_css=False, elem_id="prompt-report")}
    parts["chips"] = gr.HTML(words.chips_html(), apply_default_css=False, js_on_load=words.CLICK, elem_id="chips")
    form.add("negative_prompt", gr.Textbox(
        label="Negative prompt", info="What guidance moves away from.", lines=1, max_lines=4, max_length=10_000,
        elem_id="negative-prompt",
    ))  # fmt: skip
    parts["negative_report"] = gr.HTML("", apply_default_css=False, elem_id="negative-report")
    return parts


def more_negatives(form: Form) -> None:
    """Further negative prompts, folded away."""
    with gr.Accordion("More negative prompts", open=False, elem_id="negatives"):
        form.add("more_negatives", negatives.control())


def wire(bench: Bench, parts: dict[str, Any]) -> None:
    """Reports follow the words and the model; examples go into the box."""
    studio, controls = bench.page.studio, bench.form.controls

    @told
    def on_fill(event: gr.EventData) -> str:
        return str(event.prompt) or surprise()

    @told
    def on_words(typed: str | None, model: str) -> str:
        return report(studio, typed, model)

    @told
    def on_model(model: str, prompt: str, negative: str) -> list[Any]:
        size_px = studio.model_card(model).default_size_px
        return [size_px, size_px, report(studio, prompt, model), report(studio, negative, model)]

    boxes = [controls[name] for name in ("prompt", "negative_prompt")]
    reports = [parts["prompt_report"], parts["negative_report"]]
    for box, shown in zip(boxes, reports, strict=True):
        box.change(on_words, [box, controls["model"]], shown, **QUICK)  # type: ignore[attr-defined]
    sizes = [controls["width"], controls["height"]]
    controls["model"].input(on_model, [controls["model"], *boxes], [*sizes, *reports], **QUICK)  # type: ignore[attr-defined]
    parts["chips"].fill(on_fill, None, controls["prompt"], **QUICK)
