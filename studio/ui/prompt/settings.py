"""The numbers of a recipe, laid out: what one needs on a first evening in sight, the rest in accordions."""

from __future__ import annotations

from typing import Any

import gradio as gr

from studio.core.errors import BadInput
from studio.core.params import shown
from studio.models.card import ModelCard
from studio.ui.components.choice import PARTS, Choice
from studio.ui.components.form import MAX_COUNT, Form, samplers, spacings
from studio.ui.markup import tag
from studio.world.examples import FIRST_COUNT

SHAPES = {"square": (2, 2), "portrait": (2, 3), "landscape": (3, 2)}  # in halves of the model's own side
_SHAPED = """
element.addEventListener('click', (event) => {
  const button = event.target.closest('[data-shape]');
  if (button) trigger('shape', {shape: button.dataset.shape});
});
"""


def seed_and_count(form: Form) -> dict[str, Any]:
    """The seed with its two buttons, and how many pictures."""
    with gr.Row(elem_classes="seed-row"):
        form.add(
            "seed",
            gr.Textbox(
                "-1",
                label="Seed",
                info="The same seed gives the same picture; -1 takes a new one each time.",
                max_lines=1,
                max_length=40,
                elem_id="seed",
            ),
        )
        parts = {
            "again": gr.Button("Seed of the picture shown", elem_id="seed-again", min_width=40, scale=0),
            "dice": gr.Button("New seed", elem_id="dice", min_width=40, scale=0),
        }
    form.add(
        "count",
        gr.Slider(
            1,
            MAX_COUNT,
            FIRST_COUNT,
            step=1,
            label="Pictures",
            info="How many; each next one takes the next seed.",
            elem_id="count",
        ),
    )
    return parts


def sampling_and_size(form: Form, card: ModelCard) -> dict[str, Any]:
    """Steps, sampler, spacing, width and height, as the model has them. Gives the buttons of sizes."""
    with gr.Accordion("Sampling and size", open=False, elem_id="sampling"):
        form.add(
            "steps",
            gr.Slider(
                1,
                100,
                20,
                step=1,
                label="Steps",
                info="More follow the model more closely and take longer.",
                elem_id="steps",
            ),
        )
        sampler = Choice(form, "sampler", samplers(), card.sampler)
        sampler.menu("Sampler", "How noise is taken away from step to step.")
        for part in PARTS:
            sampler.controls(part)
        form.add(
            "spacing",
            gr.Dropdown(
                spacings(),
                value="auto",
                label="Spacing",
                info="Which noise levels the steps visit.",
                elem_id="spacing",
            ),
        )
        shapes = gr.HTML(_shapes(), apply_default_css=False, js_on_load=_SHAPED, elem_id="shapes")
        with gr.Row():
            for name in ("width", "height"):
                # Without limits: the form's own check of them names the field.
                form.add(
                    name,
                    gr.Number(
                        card.default_size_px,
                        step=8,
                        label=name.capitalize(),
                        info="In pixels, a multiple of 8.",
                        elem_id=name,
                        min_width=100,
                    ),
                )
    return {"shapes": shapes}


def size_of(shape: str, side_px: int) -> tuple[int, int]:
    """Width and height in pixels. shape: one of SHAPES. side_px: of the model's own square. Raises BadInput."""
    if shape not in SHAPES:
        raise BadInput(f"A picture can be {', '.join(SHAPES)}, not {shown(shape)}.")
    across, down = SHAPES[shape]
    return side_px * across // 2, side_px * down // 2


def _shapes() -> str:
    buttons = "".join(
        tag("button", shape.capitalize(), type="button", class_="chip", data_shape=shape, title=title)
        for shape, title in (
            ("square", "As the model was trained"),
            ("portrait", "Half as high again"),
            ("landscape", "Half as wide again"),
        )
    )
    return tag("div", buttons, class_="chips", role="group", aria_label="Size of the picture")


def variations(form: Form) -> None:
    """A second noise to go towards."""
    with gr.Accordion("Variations", open=False, elem_id="variations"):
        form.add(
            "variation_strength",
            gr.Slider(
                0,
                1,
                0,
                step=0.01,
                label="Variation strength",
                elem_id="variation-strength",
                info="How far towards the picture of the variation seed; 0 stays with the seed above.",
            ),
        )
        form.add(
            "variation_seed",
            gr.Textbox(
                "-1",
                label="Variation seed",
                info="-1 takes a new one each time.",
                max_lines=1,
                max_length=40,
                elem_id="variation-seed",
            ),
        )
