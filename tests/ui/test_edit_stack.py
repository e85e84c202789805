from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.core.errors import BadInput
from studio.core.recipe import EditRef
from studio.ui import edit_stack
from studio.ui.edit_stack import MAX_ROWS, MAX_UNDO, EditRow, Stack, change, read


def stack(*names: str) -> Stack:
    return Stack(tuple(EditRow(name) for name in names))


def names(found: Stack) -> str:
    return "".join(row.edit for row in found.rows)


def test_what_is_off_or_has_no_strength_is_in_no_recipe_and_keeps_its_strength() -> None:
    found = change(change(stack("a", "b", "c"), "strength", "a", 0.5), "toggle", "a")
    found = change(found, "strength", "b", 0)
    assert found.refs == (EditRef(edit="c"),)
    assert change(found, "toggle", "a").refs[0] == EditRef(edit="a", strength=0.5)


def test_rows_change_places_and_go() -> None:
    start = stack("a", "b", "c")
    assert names(change(start, "up", "c")) == "acb" and names(change(start, "down", "a")) == "bac"
    assert change(start, "up", "a") == start and change(start, "down", "c") == start
    assert names(change(start, "remove", "b")) == "ac" and names(change(start, "add", "d")) == "abcd"


def test_every_change_can_be_taken_back_and_nothing_beyond() -> None:
    found = first = stack("a", "b")
    for what, edit, value in (("toggle", "a", None), ("strength", "b", 2), ("remove", "a", None), ("add", "c", None)):
        found = change(found, what, edit, value)
    for _ in range(4):
        found = change(found, "undo")
    assert found == first and change(found, "undo") == first


def test_undo_is_kept_within_bounds() -> None:
    found = stack("a")
    for n in range(100):
        found = change(found, "strength", "a", n / 100)
    assert len(found.undo) == MAX_UNDO


@pytest.mark.parametrize("value", [None, True, "1", 10.5, -11, float("nan"), float("inf"), [], {}])
def test_other_strengths_are_refused(value: Any) -> None:
    with pytest.raises(BadInput, match="-10 to 10"):
        change(stack("a"), "strength", "a", value)


@pytest.mark.parametrize(
    ("what", "edit"),
    [
        ("explode", "a"),
        ("toggle", "b"),
        ("remove", ""),
        ("add", "a"),
    ],
)
def test_what_cannot_be_done_is_refused(what: str, edit: str) -> None:
    with pytest.raises(BadInput):
        change(stack("a"), what, edit)


def test_the_strength_follows_the_prompt_or_not() -> None:
    gated = change(stack("a"), "auto", "a", True)
    assert gated.refs[0].auto and not change(gated, "auto", "a", False).refs[0].auto
    assert not change(gated, "undo").refs[0].auto
    for value in ("on", 1, None):
        with pytest.raises(BadInput, match="true or false"):
            change(gated, "auto", "a", value)


def test_a_button_pressed_twice_means_its_own_edit_and_not_the_one_that_took_its_place() -> None:
    found = change(stack("a", "b"), "remove", "a")
    with pytest.raises(BadInput, match="not in the stack any more"):
        change(found, "remove", "a")
    assert names(found) == "b"


def test_a_deleted_edit_is_out_of_the_stack_and_no_undo_brings_it_back() -> None:
    found = change(change(change(stack("a", "b"), "remove", "a"), "add", "c"), "toggle", "b")
    left = edit_stack.forget(found, {"a"})
    assert names(left) == "bc" and left.names == {"b", "c"} and found.names == {"a", "b", "c"}
    # Back are: before the switch, before c was added; that a was removed before is no step any more.
    assert [names(Stack(rows)) for rows in left.undo] == ["b", "bc"]
    assert edit_stack.forget(found, {"x"}) == found
    without_steps = Stack((EditRow("a"), EditRow("b")))  # whose only steps an earlier deletion has made none
    assert edit_stack.forget(without_steps, {"a"}) == Stack((EditRow("b"),))


def test_a_stack_has_room_for_as_many_as_a_recipe() -> None:
    found = stack(*(f"e{n}" for n in range(MAX_ROWS)))
    assert len(found.refs) == 64
    with pytest.raises(BadInput, match="at most 64"):
        change(found, "add", "one more")


def test_the_stack_of_a_recipe_replaces_the_rows_and_can_be_taken_back() -> None:
    found = edit_stack.from_refs([EditRef(edit="x", strength=-1.5)], stack("a"))
    assert found.rows == (EditRow("x", -1.5),) and change(found, "undo").rows == (EditRow("a"),)


def test_the_steps_an_edit_acts_in_go_into_the_recipe_and_come_back_from_it() -> None:
    late = change(change(stack("a", "b"), "start", "a", 0.25), "stop", "a", 0.5)
    assert late.refs == (EditRef(edit="a", start=0.25, stop=0.5), EditRef(edit="b"))
    gated = (EditRef(edit="a", strength=0.5, start=0.25, stop=0.5, auto=True),)
    assert edit_stack.from_refs(gated, Stack()).refs == gated
    assert read(json.loads(json.dumps(late.plain()))) == late
    assert read({"rows": [{"edit": "a", "strength": 1, "on": True}], "undo": []}) == stack(
        "a"
    )  # kept before there were
    for what, value in (("start", 0.6), ("stop", 0.2), ("stop", 1.1), ("start", None), ("stop", float("nan"))):
        with pytest.raises(BadInput, match="share of the steps"):
            change(late, what, "a", value)


def test_what_the_browser_kept_comes_back() -> None:
    found = change(stack("a", "b"), "strength", "b", 0.25)
    assert read(json.loads(json.dumps(found.plain()))) == found


KEPT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["rows", "undo", "edit", "strength", "on", "start", "stop", "auto"]), inner, max_size=5
        )
    ),
    max_leaves=15,
)


@given(KEPT)
def test_whatever_the_browser_kept_is_read_without_failing(kept: Any) -> None:
    found = read(kept)
    assert all(abs(row.strength) <= 10 and isinstance(row.on, bool) for row in found.rows)
