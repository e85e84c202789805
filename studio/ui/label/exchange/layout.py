"""The components of the part "Import and export", by name, laid out; what happens between them is in `handlers`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from studio.services.labels.plan import MAX_NAME_CHARS
from studio.ui.elements import element
from studio.ui.label.exchange import form, runs_html
from studio.ui.markup import tag
from studio.ui.values import ANYTHING, holds

HERE = Path(__file__).parent
FIRST = "jsonl"
# Files are chosen in the browser, whose own fields say where each lies in its folder; Gradio's forget it.
DROP = tag(
    "div",
    tag("p", "Drop a file or a folder here, or choose")
    + tag(
        "div",
        tag("label", "A file" + '<input type="file" multiple data-kind="files">', class_="action")
        + tag("label", "A folder" + '<input type="file" webkitdirectory data-kind="folder">', class_="action"),
        class_="pick",
    )
    + tag(
        "p",
        tag("span", "", data_part="status", role="status")
        + tag("button", "Cancel", type="button", class_="small", data_do="cancel", hidden=True),
        class_="sent",
    ),
    class_="drop-set",
)


def build() -> dict[str, Any]:
    """Lay them out."""
    parts: dict[str, Any] = {}
    with gr.Row(elem_classes="workbench campaigns-bench"):
        with gr.Column(elem_classes="controls", min_width=0, elem_id="exchange-form"):
            parts["direction"] = gr.Radio(
                list(form.DIRECTIONS),
                value="out",
                label="Labels",
                info="Out of this studio, or into it.",
                elem_id="exchange-direction",
            )
            parts |= _out() | _in()
        with gr.Column(elem_classes="stage", min_width=0):
            parts["message"] = element("", "exchange-message")
            parts["description"] = element("", "exchange-description")
            parts["runs"] = element(runs_html.EMPTY, "exchange-runs", (HERE / "runs.js").read_text(encoding="utf-8"))
    parts["waiting"] = holds(gr.State(None), ANYTHING)
    return parts


def _out() -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with gr.Column(elem_classes="only-out", min_width=0):
        parts["labels"] = gr.Dropdown(
            [("All campaigns", form.ALL)],
            value=form.ALL,
            label="Which",
            info="A campaign, or a snapshot: answers as they were frozen, by you or for a training.",
            elem_id="exchange-labels",
        )
        parts["format"] = gr.Dropdown(
            form.format_choices(),
            value=FIRST,
            label="Format",
            info="By the program that will read it.",
            elem_id="exchange-format",
        )
        parts["about"] = element(form.about_format(FIRST), "exchange-about")
        parts["anonymise"] = gr.Checkbox(
            True,
            label="Without names",
            info="Annotators as hashes, the same in every export of this workspace.",
            elem_id="exchange-anonymise",
        )
        parts["limit"] = gr.Number(
            0,
            label="Number of answers",
            info="At most so many, from the first on. 0: all.",
            precision=0,
            elem_id="exchange-limit",
        )
        with gr.Row(elem_classes="go"):
            parts["export"] = gr.Button("Export", variant="primary", elem_id="exchange-export")
            parts["describe"] = gr.Button("Describe", elem_id="exchange-describe", min_width=110, scale=0)
        with gr.Accordion("Ties, checks, several answers", open=False, elem_id="exchange-more"):
            parts["ties"] = gr.Radio(
                list(form.TIES),
                value="half",
                label="Ties",
                info="Answers that call both pictures equal.",
                elem_id="exchange-ties",
            )
            parts["rows"] = gr.Radio(
                list(form.ROWS),
                value="each",
                label="Several answers about one pair",
                info="One row for each answer, or one for all.",
                elem_id="exchange-rows",
            )
            parts["question"] = gr.Radio(
                list(form.QUESTIONS),
                value="overall",
                label="Question",
                info="For formats that do not say which was asked.",
                elem_id="exchange-question",
            )
            parts["checks"] = gr.Checkbox(
                False,
                label="Also checks, repeats, blind tests, and what was not blind",
                info="For looking into the answers, not for training on them.",
                elem_id="exchange-checks",
            )
            parts["superseded"] = gr.Checkbox(
                False,
                label="Also what was changed or taken back later",
                info="Every row of the log. Without it: the answers as they stand.",
                elem_id="exchange-superseded",
            )
            parts["validation"] = gr.Slider(
                0,
                0.5,
                0.1,
                step=0.05,
                label="Share for validation",
                info="Of the prompts, set apart whole. OneTrainer's format only.",
                elem_id="exchange-validation",
            )
    return parts


def _in() -> dict[str, Any]:
    parts: dict[str, Any] = {}
    with gr.Column(elem_classes="only-in", min_width=0):
        parts["files"] = element(DROP, "exchange-files", (HERE / "files.js").read_text(encoding="utf-8"))
        parts["arrived"] = element("", "exchange-arrived")
        parts["import_format"] = gr.Dropdown(
            form.format_choices(reads=True),
            value=form.RECOGNISE,
            label="Format",
            info="Recognised by the columns of its first row.",
            elem_id="exchange-import-format",
        )
        parts["import_name"] = gr.Textbox(
            "",
            label="Campaign",
            info="A new one, or one of an earlier import. Empty: the file's name.",
            max_lines=1,
            max_length=MAX_NAME_CHARS,
            elem_id="exchange-name",
        )
        with gr.Row(elem_classes="go"):
            parts["import"] = gr.Button("Import", variant="primary", elem_id="exchange-import")
    return parts
