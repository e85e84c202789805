from __future__ import annotations

from typing import Literal

from studio.core.params import Params, param, specs
from studio.ui import controls


class Everything(Params):
    scale: float = param(2.0, low=0, high=10, step=0.5, help="how much")
    rank: int = param(4, low=1, help="how many", unit="rows")
    on: bool = param(True, help="whether")
    space: Literal["raw", "x0"] = param("raw", help="where")
    note: str = param("", help="what")


def test_labels_have_the_unit_and_explanations_are_sentences() -> None:
    assert controls.label(specs(Everything)[1]) == "Rank (rows)"
    assert controls.explanation(specs(Everything)[0]) == "How much."


def test_values_are_settled_to_the_declared_kind() -> None:
    given = {"scale": 3, "rank": 4.0, "on": False, "space": "x0", "note": "n", "stranger": 1}
    settled = controls.values(specs(Everything), given)
    assert settled == {"scale": 3.0, "rank": 4, "on": False, "space": "x0", "note": "n"}
    assert isinstance(settled["scale"], float) and isinstance(settled["rank"], int)


def test_values_left_out_take_their_defaults_so_that_a_recipe_records_them() -> None:
    assert controls.values(specs(Everything), {})["scale"] == 2.0
