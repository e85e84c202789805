"""Prompt: write, generate, watch, keep. Handlers are functions of plain values; `build` lays out and wires."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import gradio as gr
import numpy as np

from studio.core.errors import NotFound, StudioError
from studio.ui import sidebar
from studio.ui.components import canvas, caption, gallery, words
from studio.ui.components.form import MAX_COUNT, SAMPLERS, Form, random_seed, recipes, values_of
from studio.ui.errors import sentence, told
from studio.ui.markup import alert
from studio.ui.tabs.base import Page, Tab
from studio.world.caption import canonical
from studio.world.scene import random_scene

if TYPE_CHECKING:
    from studio.services.generate import Studio

POLL_S = 0.25
BLANK = canvas.empty_html("A blank page", "Write a prompt, or take one of the examples, and generate.")


# -- handlers -------------------------------------------------------------------------------------------------------


def submit(studio: Studio, values: Mapping[str, Any]) -> str:
    """Queue what the form asks for; gives the job's id at once."""
    return studio.submit(recipes(values))


def attached(studio: Studio, job_id: str | None) -> str | None:
    """The job a page that was just opened should show: its own if it is not over, else any that is not."""
    if job_id:
        try:
            if not canvas.view(studio.events(job_id)).over:
                return job_id
        except NotFound:  # another workspace since
            pass
    unfinished = studio.unfinished_jobs()
    return unfinished[0].id if unfinished else None


def stop(studio: Studio, job_id: str | None) -> None:
    """Ask the job to stop and keep what is finished."""
    if job_id:
        studio.stop(job_id, keep=True)


def report(studio: Studio, prompt: str) -> str:
    return words.report_html(studio.prompt_report((prompt or "")[:20_000]))


def history(studio: Studio, limit: int = gallery.PAGE, search: str = "") -> str:
    limit = min(max(int(limit), 1), 1000)
    search = (search or "").strip()[:200]
    return gallery.gallery_html(studio.gallery(limit, 0, search), studio.count(search), search)


def finished_caption(studio: Studio, job: canvas.JobView) -> str:
    """The label of what a job made: of the picture, or of them all."""
    if not job.drawn:
        return ""
    first = job.drawn[0][1]
    if len(job.drawn) == 1:
        return caption.caption_html(studio.generation(first.id))
    return caption.many_html(len(job.drawn), first.recipe)


def outcome(job: canvas.JobView) -> str:
    """A message about how a job ended, where there is something to say."""
    if job.state in ("failed", "interrupted"):
        return alert(job.error or "The job ended before it was done.")
    if job.state == "cancelled":
        kept = len(job.drawn)
        return alert(f"Stopped; {kept} picture{'s' * (kept != 1)} kept." if kept else "Stopped.", kind="note")
    return ""


def surprise() -> str:
    """A prompt about a random scene of the model's world."""
    return canonical(random_scene(np.random.default_rng()))


# -- layout ---------------------------------------------------------------------------------------------------------


