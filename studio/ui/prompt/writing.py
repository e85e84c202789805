"""Prompt and negative prompts: the boxes, styles and wildcards, and what the model makes of the words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np

from studio.core.errors import StudioError
from studio.core.recipe import MAX_PROMPT_CHARS
from studio.services.wording import Words, words
from studio.ui.components import menu, negatives
from studio.ui.components import words as shown_words
from studio.ui.components.form import Form
from studio.ui.components.seeds import parse_seed
from studio.ui.prompt import settings
from studio.ui.tabs.base import Page
from studio.ui.values import TEXT
from studio.ui.wiring import Answer, Event, Wiring
from studio.world.caption import canonical
from studio.world.examples import FIRST
from studio.world.scene import random_scene

if TYPE_CHECKING:
    from studio.services.studio import Studio

MAX_REPORTED_CHARS = 2 * MAX_PROMPT_CHARS  # a longer prompt is refused, but first counted
MODELS_OWN = ("width", "height", "sampler", "spacing")
READ = ("prompt", "negative_prompt", "styles", "syntax", "model", "seed")  # what `reports` reads, in its order
REPORTS = ("prompt_report", "negative_report")
SYNTAXES = [
    ("A1111: (word:1.3), [old:new:0.5]", "a1111"),
    ("compel: word++, (words)1.3", "compel"),
    ("Plain: brackets are text", "plain"),
]


# -- handlers -------------------------------------------------------------------------------------------------------


def reports(
    studio: Studio,
    wording: Words,
    prompt: str | None,
    negative: str | None,
    styles: Sequence[str] | None,
    syntax: Any,
    model: str,
    seed: Any,
) -> tuple[str, str]:
    """What the model makes of both prompts, while they are typed."""
    typed = [(box or "")[:MAX_REPORTED_CHARS] for box in (prompt, negative)]
    try:
        fixed = parse_seed(seed)
    except StudioError:  # which generating will say
        fixed = None
    try:
        expanded = wording.say(typed[0], typed[1], tuple(styles or ()), fixed or 0)
    except StudioError as error:
        return shown_words.problem_html(str(error)), ""
    texts = zip(typed, (expanded.prompt, expanded.negative_prompt), strict=True)
    of_prompt, of_negative = (_report(studio, *pair, model, syntax, fixed) for pair in texts)
    return of_prompt, of_negative


def _report(studio: Studio, typed: str, expanded: str, model: str, syntax: Any, seed: int | None) -> str:
    try:
        report = studio.sources.prompt_report(expanded, model, syntax)
    except StudioError as error:
        return shown_words.problem_html(str(error))
    difference = expanded if expanded != typed else ""
    return shown_words.report_html(report, expanded, difference, example="__" in typed and seed is None)


def surprise() -> str:
    """A prompt about a random scene of the model's world."""
    return canonical(random_scene(np.random.default_rng()))


# -- layout and wiring ----------------------------------------------------------------------------------------------


def build(form: Form) -> dict[str, Any]:
    """The two boxes one writes in, each with its report, and examples."""
    form.add(
        "prompt",
        gr.Textbox(
            FIRST.prompt,
            label="Prompt",
            info="What to draw. Leave it empty to draw anything.",
            lines=3,
            max_lines=8,
            max_length=MAX_PROMPT_CHARS,
            elem_id="prompt",
        ),
    )
    parts: dict[str, Any] = {"prompt_report": gr.HTML("", apply_default_css=False, elem_id="prompt-report")}
    chips = shown_words.chips_html()
    parts["chips"] = gr.HTML(chips, apply_default_css=False, js_on_load=shown_words.CLICK, elem_id="chips")
    form.add(
        "negative_prompt",
        gr.Textbox(
            label="Negative prompt",
            info="What guidance moves away from.",
            lines=1,
            max_lines=4,
            max_length=MAX_PROMPT_CHARS,
            elem_id="negative-prompt",
        ),
    )
    parts["negative_report"] = gr.HTML("", apply_default_css=False, elem_id="negative-report")
    return parts


def more_negatives(form: Form) -> None:
    """Further negative prompts, each with its weight and its part of the run, folded away."""
    with gr.Accordion("More negative prompts", open=False, elem_id="negatives"):
        form.add("more_negatives", negatives.control())


def styles_and_wildcards(form: Form, studio: Studio) -> dict[str, Any]:
    """Words that go around the prompt, words that are drawn, and how weights are written."""
    wording = words(studio.settings.workspace)
    with gr.Accordion("Styles and wildcards", open=False, elem_id="wording"):
        form.add(
            "styles",
            gr.Dropdown(
                list(wording.styles),
                value=[],
                multiselect=True,
                label="Styles",
                elem_id="styles",
                info="Words that are put around both prompts when you generate.",
            ),
        )
        html = shown_words.wildcards_html(wording.wildcards.lists, wording.problems)
        wild = gr.HTML(html, apply_default_css=False, js_on_load=shown_words.CLICK, elem_id="wildcards")
        form.add(
            "syntax",
            gr.Dropdown(
                SYNTAXES,
                value="a1111",
                label="Weights in the prompt",
                info="How they are written.",
                elem_id="syntax",
            ),
        )
    return {"wildcards": wild}


def models_own(studio: Studio, model: str) -> dict[str, Any]:
    """What a model has its own of, by the names of MODELS_OWN: set when it is chosen. Raises NotFound, AssetError."""
    card = studio.sources.card(model)
    return dict(zip(MODELS_OWN, (card.default_size_px, card.default_size_px, card.sampler, "auto"), strict=True))


def wire(page: Page, wiring: Wiring) -> None:
    """Reports follow the words and the model; examples go into the box."""
    studio, parts = page.studio, wiring.parts

    def on_fill(event: Event) -> Answer:
        return {"prompt": event.read("prompt", TEXT) or surprise()}

    def on_words(event: Event) -> Answer:
        wording = words(studio.settings.workspace)
        return dict(zip(REPORTS, reports(studio, wording, *(event[name] for name in READ)), strict=True))

    def on_model(event: Event) -> Answer:
        return models_own(studio, event["model"])

    def on_shape(event: Event) -> Answer:
        side = studio.sources.card(event["model"]).default_size_px
        return dict(zip(("width", "height"), settings.size_of(event.read("shape", TEXT), side), strict=True))

    wiring.on(parts["shapes"].shape, on_shape, ("model",), ("width", "height"))
    wiring.on([parts[name].change for name in READ], on_words, READ, REPORTS, mode="always_last")
    wiring.on(menu.chosen(parts["model"]), on_model, ("model",), MODELS_OWN)
    wiring.on(parts["chips"].fill, on_fill, (), ("prompt",))
