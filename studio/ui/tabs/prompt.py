"""Prompt: write, generate, watch, keep. Handlers are functions of plain values; `build` lays out and wires."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np

from studio.core.errors import StudioError
from studio.ui.components import canvas, caption, gallery, stage, words
from studio.ui.components.form import MAX_COUNT, SAMPLERS, Form, random_seed, recipes, values_of
from studio.ui.errors import sentence, told
from studio.ui.markup import alert
from studio.ui.tabs.base import Page, Tab
from studio.world.caption import canonical
from studio.world.scene import random_scene

if TYPE_CHECKING:
    from studio.services.generate import Studio

POLL_S = 0.25
MAX_REPORTED_CHARS = 20_000  # of a prompt, which may have 10,000: a longer one is refused, but first counted

# Every listener is private: the page is no API. None is queued, so none waits for another.
QUICK: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


# -- handlers -------------------------------------------------------------------------------------------------------


def submit(studio: Studio, values: Mapping[str, Any]) -> tuple[str | None, stage.Stage]:
    """Queue what the form asks for. Gives the job's id at once; None, and the reason as a message, if it is refused."""
    try:
        job_id = studio.submit(recipes(values))
    except StudioError as error:
        return None, stage.Stage(busy=False, message=alert(sentence(error)))
    shown = stage.of_job(studio, job_id)
    return job_id, shown if shown.message else replace(shown, message="")


def stop(studio: Studio, job_id: str | None) -> None:
    """Ask the job to stop and keep what is finished."""
    if job_id:
        studio.stop(job_id, keep=True)


def report(studio: Studio, prompt: str | None) -> str:
    """What the model makes of the words, while they are typed."""
    return words.report_html(studio.prompt_report((prompt or "")[:MAX_REPORTED_CHARS]))


def picture(studio: Studio, id: int) -> tuple[str, str]:
    """One picture of the history, large, and its label."""
    found = studio.generation(id)
    return canvas.picture_html(found), caption.caption_html(found)


def restored(studio: Studio, id: int) -> dict[str, Any]:
    """What the form holds to make that picture again."""
    return values_of(studio.generation(id).recipe)


def surprise() -> str:
    """A prompt about a random scene of the model's world."""
    return canonical(random_scene(np.random.default_rng()))


# -- layout ---------------------------------------------------------------------------------------------------------


def build(page: Page) -> None:
    form = Form()
    with gr.Row(elem_classes="workbench"):
        with gr.Column(elem_classes="controls", min_width=0):
            parts = _words(form)
            parts |= _numbers(form, page.studio.model_card().default_size_px)
        with gr.Column(elem_classes="stage", min_width=0):
            parts["canvas"] = gr.HTML(
                canvas.unseen_html(), apply_default_css=False, js_on_load=canvas.CLICK, elem_id="canvas"
            )
            parts["progress"] = gr.HTML("", apply_default_css=False, elem_id="progress")
            parts["caption"] = gr.HTML("", apply_default_css=False, js_on_load=caption.CLICK, elem_id="caption")
        with gr.Column(elem_classes="past", min_width=0):
            with gr.Row(elem_classes="past-head"):
                gr.HTML("<h2>Past pictures</h2>", apply_default_css=False)
                parts["search"] = gr.Textbox(
                    label="Find", info="Shows pictures whose prompts hold all these words.", max_lines=1,
                    placeholder="words of a prompt", max_length=200, elem_id="search",
                )  # fmt: skip
            parts["past"] = gr.HTML("", apply_default_css=False, js_on_load=gallery.CLICK, elem_id="gallery")
    _wire(page, form, parts)


def _words(form: Form) -> dict[str, Any]:
    """Prompt, negative prompt, and the buttons one goes to from there."""
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
    with gr.Row(elem_classes="go"):
        parts["generate"] = gr.Button("Generate", variant="primary", elem_id="generate")
        parts["stop"] = gr.Button("Stop", variant="stop", interactive=False, elem_id="stop", min_width=90, scale=0)
    parts["message"] = gr.HTML("", apply_default_css=False, elem_id="message")
    return parts


def _numbers(form: Form, size_px: int) -> dict[str, Any]:
    """Seed, count, guidance, sampling, size."""
    with gr.Row(elem_classes="seed-row"):
        form.add("seed", gr.Textbox(
            "-1", label="Seed", info="The same seed gives the same picture; -1 takes a new one each time.",
            max_lines=1, max_length=40, elem_id="seed",
        ))  # fmt: skip
        dice = gr.Button("New seed", elem_id="dice", min_width=40, scale=0)
    form.add("count", gr.Slider(
        1, MAX_COUNT, 1, step=1, label="Pictures", info="How many; each next one takes the next seed.", elem_id="count",
    ))  # fmt: skip
    form.guidance()
    with gr.Accordion("Sampling and size", open=False, elem_id="sampling"):
        form.add("steps", gr.Slider(
            1, 100, 20, step=1, label="Steps", info="More follow the model more closely and take longer.",
            elem_id="steps",
        ))  # fmt: skip
        form.add("sampler", gr.Dropdown(
            SAMPLERS, value="dpmpp_2m", label="Sampler", info="How noise is taken away from step to step.",
            elem_id="sampler",
        ))  # fmt: skip
        with gr.Row():
            form.size(size_px)
    return {"dice": dice}


