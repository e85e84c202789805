"""Declared parameters: bounds hold, controls get what they need, errors are one sentence."""

import math
from typing import Any, Literal

import pytest
from pydantic import Field, ValidationError

from studio.core.errors import BadInput
from studio.core.params import Params, ParamSpec, load, mattering, param, specs


class Lens(Params):
    focus: float = param(0.5, low=0, high=1, step=0.1, help="how sharp", unit="m")
    blades: int = param(6, low=3, high=12)
    coated: bool = param(True, label="Coating")
    mount: Literal["M", "F"] = param("M")
    finish: str = param("matt", choices=("matt", "gloss"))
    note: str = param("")
    gain: float = param(1.0, low=0)


class Camera(Params):
    lens: Lens = Lens()
    spares: tuple[Lens, ...] = ()


def test_defaults_are_valid_and_frozen() -> None:
    lens = Lens()
    with pytest.raises(ValidationError):
        lens.focus = 1.0  # type: ignore[misc]


def test_specs_say_what_a_control_needs() -> None:
    found = specs(Lens)
    assert [spec.name for spec in found] == ["focus", "blades", "coated", "mount", "finish", "note", "gain"]
    assert [spec.kind for spec in found] == ["float", "int", "bool", "choice", "choice", "text", "float"]
    assert found[0] == ParamSpec("focus", "float", 0.5, 0, 1, 0.1, "how sharp", "Focus", "m", None)
    assert found[2].label == "Coating"
    assert found[3].choices == ("M", "F") and found[4].choices == ("matt", "gloss")
    assert found[6].low == 0 and found[6].high is None


def test_a_parameter_matters_beside_certain_values_of_others() -> None:
    class Filter(Params):
        kind: Literal["box", "gauss", "none"] = param("box")
        flip: bool = param(False)
        width: float = param(1.0, when={"kind": ("box", "gauss")})
        tail: float = param(1.0, when={"kind": ("gauss",), "flip": (True,)})

    found = specs(Filter)
    assert found[0].when == () and found[3].when == (("kind", ("gauss",)), ("flip", (True,)))
    assert mattering(found, {}) == {"kind", "flip", "width"}
    assert mattering(found, {"kind": "none"}) == {"kind", "flip"}
    assert mattering(found, {"kind": "gauss"}) == {"kind", "flip", "width"}
    assert mattering(found, {"kind": "gauss", "flip": True}) == {"kind", "flip", "width", "tail"}
    assert Filter(kind="none", width=3.0).width == 3.0


def test_specs_leave_out_what_has_no_single_control() -> None:
    assert specs(Camera) == ()


def test_bounds_are_inclusive() -> None:
    assert load(Lens, {"focus": 1, "blades": 3.0}, "lens") == Lens(focus=1.0, blades=3)


@pytest.mark.parametrize(
    ("values", "field", "sentence"),
    [
        ({"focus": 1.5}, "focus", "In the lens, focus must be a number from 0 to 1, not 1.5."),
        ({"focus": math.nan}, "focus", "In the lens, focus must be a number from 0 to 1, not nan."),
        ({"gain": math.inf}, "gain", "In the lens, gain must be a number of at least 0, not inf."),
        ({"focus": "0.5"}, "focus", "In the lens, focus must be a number from 0 to 1, not '0.5'."),
        ({"focus": True}, "focus", "In the lens, focus must be a number from 0 to 1, not True."),
        ({"blades": 3.5}, "blades", "In the lens, blades must be a whole number from 3 to 12, not 3.5."),
        ({"blades": None}, "blades", "In the lens, blades must be a whole number from 3 to 12, not None."),
        ({"coated": 1}, "coated", "In the lens, coated must be true or false, not 1."),
        ({"mount": "Z"}, "mount", "In the lens, mount must be one of M, F, not 'Z'."),
        ({"finish": "satin"}, "finish", "In the lens, finish must be one of matt, gloss, not 'satin'."),
        ({"note": 7}, "note", "In the lens, note must be valid text, not 7."),
        ({"focs": 1}, "focs", "The lens has no field 'focs'; did you mean 'focus'?"),
        ({"focs": 1, "focus": 9}, "focs", "The lens has no field 'focs'; did you mean 'focus'?"),
    ],
)
def test_one_sentence_on_what_is_wrong(values: dict[str, Any], field: str, sentence: str) -> None:
    with pytest.raises(BadInput) as caught:
        load(Lens, values, "lens")
    assert str(caught.value) == sentence
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"lens": {"focus": 2}}, "In the camera, lens.focus must be a number from 0 to 1, not 2."),
        ({"lens": 3}, "In the camera, lens must be a set of named values, not 3."),
        (
            {"spares": [{}, {"blades": 0}]},
            "In the camera, spares[1].blades must be a whole number from 3 to 12, not 0.",
        ),
        ({"spares": 3}, "In the camera, spares must be a list, not 3."),
        ({"spares": [3]}, "In the camera, spares[0] must be a set of named values, not 3."),
    ],
)
def test_nested_fields_are_named_in_full(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInput) as caught:
        load(Camera, values, "camera")
    assert str(caught.value) == sentence


@pytest.mark.parametrize("value", [10**5000, "x" * 100_000, [0] * 100_000], ids=["int", "text", "list"])
def test_a_huge_value_is_not_echoed(value: object) -> None:
    with pytest.raises(BadInput) as caught:
        load(Lens, {"focus": value}, "lens")
    assert len(str(caught.value)) < 160


def test_a_default_outside_its_bounds_is_caught_where_it_is_loaded() -> None:
    class Wrong(Params):
        size: int = param(0, low=1, high=2)

    # Defaults are not validated by pydantic: a method's own are, by loading them (tests/guidance/test_contract.py).
    with pytest.raises(BadInput, match="size must be a whole number from 1 to 2, not 0"):
        load(Wrong, Wrong().model_dump(), "wrong")


def test_limits_that_do_not_belong_to_it_are_said_as_such() -> None:
    class Wedge(Params):
        angle: float = Field(45.0, gt=0, lt=90)
        weight: float = Field(1.0, gt=0, le=10)
        length: float = Field(1.0, gt=0)

    for name, allowed in (("angle", "above 0 and below 90"), ("weight", "above 0, at most 10"), ("length", "above 0")):
        with pytest.raises(BadInput, match=f"{name} must be a number {allowed}, not -1"):
            load(Wedge, {name: -1}, "wedge")
