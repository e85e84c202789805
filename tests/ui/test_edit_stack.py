from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.core.errors import BadInput
from studio.core.recipe import EditRef
from studio.ui import edit_stack
from studio.ui.edit_stack import MAX_ROWS, MAX_UNDO, Row, Stack, change, read


def stack(*names: str) -> Stack:
    return Stack(tuple(Row(name) for name in names))


def names(found: Stack) -> str:
    return "".join(row.edit for row in found.rows)


def test_what_is_off_or_has_no_strength_is_in_no_recipe_and_keeps_its_strength() -> None:
    found = change(change(stack("a", "b", "c"), "strength", 0, 0.5), "toggle", 0)
    found = change(found, "strength", 1, 0)
    assert found.refs == (EditRef(edit="c"),)
    assert change(found, "toggle", 0).refs[0] == EditRef(edit="a", strength=0.5)


def test_rows_change_places_and_go() -> None:
    start = stack("a", "b", "c")
    assert names(change(start, "up", 2)) == "acb" and names(change(start, "down", 0)) == "bac"
    assert change(start, "up", 0) == start and change(start, "down", 2) == start
    assert names(change(start, "remove", 1)) == "ac" and names(change(start, "add", value="d")) == "abcd"


def test_every_change_can_be_taken_back_and_nothing_beyond() -> None:
    found = first = stack("a", "b")
    for what, at, value in (("toggle", 0, None), ("strength", 1, 2), ("remove", 0, None), ("add", 0, "c")):
        found = change(found, what, at, value)
    for _ in range(4):
        found = change(found, "undo")
    assert found == first and change(found, "undo") == first


def test_undo_is_kept_within_bounds() -> None:
    found = stack("a")
    for n in range(100):
        found = change(found, "strength", 0, n / 100)
    assert len(found.undo) == MAX_UNDO


@pytest.mark.parametrize("value", [None, True, "1", 10.5, -11, float("nan"), float("inf"), [], {}])
def test_other_strengths_are_refused(value: Any) -> None:
    with pytest.raises(BadInput, match="-10 to 10"):
        change(stack("a"), "strength", 0, value)


@pytest.mark.parametrize(("what", "at", "value"), [
    ("explode", 0, None), ("toggle", 5, None), ("remove", -1, None), ("add", 0, "a"),
])  # fmt: skip
def test_what_cannot_be_done_is_refused(what: str, at: int, value: Any) -> None:
    with pytest.raises(BadInput):
        change(stack("a"), what, at, value)


def test_a_stack_has_room_for_as_many_as_a_recipe() -> None:
    found = stack(*(f"e{n}" for n in range(MAX_ROWS)))
    assert len(found.refs) == 64
    with pytest.raises(BadInput, match="at most 64"):
        change(found, "add", value="one more")


def test_the_stack_of_a_recipe_replaces_the_rows_and_can_be_taken_back() -> None:
    found = edit_stack.from_refs([EditRef(edit="x", strength=-1.5)], stack("a"))
    assert found.rows == (Row("x", -1.5),) and change(found, "undo").rows == (Row("a"),)


def test_what_the_browser_kept_comes_back() -> None:
    found = change(stack("a", "b"), "strength", 1, 0.25)
    assert read(json.loads(json.dumps(found.plain()))) == found


KEPT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["rows", "undo", "edit", "strength", "on"]), inner, max_size=5)
    ),
    max_leaves=15,
)


@given(KEPT)
def test_whatever_the_browser_kept_is_read_without_failing(kept: Any) -> None:
    found = read(kept)
    assert all(abs(row.strength) <= 10 and isinstance(row.on, bool) for row in found.rows)