def _wire(page: Page, form: Form, parts: dict[str, Any]) -> None:
    studio, fields = page.studio, form.components
    # Fixed keys and secret: with random ones, nothing kept in the browser would outlive a restart of the studio.
    job_id = gr.BrowserState(None, storage_key="palimpsest-job", secret="palimpsest-page")
    draft = gr.BrowserState(None, storage_key="palimpsest-draft", secret="palimpsest-page")
    pinned = gr.State(False)  # a picture was chosen from the history while a job runs: polls leave it in place
    timer = gr.Timer(POLL_S, active=False)
    names = ("canvas", "progress", "caption", "past", "message")
    shown = [*(parts[name] for name in names), page.status, timer, parts["generate"], parts["stop"]]

    def updates(now: stage.Stage) -> list[Any]:
        """A stage as values for `shown`. Left alone where None, so a poll does not disturb what is being looked at."""
        html = [gr.skip() if (value := getattr(now, name)) is None else value for name in (*names, "status")]
        # The timer runs for nothing else: a page at rest asks for nothing.
        ticking = gr.Timer(active=now.busy or now.waking)
        return [*html, ticking, gr.Button(interactive=not now.busy), gr.Button(interactive=now.busy)]

    @told
    def on_generate(*given: Any) -> list[Any]:
        job, now = submit(studio, form.plain(given))
        return [job if job else gr.skip(), False, *updates(now)]

    @told
    def on_tick(job: str | None, pin: bool) -> list[Any]:
        return updates(stage.of_job(studio, job, pin) if job else stage.of_engine(studio))

    @told
    def on_open(job: str | None, kept: Any) -> list[Any]:
        page.opened()
        job, now = stage.on_opening(studio, job)
        return [job, False, *form.update(kept if isinstance(kept, dict) else {}), *updates(now)]

    @told
    def on_pick(event: gr.EventData) -> list[Any]:
        return [True, *picture(studio, int(event.id))]

    @told
    def on_restore(event: gr.EventData) -> list[Any]:
        return form.update(restored(studio, int(event.id)))

    @told
    def on_more(find: str, event: gr.EventData) -> str:
        return stage.past(studio, event.limit, find)

    @told
    def on_fill(event: gr.EventData) -> str:
        return str(event.prompt) or surprise()

    @told
    def on_words(typed: str | None) -> str:
        return report(studio, typed)

    @told
    def on_search(find: str) -> str:
        return stage.past(studio, search=find)

    @told
    def on_stop(job: str | None) -> None:
        stop(studio, job)

    controls = form.controls
    parts["generate"].click(on_generate, fields, [job_id, pinned, *shown], **QUICK)
    parts["stop"].click(on_stop, job_id, None, **QUICK)
    timer.tick(on_tick, [job_id, pinned], shown, **QUICK)
    page.demo.load(on_open, [job_id, draft], [job_id, pinned, *fields, *shown], **QUICK)
    for picker in (parts["canvas"], parts["past"]):
        picker.pick(on_pick, None, [pinned, parts["canvas"], parts["caption"]], **QUICK)
    parts["caption"].restore(on_restore, None, fields, **QUICK)
    parts["past"].more(on_more, parts["search"], parts["past"], **QUICK)
    parts["search"].change(on_search, parts["search"], parts["past"], **QUICK)
    controls["prompt"].change(on_words, controls["prompt"], parts["prompt_report"], **QUICK)  # type: ignore[attr-defined]
    controls["negative_prompt"].change(on_words, controls["negative_prompt"], parts["negative_report"], **QUICK)  # type: ignore[attr-defined]
    parts["chips"].fill(on_fill, None, controls["prompt"], **QUICK)
    parts["dice"].click(lambda: str(random_seed()), None, controls["seed"], **QUICK)
    # In the browser alone: what the form holds is kept there, and comes back with the page.
    keep = f"(...given) => Object.fromEntries({list(controls)!r}.map((name, place) => [name, given[place]]))"
    gr.on([field.change for field in fields], None, fields, draft, js=keep, api_visibility="private")  # type: ignore[attr-defined]


TAB = Tab("Prompt", order=10, build=build)
