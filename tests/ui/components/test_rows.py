"""A list of typed things: added, copied, ordered, removed, edited in place."""

from __future__ import annotations

import re

import pytest

from studio.core.errors import BadInput
from studio.ui.components.rows import Row, Rows, adder_html, rows_html

THREE = Rows.of(["a", "b", "c"], most=4)


def values(rows: Rows[str]) -> str:
    return "".join(row.value for row in rows)


def test_rows_are_added_copied_moved_and_removed() -> None:
    assert values(THREE) == "abc" and THREE.chosen == 1 and THREE[2] == "b"
    copied = THREE.do("copy", 2)
    assert values(copied) == "abcb" and copied.chosen == 4 and copied.is_full
    assert values(THREE.do("down", 1)) == "bac" and values(THREE.do("up", 3)) == "acb"
    assert THREE.do("up", 1) == THREE and THREE.do("down", 3) == THREE
    assert values(THREE.put(2, "x")) == "axc" and THREE.put(2, "x").chosen == 2
    gone = THREE.choose(2).remove(2)
    assert values(gone) == "ac" and gone.chosen == 1 and 2 not in gone
    assert THREE.choose(3).remove(2).chosen == 3
    assert values(THREE) == "abc"


def test_a_list_may_be_empty_where_it_says_so() -> None:
    empty = Rows.of(["a"], most=4, least=0).remove(1)
    assert len(empty) == 0 and empty.chosen == 0
    assert not re.search(r'data-op="remove"[^>]* disabled', html(Rows.of(["a"], least=0)))
    assert [(row.id, row.value) for row in empty.add("b")] == [(2, "b")] and empty.add("b").chosen == 2
    assert len(Rows[str].of((), least=0)) == 0


def test_an_id_is_never_given_again() -> None:
    assert [row.id for row in THREE.remove(3).add("d")] == [1, 2, 4]


def test_what_cannot_be_done_is_told() -> None:
    with pytest.raises(BadInput, match="There is room for 4 rows"):
        THREE.add("d").add("e")
    with pytest.raises(BadInput, match="One row has to stay"):
        Rows.of(["a"]).remove(1)
    with pytest.raises(BadInput, match="nothing to do with a row called 'burn'"):
        THREE.do("burn", 1)
    for op in Rows.OPS:
        with pytest.raises(BadInput, match="not there any more"):
            THREE.do(op, 9)


def html(rows: Rows[str]) -> str:
    more = adder_html("Add a row", [("<One>", "one")], "A further one", disabled=rows.is_full)
    return rows_html(rows, lambda row: row.value, lambda row: f"<p>{row.id}</p>", body, more)


def body(row: Row[str]) -> str:
    return f"<i>{row.value}</i>"


def test_one_row_is_open_and_the_ends_cannot_be_passed() -> None:
    shown = html(THREE.choose(2))
    assert re.findall(r'aria-expanded="(\w+)"', shown) == ["false", "true", "false"]
    assert shown.count("<i>") == 1 and "<i>b</i>" in shown
    buttons = re.findall(r'data-op="(\w+)" data-row="(\d)"[^>]*? disabled', shown)
    assert buttons == [("up", "1"), ("down", "3")]
    assert "&lt;One&gt;" in shown and "<select" in shown


def test_a_full_list_and_a_single_row_say_so_by_their_buttons() -> None:
    full = html(THREE.add("d"))
    assert len(re.findall(r'data-op="copy"[^>]* disabled', full)) == 4 and re.search(r"<select[^>]* disabled", full)
    assert re.search(r'data-op="remove"[^>]* disabled', html(Rows.of(["a"])))
