"""The Erase tab's components, by name, laid out; what happens between them is in `tab`."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.erasure.defaults import COMPLETENESS, PROTECT
from studio.training.erase.plan import MAX_NAME_CHARS
from studio.training.lora.pace import MINUTES
from studio.ui import watch
from studio.ui.components.curves import job as curves
from studio.ui.elements import element, revision
from studio.ui.erase import aim, cards, methods, near, outcome, pairs, past, plan, rows
from studio.ui.erase.balance import form

Parts = dict[str, Any]


def build() -> Parts:
    """Lay them out. What stands in fields has the names of `plan.FIELDS`."""
    with gr.Row(elem_classes="workbench erase"):
        with gr.Column(elem_classes="controls", min_width=0):
            parts = _controls()
        with gr.Column(elem_classes="stage", min_width=0):
            parts |= {
                "message": element("", "erase-message"),
                "outcome": element(outcome.EMPTY, "erase-outcome", outcome.SCRIPT),
                "pairs": element("", "erase-pairs", pairs.SCRIPT),
                "figures": element("", "erase-figures", curves.INLINE),
                "card": element("", "erase-card", cards.SCRIPT),
                "past": element("", "erase-past", past.SCRIPT),
            }
    parts["erase_revision"] = revision("erase", "erase-revision")
    return parts


def _many() -> Parts:
    lines = gr.Textbox(
        "",
        label="Concepts, one per line",
        info="Each with what takes its place, or as a table: words, substitute, kind, synonyms.",
        lines=4,
        max_lines=12,
        max_length=plan.MAX_CHARS,
        placeholder="star -> heart\nfish -> tree",
        elem_id="erase-lines",
    )
    file = gr.File(
        label="Or a file of them (.txt, .csv)",
        file_types=[".txt", ".csv", ".tsv"],
        type="filepath",
        height=90,
        elem_id="erase-lines-file",
        elem_classes="drop",
    )
    with gr.Row(elem_classes="go"):
        add = gr.Button("Add as rows", size="sm", elem_id="erase-add-lines")
        apart = gr.Button("Erase each by itself", size="sm", elem_id="erase-each-line")
    return {"lines": lines, "lines_file": file, "add_lines": add, "each_line": apart}


def _controls() -> Parts:
    parts: Parts = {
        "aim": element("", "erase-aim", aim.SCRIPT),
        "rows": element("", "erase-rows", rows.SCRIPT),
        "wishes": element("", "erase-wishes", form.SCRIPT),
    }
    with gr.Accordion("Many concepts", open=False, elem_id="erase-many"):
        parts |= _many()
    parts["batch"] = element("", "erase-batch", watch.PART)
    parts["preserve"] = gr.Textbox(
        "",
        label="Keep",
        info="Prompts to keep as they are, one per line. Sixty others are protected with them, unless Protect is 0.",
        lines=2,
        max_lines=8,
        max_length=plan.MAX_CHARS,
        placeholder="a red ring\na moon at night",
        elem_id="erase-preserve",
    )
    parts["near"] = element("", "erase-near", near.SCRIPT)
    parts["methods"] = element("", "erase-methods", methods.SCRIPT)
    parts["sliders"] = gr.Checkbox(
        False,
        label="One slider for each concept",
        info="Beside the joint edit, one edit for each concept; all at strength 1, they add up to it.",
        visible=False,
        elem_id="erase-sliders",
    )
    with gr.Row(elem_classes="go"):
        parts["go"] = gr.Button("Erase", variant="primary", elem_id="erase-go")
        parts["stop"] = gr.Button(
            "Stop", variant="stop", interactive=False, elem_id="erase-stop", min_width=64, scale=0
        )
    parts["note"] = element("", "erase-note")
    with gr.Accordion("Advanced", open=False, elem_id="erase-advanced"):
        parts["protect"] = gr.Slider(
            0,
            10,
            PROTECT,
            step=0.1,
            label="Protect",
            info="How much what stays counts against what goes. 0: not at all.",
            elem_id="erase-protect",
        )
        # Without limits: Gradio's own check of them says neither where nor what is allowed.
        parts["minutes"] = gr.Number(
            None,
            label="At most, in minutes",
            info=MINUTES,
            elem_id="erase-minutes",
        )
        parts["completeness"] = gr.Slider(
            0.9,
            0.9999,
            COMPLETENESS,
            step=0.0001,
            label="Completeness",
            info="Method Instant: how far the concept moves to its substitute. At 0.95, pictures are blends of both.",
            elem_id="erase-completeness",
        )
        parts["untouched"] = gr.Checkbox(
            False,
            label="What is kept is not moved at all",
            info="Method Instant: the prompts under Keep, at the price of what the concept shares with them.",
            elem_id="erase-untouched",
        )
        parts["edit_name"] = gr.Textbox(
            "",
            label="Name of the edit",
            info="Empty: “no-…” for an erasure, “balanced-…” for a balance.",
            max_lines=1,
            max_length=MAX_NAME_CHARS,
            elem_id="erase-name",
        )
        parts["seed"] = gr.Textbox(
            "0",
            label="Seed",
            info="Of the sentences it learns from, and of the first preview picture; the others take the next ones.",
            max_lines=1,
            max_length=40,
            elem_id="erase-seed",
        )
    return parts