def build(page: Page) -> None:
    studio, form = page.studio, Form()
    job_id = gr.BrowserState(None, storage_key="palimpsest-job", secret="palimpsest-page")
    draft = gr.BrowserState(None, storage_key="palimpsest-draft", secret="palimpsest-page")
    pinned = gr.State(None)  # the picture chosen from the gallery while a job runs: polls leave it in place
    timer = gr.Timer(POLL_S, active=False)

    with gr.Row(elem_classes="workbench"):
        with gr.Column(scale=0, min_width=340, elem_classes="controls"):
            prompt = form.add("prompt", gr.Textbox(lines=3, max_lines=8, max_length=10_000, label="Prompt",
                              info="What to draw. Leave it empty to draw anything.", elem_id="prompt",
                              placeholder="a striped purple star on a meadow background"))  # fmt: skip
            prompt_report = gr.HTML("", apply_default_css=False, elem_id="prompt-report")
            chips = gr.HTML(words.chips_html(), apply_default_css=False, js_on_load=words.CLICK, elem_id="chips")
            negative = form.add("negative_prompt", gr.Textbox(lines=1, max_lines=4, max_length=10_000,
                                label="Negative prompt", info="What guidance moves away from.",
                                elem_id="negative-prompt"))  # fmt: skip
            negative_report = gr.HTML("", apply_default_css=False, elem_id="negative-report")
            with gr.Row(elem_classes="go"):
                generate = gr.Button("Generate", variant="primary", elem_id="generate")
                halt = gr.Button("Stop", variant="stop", interactive=False, elem_id="stop", min_width=90, scale=0)
            message = gr.HTML("", apply_default_css=False, elem_id="message")
            with gr.Row(elem_classes="seed-row"):
                form.add("seed", gr.Textbox("-1", max_lines=1, max_length=40, label="Seed", elem_id="seed",
                         info="The same seed gives the same picture; -1 takes a new one each time."))  # fmt: skip
                dice = gr.Button("Roll", elem_id="dice", min_width=64, scale=0, elem_classes="dice")
            form.add("count", gr.Slider(1, MAX_COUNT, 1, step=1, label="Pictures", elem_id="count",
                     info="How many; each next one takes the next seed."))  # fmt: skip
            form.guidance()
            with gr.Accordion("Sampling and size", open=False, elem_id="sampling"):
                form.add("steps", gr.Slider(1, 100, 20, step=1, label="Steps", elem_id="steps",
                         info="More steps follow the model more closely and take longer."))  # fmt: skip
                form.add("sampler", gr.Dropdown(SAMPLERS, value="dpmpp_2m", label="Sampler", elem_id="sampler",
                         info="How noise is taken away from step to step."))  # fmt: skip
                with gr.Row():
                    form.size(studio.model_card().default_size_px)
        with gr.Column(scale=1, min_width=320, elem_classes="stage"):
            sheet = gr.HTML(BLANK, apply_default_css=False, js_on_load=canvas.CLICK, elem_id="canvas")
            progress = gr.HTML("", apply_default_css=False, elem_id="progress")
            label = gr.HTML("", apply_default_css=False, js_on_load=caption.CLICK, elem_id="caption")
            with gr.Row(elem_classes="past-head"):
                gr.HTML("<h2>Past pictures</h2>", apply_default_css=False)
                search = gr.Textbox(show_label=True, label="Find", placeholder="words of a prompt", max_lines=1,
                                    info="Shows pictures whose prompts hold all these words.", scale=0,
                                    min_width=220, elem_id="search", max_length=200)  # fmt: skip
            past = gr.HTML("", apply_default_css=False, js_on_load=gallery.CLICK, elem_id="gallery")

    # Every listener is private: the page is no API. Those without a queue answer while the queue is busy.
    quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
    stage = [sheet, progress, label, past, message, timer, generate, halt, page.status]

    def running(job: str, chosen: int | None) -> list[Any]:
        """What the stage shows of a job that may still be running."""
        shown = canvas.view(studio.events(job))
        drawing = gr.skip() if chosen is not None else canvas.job_html(shown)
        status = sidebar.status_html(studio.status())
        if not shown.over:
            caption_now = gr.skip() if chosen is not None else ""
            return [drawing, canvas.progress_html(shown), caption_now, gr.skip(), gr.skip(), gr.Timer(active=True),
                    gr.Button(interactive=False), gr.Button(interactive=True), status]  # fmt: skip
        made = gr.skip() if chosen is not None else finished_caption(studio, shown)
        return [drawing, "", made, history(studio), outcome(shown), gr.Timer(active=False),
                gr.Button(interactive=True), gr.Button(interactive=False), status]  # fmt: skip

    @told
    def on_generate(*given: Any) -> list[Any]:
        try:
            job = submit(studio, form.plain(given))
        except StudioError as error:
            return [*[gr.skip()] * 6, alert(sentence(error)), *[gr.skip()] * 4]
        shown = running(job, None)
        shown[4] = ""
        return [job, None, *shown]

    @told
    def on_tick(job: str | None, chosen: int | None) -> list[Any]:
        if not job:
            return [*[gr.skip()] * 5, gr.Timer(active=False), *[gr.skip()] * 3]
        return running(job, chosen)

    @told
    def on_open(job: str | None, kept: Mapping[str, Any] | None) -> list[Any]:
        """A page was opened or reloaded: put the form back, and show the running job or the newest picture."""
        fields = form.update(kept if isinstance(kept, dict) else {})
        job = attached(studio, job)
        if job:
            shown = running(job, None)
            shown[3] = history(studio)
            return [job, None, *fields, *shown]
        newest = studio.gallery(1)
        drawing, under = (canvas.picture_html(newest[0]), caption.caption_html(newest[0])) if newest else (BLANK, "")
        return [None, None, *fields, drawing, "", under, history(studio), "", gr.Timer(active=False),
                gr.Button(interactive=True), gr.Button(interactive=False),
                sidebar.status_html(studio.status())]  # fmt: skip

    @told
    def on_pick(event: gr.EventData) -> list[Any]:
        picture = studio.generation(int(event.id))
        return [picture.id, canvas.picture_html(picture), caption.caption_html(picture)]

    @told
    def on_restore(event: gr.EventData) -> list[Any]:
        return form.update(values_of(studio.generation(int(event.id)).recipe))

    @told
    def on_more(find: str, event: gr.EventData) -> str:
        return history(studio, event.limit, find)

    @told
    def on_fill(event: gr.EventData) -> str:
        return str(event.prompt) or surprise()

    fields = form.components
    generate.click(on_generate, fields, [job_id, pinned, *stage], **quick)
    halt.click(told(lambda job: stop(studio, job)), job_id, None, **quick)
    timer.tick(on_tick, [job_id, pinned], stage, **quick)
    page.demo.load(on_open, [job_id, draft], [job_id, pinned, *fields, *stage], **quick)
    for picker in (sheet, past):
        picker.pick(on_pick, None, [pinned, sheet, label], **quick)
    label.restore(on_restore, None, fields, **quick)
    past.more(on_more, search, past, **quick)
    search.change(told(lambda find: history(studio, search=find)), search, past, **quick)
    prompt.change(told(lambda typed: report(studio, typed)), prompt, prompt_report, **quick)
    negative.change(told(lambda typed: report(studio, typed)), negative, negative_report, **quick)
    chips.fill(on_fill, None, prompt, **quick)
    dice.click(lambda: str(random_seed()), None, form.controls["seed"], **quick)
    # In the browser only: what is typed is kept there, and comes back with the page.
    names = list(form.controls)
    keep = f"(...given) => Object.fromEntries({names!r}.map((name, place) => [name, given[place]]))"
    gr.on([field.change for field in fields], None, fields, draft, js=keep, api_visibility="private")


TAB = Tab("Prompt", order=10, build=build)
