"""Stacks: values with an identity, whose effect does not depend on their order; and how edits get on."""

from __future__ import annotations

import math

import pytest
import torch

from studio.core.errors import BadInput
from studio.engine.edits.format import Dense, Edit, LowRank
from studio.engine.edits.interference import pulls
from studio.engine.edits.stack import EMPTY, EditStack
from tests.engine.edits.making import make_edit
from tests.tolerance import rounding

SHAPES = {"a": (6, 4), "b": (5, 3, 3, 3)}
ONE, TWO = make_edit(SHAPES, seed=1, name="one"), make_edit(SHAPES, seed=2, name="two")
MASK = make_edit({"a": (6, 4)}, seed=3, kind="mask", name="mask")


def test_what_is_off_drops_out() -> None:
    assert EditStack.of([(ONE, 0.0), (TWO, -0.0)]) == EMPTY == EditStack()
    assert EMPTY.id == "" and len(EMPTY) == 0
    assert EditStack.of([(ONE, 0.0), (TWO, 1)]) == EditStack.of([(TWO, 1.0)])


def test_identity_is_of_content_and_strength_not_of_order() -> None:
    stack = EditStack.of([(ONE, 1.0), (TWO, 0.5)])
    assert stack == EditStack.of([(TWO, 0.5), (ONE, 1.0)]) and len({stack, EditStack.of([(TWO, 0.5), (ONE, 1.0)])}) == 1
    assert stack != EditStack.of([(ONE, 1.0), (TWO, math.nextafter(0.5, 1))])
    assert stack != EditStack.of([(ONE, 1.0)])
    assert [edit.name for edit, _ in stack] == ["one", "two"], "the user's own order is kept for showing"


def test_part_is_what_touches_a_component() -> None:
    text = make_edit({"x": (2, 2)}, seed=4, component="text_encoder")
    stack = EditStack.of([(ONE, 1.0), (text, 1.0)])
    assert stack.part(["unet"]) == EditStack.of([(ONE, 1.0)])
    assert stack.part(["text_encoder", "text_encoder_2"]) == EditStack.of([(text, 1.0)])
    assert stack.part(["transformer"]) == EMPTY


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([(ONE, 10.5)], "a number from -10 to 10, not 10.5 as for 'one'"),
        ([(ONE, float("nan"))], "not nan"),
        ([(ONE, -math.inf)], "not -inf"),
        ([(MASK, 1.5)], "strength of a mask is a number from 0 to 1, not 1.5"),
        ([(MASK, -0.5)], "from 0 to 1"),
        ([(ONE, 1.0), (TWO, 1.0), (ONE, 0.0)], "'one' is in the stack twice"),
        ([(make_edit({"a": (1, 1)}, seed=i, rank=1), 1.0) for i in range(65)], "at most 64 edits, not 65"),
    ],
)
def test_refusals(entries: list[tuple[Edit, float]], said: str) -> None:
    with pytest.raises(BadInput, match=said) as raised:
        EditStack.of(entries)
    assert raised.value.field == "edits"


# -- interference ---------------------------------------------------------------------------------------------------


def test_how_far_inputs_are_carried_is_that_of_the_sum_at_any_strengths() -> None:
    shapes = {"a": (6, 4), "c": (5, 4)}
    edits = [
        make_edit(shapes, seed=7),
        make_edit({"c": (5, 4)}, seed=8, kind="dense"),
        make_edit({"b": (5, 5)}, seed=9),
    ]
    draw = torch.Generator().manual_seed(1)
    weights = {path: torch.randn(shape, generator=draw, dtype=torch.float64) for path, shape in shapes.items()}
    sources, ways = torch.randn(2, 9, 4, generator=draw, dtype=torch.float64)
    along, common = pulls(edits, [f"unet.{path}" for path in shapes], lambda _, path: weights[path], sources, ways)
    strengths = torch.tensor([0.7, -1.3, 1.0], dtype=torch.float64)
    left = whole = 0.0
    for path, weight in weights.items():
        change = torch.zeros_like(weight)
        for edit, strength in zip(edits, strengths, strict=True):
            if layer := edit.layers["unet"].get(path):
                assert isinstance(layer, LowRank | Dense)
                change += strength * layer.delta().double()
        aims = ways @ weight.T
        left += float((sources @ change.T - aims).square().sum())
        whole += float(aims.square().sum())
    carried = float(2 * strengths @ along - strengths @ common @ strengths)
    assert carried == pytest.approx(1 - left / whole, abs=rounding(torch.float64, 100, left / whole))
    assert not along[2] and not common[2].any()  # it changes none of these layers
