"""The Compare tab's components, by name, laid out; what happens between them is in `tab`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.services.comparisons.comparison import MAX_NAME_CHARS
from studio.ui.compare import blind, columns, editor, figures, table, view
from studio.ui.compare import board as boards
from studio.ui.components import picker, views
from studio.ui.components.axes import HELP
from studio.ui.elements import element, revision
from studio.ui.models import choices, listed

if TYPE_CHECKING:
    from studio.services.studio import Studio

Parts = dict[str, Any]
MAX_PICKED = 480
# What lies beneath the bar, a part at a time. An empty comparison shows where rows come from.
PANELS = """
const parts = () => [...element.querySelectorAll('[data-panel]')];
function open(panel) {
  for (const button of parts()) {
    const isOn = button.dataset.panel === panel;
    button.setAttribute('aria-expanded', String(isOn));
    document.getElementById(button.dataset.panel)?.classList.toggle('shut', !isOn);
  }
}
let shown = '', wasEmpty = null;
function settle() {
  const isEmpty = Boolean(element.querySelector('[data-empty]'));
  // Whoever is adding rows goes on; who is not wants to see them.
  const isAdding = document.getElementById('compare-add')?.contains(document.activeElement);
  if (isEmpty !== wasEmpty) shown = isEmpty ? 'compare-add' : isAdding ? shown : '';
  wasEmpty = isEmpty;
  open(shown);
}
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-panel]');
  if (!button) return;
  shown = shown === button.dataset.panel ? '' : button.dataset.panel;
  open(shown);
});
document.addEventListener('click', ({target}) => {
  if (!target.closest('#compare-go')) return;
  shown = '';
  open(shown);
});
watch('value', () => setTimeout(settle));
settle();
"""


def build(studio: Studio) -> Parts:
    """Lay them out. What is typed for the columns has the names of `doing.FIELDS`."""
    with gr.Row(elem_classes="workbench wide compare"):
        with gr.Column(elem_classes="controls", min_width=0):
            parts = _bar()
        with gr.Column(elem_classes="stage", min_width=0):
            parts |= _adding(studio) | _statistics() | _keeping()
            parts["message"] = element("", "compare-message")
            parts["views"] = element(views.views_html(), "compare-views", views.script("#compare-table"))
            with gr.Row(elem_classes="compare-desk"):
                parts["editor"] = element("", "compare-editor", editor.SCRIPT)
                parts["table"] = element(table.EMPTY, "compare-table", table.SCRIPT)
    parts["compare_revision"] = revision("compare", "compare-revision")
    return parts


def _bar() -> Parts:
    parts: Parts = {
        "prompts": gr.Textbox(
            "",
            label="Prompts",
            info="One column per line. Empty: each row's own.",
            lines=1,
            max_lines=5,
            max_length=columns.MAX_CHARS,
            elem_id="compare-prompts",
        ),
        "seeds": gr.Textbox(
            "",
            label="Seeds",
            info="Such as 7, 8 or 1-4.",
            max_lines=1,
            max_length=columns.MAX_CHARS,
            elem_id="compare-seeds",
        ),
    }
    with gr.Column(elem_classes="compare-switches", min_width=0):
        parts["paired"] = gr.Checkbox(
            False,
            label="A seed for each prompt",
            info="The first prompt with the first seed, and so on; instead of each with each.",
            elem_id="compare-paired",
        )
        parts["equal"] = gr.Checkbox(
            False,
            label="Equal network evaluations",
            info="Each row takes as many steps as cost no more than the reference's.",
            elem_id="compare-equal",
        )
    with gr.Row(elem_classes="go"):
        parts["go"] = gr.Button("Draw", variant="primary", elem_id="compare-go", min_width=120)
        parts["stop"] = gr.Button(
            "Stop", variant="stop", interactive=False, elem_id="compare-stop", min_width=64, scale=0
        )
    parts["bar"] = element(view.bar_html(boards.new()), "compare-bar", PANELS)
    parts["columns_told"] = element("", "compare-columns")
    return parts


def _adding(studio: Studio) -> Parts:
    parts: Parts = {}
    with gr.Column(elem_classes="compare-panel shut", elem_id="compare-add", min_width=0):
        parts["basis"] = element("", "compare-basis")
        with gr.Row(elem_classes="compare-sources"):
            with gr.Column(min_width=0):
                gr.HTML("<h3>Past pictures</h3>", apply_default_css=False)
                parts["pictures"] = picker.control(studio, "compare-picker", MAX_PICKED)
                parts["take"] = gr.Button("Add them as rows", size="sm", elem_id="compare-take")
            with gr.Column(min_width=0):
                gr.HTML("<h3>Files, presets, models</h3>", apply_default_css=False)
                parts |= _sources(studio)
            with gr.Column(min_width=0):
                gr.HTML("<h3>Edits and trainings</h3>", apply_default_css=False)
                parts |= _edits()
            with gr.Column(min_width=0):
                gr.HTML("<h3>Values of parameters</h3>", apply_default_css=False)
                parts |= _values()
    return parts


def _sources(studio: Studio) -> Parts:
    parts: Parts = {
        "dropped": gr.File(
            label="Picture files, or a report (drop them anywhere)",
            file_types=[".png", ".jpg", ".jpeg", ".webp", ".html"],
            file_count="multiple",
            type="filepath",
            height=76,
            elem_id="compare-dropped",
            elem_classes="drop",
        ),
        "preset": gr.Dropdown(
            [("", "")], value="", label="Guidance preset", info="Adds a row drawn with it.", elem_id="compare-preset"
        ),
        "models": gr.Dropdown(
            choices(listed(studio)),
            value=[],
            multiselect=True,
            label="Models",
            info="Adds a row for each, in its own size and without edits.",
            elem_id="compare-models",
        ),
    }
    parts["add_models"] = gr.Button("Add the models", size="sm", elem_id="compare-add-models")
    return parts


def _edits() -> Parts:
    parts: Parts = {
        "edit": gr.Dropdown([("", "")], value="", label="Edit", info="One of the workspace.", elem_id="compare-edit"),
        "strengths": gr.Textbox(
            "0, 1",
            label="Strengths",
            info="Adds a row for each; 0 is without the edit.",
            max_lines=1,
            max_length=1000,
            elem_id="compare-strengths",
        ),
    }
    parts["add_edit"] = gr.Button("Add the strengths", size="sm", elem_id="compare-add-edit")
    parts["training"] = gr.Dropdown(
        [("", "")],
        value="",
        label="Training",
        info="Adds a row for each checkpoint, or for its state now.",
        elem_id="compare-training",
    )
    return parts


def _values() -> Parts:
    parts: Parts = {}
    for letter in "XYZ":
        with gr.Row(elem_classes="compare-axis"):
            parts[f"vary_{letter}"] = gr.Dropdown(
                [("None", "")],
                value="",
                label="Vary" if letter == "X" else "And",
                info="A parameter of the row." if letter == "X" else "Each value with each above.",
                elem_id=f"compare-vary-{letter.lower()}",
                min_width=120,
            )
            parts[f"values_{letter}"] = gr.Textbox(
                label="Values" if letter == "X" else "By",
                info="Such as 1-5, or a, b.",
                max_lines=2,
                max_length=100_000,
                elem_id=f"compare-values-{letter.lower()}",
                min_width=100,
            )
    parts["add_values"] = gr.Button("Add a row for each", size="sm", elem_id="compare-add-values")
    hint = f'<p class="hint">{HELP} For a sheet of more than 20, see the grid of the <a href="#">Prompt tab</a>.</p>'
    gr.HTML(hint, apply_default_css=False)
    return parts


def _statistics() -> Parts:
    with gr.Column(elem_classes="compare-panel shut", elem_id="compare-statistics", min_width=0):
        parts: Parts = {"statistics": element(figures.NOTHING, "compare-figures")}
        with gr.Row(elem_classes="compare-blind"):
            parts["rival"] = gr.Dropdown(
                [],
                value=None,
                label="Blind test",
                info="Of a row against the reference, by people who do not know which is which.",
                elem_id="compare-rival",
            )
            parts["test"] = gr.Button("Test them blind", elem_id="compare-test", min_width=120, scale=0)
        parts["tests"] = element("", "compare-tests", blind.SCRIPT)
    return parts


def _keeping() -> Parts:
    parts: Parts = {}
    with gr.Row(elem_classes="compare-panel shut", elem_id="compare-keep"):
        parts["files"] = element(view.NO_FILES, "compare-files")
        parts["saved_name"] = gr.Textbox(
            label="Save as", info="In this workspace.", max_lines=1, max_length=MAX_NAME_CHARS, elem_id="compare-name"
        )
        parts["save"] = gr.Button("Save", elem_id="compare-save", min_width=70, scale=0)
        parts["saved"] = gr.Dropdown(
            [("", "")], value="", label="Open", info="A saved comparison.", elem_id="compare-saved"
        )
        parts["forget"] = gr.Button("Delete the saved one", elem_id="compare-forget", min_width=90, scale=0)
        parts["clear"] = gr.Button("Begin anew", elem_id="compare-clear", min_width=90, scale=0)
        parts["bring_back"] = gr.Button("Bring back the previous one", elem_id="compare-back", min_width=90, scale=0)
    return parts
