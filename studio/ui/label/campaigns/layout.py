"""The Campaigns part's components, by name, laid out; what happens between them is in `handlers`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.preference.campaign import CHECKS_SHARE
from studio.preference.prompt_list import KINDS
from studio.services.labels.incoming import ENDINGS
from studio.services.labels.picture_campaigns import MAX_FROM_HISTORY
from studio.services.labels.plan import MAX_GUIDELINE_CHARS, MAX_NAME_CHARS
from studio.ui import models
from studio.ui.components import picker
from studio.ui.elements import element
from studio.ui.label.campaigns import form, list_html
from studio.ui.values import ANYTHING, holds

if TYPE_CHECKING:
    from studio.services.presets import GuidancePresets
    from studio.services.studio import Studio

Parts = dict[str, Any]


def build(studio: Studio, presets: GuidancePresets) -> Parts:
    """Lay them out. What stands in fields has the names of `form.FIELDS`."""
    with gr.Row(elem_classes="workbench campaigns-bench"):
        with gr.Column(elem_classes="controls", min_width=0, elem_id="campaign-form"):
            parts = _form(studio, presets)
        with gr.Column(elem_classes="stage", min_width=0):
            parts |= {
                "message": element("", "campaign-message"),
                "files_html": element("", "campaign-files-html"),
                "list": element(list_html.EMPTY, "campaign-list", list_html.SCRIPT),
            }
    parts["looked"] = holds(gr.State(None), ANYTHING)
    return parts


def _form(studio: Studio, presets: GuidancePresets) -> Parts:
    parts: Parts = {
        "source": gr.Radio(
            list(form.SOURCES), value="drawn", label="Pictures", info="What is asked about.", elem_id="campaign-source"
        )
    }
    parts |= _drawn(studio, presets)
    parts |= _files(studio)
    parts |= _asked()
    with gr.Row(elem_classes="go"):
        parts["go"] = gr.Button("Make the campaign", variant="primary", elem_id="campaign-go")
    parts["note"] = element("", "campaign-note")
    return parts


def _drawn(studio: Studio, presets: GuidancePresets) -> Parts:
    parts: Parts = {}
    with gr.Column(elem_classes="only-drawn", min_width=0):
        parts["prompts_from"] = gr.Radio(
            list(form.PROMPTS),
            value="world",
            label="Prompts",
            info="Open ones leave style and colour unsaid: else pictures of one prompt are nearly alike.",
            elem_id="campaign-prompts-from",
        )
        with gr.Column(elem_classes="only-own", min_width=0):
            parts["prompts"] = gr.Textbox(
                "",
                label="Your prompts",
                info="One per line.",
                lines=4,
                max_lines=12,
                max_length=form.MAX_TEXT,
                placeholder="a lighthouse in fog\na bowl of plums",
                elem_id="campaign-prompts",
            )
            parts["prompt_file"] = gr.File(
                label=f"Or a file of them ({', '.join(KINDS)})",
                file_types=list(KINDS),
                type="filepath",
                height=76,
                elem_id="campaign-prompt-file",
                elem_classes="drop",
            )
        parts["count"] = gr.Slider(
            10,
            form.MOST_ITEMS,
            30,
            step=1,
            label="How many",
            info="Pairs, lists or pictures.",
            elem_id="campaign-count",
        )
        parts["hidden"] = gr.Radio(
            list(form.HIDDEN),
            value=0.0,
            label="Hidden words",
            info="A style and a colour, drawn with but not shown to who labels; those liked so far come more often.",
            elem_id="campaign-hidden",
        )
        with gr.Column(elem_classes="only-own", min_width=0):
            parts["hidden_words"] = gr.Textbox(
                "",
                label="Words to hide",
                info="Between commas; of each line, every picture gets one.",
                lines=2,
                max_lines=4,
                max_length=4000,
                placeholder="oil painting, photograph\nwarm light, cold light",
                elem_id="campaign-hidden-words",
            )
        with gr.Accordion("Compare recipes", open=False, elem_id="campaign-compare"):
            element('<p class="hint">Nothing chosen: pictures differ by their seed alone.</p>', "campaign-compare-hint")
            parts["models"] = gr.Dropdown(
                models.choices(models.listed(studio)),
                value=[],
                multiselect=True,
                label="Models",
                info="None chosen: Stencil.",
                elem_id="campaign-models",
            )
            parts["presets"] = gr.Dropdown(
                preset_choices(presets),
                value=[],
                multiselect=True,
                label="Guidance presets",
                info="None chosen: what suits the model.",
                elem_id="campaign-presets",
            )
            parts["stacks"] = gr.Radio(
                list(form.STACKS),
                value="none",
                label="Edits",
                info="Which edits the pictures are drawn with.",
                elem_id="campaign-stacks",
            )
            parts["same_seed"] = gr.Checkbox(
                True,
                label="Several recipes are compared at one seed",
                info="So that nothing else differs.",
                elem_id="campaign-same-seed",
            )
            parts["steps"] = gr.Number(
                None, label="Steps", info="Empty: 12 for Stencil, 20 for others.", elem_id="campaign-steps"
            )
            parts["seed"] = gr.Textbox(
                "",
                label="Seed",
                info="Of everything that is random. Empty: a new one.",
                max_lines=1,
                max_length=40,
                elem_id="campaign-seed",
            )
    return parts


def _files(studio: Studio) -> Parts:
    parts: Parts = {}
    kinds = [*ENDINGS, ".txt"]
    with gr.Column(elem_classes="only-files", min_width=0):
        parts["files"] = gr.File(
            label="Pictures of this studio, A1111, Forge, ComfyUI, SwarmUI, Fooocus, InvokeAI or any other",
            file_count="multiple",
            file_types=kinds,
            type="filepath",
            height=110,
            elem_id="campaign-files",
            elem_classes="drop",
        )
        parts["folder"] = gr.File(
            label="Or a whole folder",
            file_count="directory",
            file_types=kinds,
            type="filepath",
            height=76,
            elem_id="campaign-folder",
            elem_classes="drop",
        )
        element(
            '<p class="hint">Prompts are read from the pictures, or from a text of the same name beside each.</p>',
            "campaign-files-hint",
        )
    with gr.Column(elem_classes="only-history", min_width=0):
        parts["pictures"] = picker.control(studio, "campaign-picker", MAX_FROM_HISTORY)
    return parts


def _asked() -> Parts:
    parts: Parts = {
        "mode": gr.Radio(
            list(form.MODE_CHOICES),
            value="pair",
            label="Asked as",
            info="What labellers see, and answer with one key.",
            elem_id="campaign-mode",
        ),
        "questions": gr.CheckboxGroup(
            list(form.QUESTION_CHOICES), value=["overall"], label="Questions", elem_id="campaign-questions"
        ),
        "name": gr.Textbox(
            "",
            label="Name",
            info="Empty: by what it is, such as “30 pairs of Stencil”.",
            max_lines=1,
            max_length=MAX_NAME_CHARS,
            elem_id="campaign-name",
        ),
    }
    with gr.Accordion("Guideline, people, checks", open=False, elem_id="campaign-people"):
        parts["guideline"] = gr.Textbox(
            "",
            label="Guideline",
            info="What to judge by. One key shows it to labellers; every answer keeps which version it saw.",
            lines=3,
            max_lines=10,
            max_length=MAX_GUIDELINE_CHARS,
            elem_id="campaign-guideline",
        )
        parts["target"] = gr.Slider(
            1,
            10,
            1,
            step=1,
            label="People per item",
            info="How many different people answer each item.",
            elem_id="campaign-target",
        )
        parts["overlap"] = gr.Slider(
            0,
            100,
            10,
            step=1,
            label="Asked of everybody, in %",
            info="These items show how far people agree.",
            elem_id="campaign-overlap",
        )
        parts["repeats"] = gr.Checkbox(
            True,
            label="Some are asked again, sides swapped",
            info="One item in twenty: shows how consistent the answers are.",
            elem_id="campaign-repeats",
        )
        parts["checks"] = gr.Checkbox(
            True,
            label="Attention checks",
            info=f"At most {CHECKS_SHARE:.0%}: a spoilt picture, or one of another prompt. Not for lists.",
            elem_id="campaign-checks",
        )
        parts["reveal"] = gr.Radio(
            list(form.REVEAL_CHOICES),
            value="never",
            label="Tell what each picture was",
            info="Model, seed, edits. Later answers of whoever was told are marked, and not learned from.",
            elem_id="campaign-reveal",
        )
    return parts


def preset_choices(presets: GuidancePresets) -> list[tuple[str, str]]:
    """(label, name) of the guidance presets that can be used."""
    return [(entry.label, entry.name) for entry in presets.listing() if not entry.problem]
