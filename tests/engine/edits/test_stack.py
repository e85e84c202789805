"""Stacks: values with an identity, whose effect does not depend on their order; and how edits get on."""

from __future__ import annotations

import math

import pytest

from studio.core.errors import BadInput
from studio.engine.edits.format import Edit
from studio.engine.edits.stack import EMPTY, EditStack
from tests.engine.edits.making import make_edit

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
