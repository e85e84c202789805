"""The Guidance tab's components, by name, laid out; what happens between them is in `tab`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from studio.services.presets import GuidancePresets
from studio.ui import watch
from studio.ui.components import picker
from studio.ui.components.form import samplers
from studio.ui.components.method_menu import preset_entries
from studio.ui.elements import element, revision
from studio.ui.guidance import results, rows, run
from studio.ui.guidance import sweep as sweeps

MAX_PICKED = 480
KEEP = "Save the open row"

if TYPE_CHECKING:
    from studio.services.studio import Studio

Parts = dict[str, Any]


def build(studio: Studio, presets: GuidancePresets) -> Parts:
    """Lay them out. What all rows share has the names of `run.FIELDS`."""
    with gr.Row(elem_classes="workbench guidance"):
        with gr.Column(elem_classes="controls", min_width=0):
            parts = _controls(studio, presets)
        with gr.Column(elem_classes="stage", min_width=0):
            parts |= {
                "message": element("", "guidance-message"),
                "results": element(results.EMPTY, "guidance-results", results.SCRIPT + watch.PART),
                "why": element("", "guidance-why"),
                "strip": element("", "guidance-strip"),
            }
            with gr.Accordion("Sweep one parameter", open=False, elem_id="guidance-sweep"):
                parts |= _sweep()
                parts["film"] = element("", "guidance-film", results.SCRIPT + watch.PART)
    parts["board_revision"] = revision("board", "guidance-revision")
    return parts


def _controls(studio: Studio, presets: GuidancePresets) -> Parts:
    parts: Parts = {}
    parts["prompt"] = gr.Textbox(
        "a striped purple star on a meadow background",
        label="Prompt",
        info="The same for all rows.",
        lines=2,
        max_lines=6,
        max_length=run.MAX_CHARS,
        elem_id="guidance-prompt",
    )
    parts["negative"] = gr.Textbox(
        "",
        label="Negative prompt",
        info="What guidance moves away from.",
        max_lines=4,
        max_length=run.MAX_CHARS,
        elem_id="guidance-negative",
    )
    with gr.Row(elem_classes="go"):
        parts["go"] = gr.Button("Generate all", variant="primary", elem_id="compare")
        parts["stop"] = gr.Button(
            "Stop", variant="stop", interactive=False, elem_id="guidance-stop", min_width=64, scale=0
        )
    with gr.Row(elem_classes="shared"):
        parts["seed"] = gr.Textbox(
            "7", label="Seed", info="-1: a new one.", max_lines=1, max_length=40, elem_id="guidance-seed", min_width=90
        )
        parts["seeds"] = gr.Slider(
            1, run.MAX_SEEDS, 1, step=1, label="Seeds", info="One column each.", min_width=90, elem_id="guidance-seeds"
        )
    with gr.Row(elem_classes="shared"):
        parts["steps"] = gr.Slider(
            1, run.MAX_STEPS, 20, step=1, label="Steps", info="For every row.", min_width=90, elem_id="guidance-steps"
        )
        sampler_choices = [(sampler.label, name) for name, sampler in samplers().items()]
        parts["sampler"] = gr.Dropdown(
            sampler_choices,
            value="dpmpp_2m",
            label="Sampler",
            info="For every row.",
            min_width=90,
            elem_id="guidance-sampler",
        )
    parts["equal"] = gr.Checkbox(
        False,
        label="Equal network evaluations (NFE)",
        elem_id="guidance-equal",
        info="Each row takes as many steps as cost no more than plain CFG's: dearer methods fewer, cheaper ones more.",
    )
    parts["rows"] = element("", "guidance-rows", rows.SCRIPT)
    with gr.Accordion("Rows from past pictures", open=False, elem_id="guidance-pictures"):
        parts["pictures"] = picker.control(studio, "guidance-picker", MAX_PICKED)
        parts["take"] = gr.Button("Add their guidance as rows", size="sm", elem_id="guidance-take")
    parts["preset"] = gr.Dropdown(
        preset_entries(presets),
        value="",
        label="Preset",
        elem_id="guidance-preset",
        info="Puts a preset into the open row.",
    )
    with gr.Row(elem_classes="save-row"):
        parts["preset_name"] = gr.Textbox(
            label=KEEP, info="As a preset, for every tab.", max_lines=1, max_length=60, elem_id="guidance-preset-name"
        )
        parts["save"] = gr.Button("Save", elem_id="guidance-preset-save", min_width=70, scale=0)
    return parts


def _sweep() -> Parts:
    with gr.Row(elem_classes="sweep-row"):
        parts = {
            "sweep_name": gr.Dropdown(
                [], label="Parameter", info="Of the open row.", elem_id="sweep-name", min_width=140
            ),
            "sweep_low": gr.Number(0, label="From", info="First value.", elem_id="sweep-low", min_width=70),
            "sweep_high": gr.Number(10, label="To", info="Last value.", elem_id="sweep-high", min_width=70),
            # Without limits: Gradio's own check of them says neither where nor what is allowed.
            "sweep_count": gr.Number(
                6, label="Pictures", info=f"2 to {sweeps.MAX_VALUES}.", elem_id="sweep-count", min_width=70
            ),
            "sweep_go": gr.Button("Sweep", elem_id="sweep-go", scale=0, min_width=90),
        }
    return parts
