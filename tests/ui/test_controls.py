from __future__ import annotations

from typing import Literal

import gradio as gr
import pytest

from studio.core.params import Params, param, specs
from studio.ui import controls
from studio.ui.methods import declared


class Everything(Params):
    scale: float = param(2.0, low=0, high=10, step=0.5, help="how much")
    rank: int = param(4, low=1, help="how many", unit="rows")
    on: bool = param(True, help="whether")
    space: Literal["raw", "x0"] = param("raw", help="where")
    note: str = param("", help="what")


MADE = {spec.name: controls.control(spec) for spec in specs(Everything)}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("scale", gr.Slider), ("rank", gr.Number), ("on", gr.Checkbox), ("space", gr.Dropdown), ("note", gr.Textbox)],
)
def test_each_kind_has_its_control(name: str, kind: type) -> None:
    assert isinstance(MADE[name], kind)


def test_a_slider_has_the_declared_range_step_and_default() -> None:
    slider = MADE["scale"]
    assert isinstance(slider, gr.Slider)
    assert (slider.minimum, slider.maximum, slider.step, slider.value) == (0, 10, 0.5, 2.0)


def test_labels_have_the_unit_and_explanations_are_sentences() -> None:
    assert controls.label(specs(Everything)[1]) == "Rank (rows)"
    assert controls.explanation(specs(Everything)[0]) == "How much."


def test_every_declared_parameter_of_every_method_gets_a_labelled_explained_control() -> None:
    for method, entry in {**declared().guidance, **declared().samplers}.items():
        for spec in entry.params:
            made = controls.control(spec)
            assert made.label, (method, spec.name)
            assert getattr(made, "info", None), (method, spec.name)


def test_values_are_settled_to_the_declared_kind() -> None:
    given = {"scale": 3, "rank": 4.0, "on": False, "space": "x0", "note": "n", "stranger": 1}
    settled = controls.values(specs(Everything), given)
    assert settled == {"scale": 3.0, "rank": 4, "on": False, "space": "x0", "note": "n"}
    assert isinstance(settled["scale"], float) and isinstance(settled["rank"], int)


def test_values_left_out_take_their_defaults_so_that_a_recipe_records_them() -> None:
    assert controls.values(specs(Everything), {})["scale"] == 2.0
