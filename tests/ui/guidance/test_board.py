"""The Guidance tab's plain values: what can be done to rows, and that nothing the browser sends breaks them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.core.errors import BadInput
from studio.core.recipe import GuidanceSpec
from studio.guidance import build
from studio.ui.components import rule
from studio.ui.guidance import board as boards
from studio.ui.guidance import rows
from studio.ui.methods import declarations


def spec(board: boards.Board, id: int) -> dict[str, Any]:
    return board.rows[id].model_dump(mode="json")


def test_a_first_visitor_finds_rows_that_can_be_drawn() -> None:
    board = boards.new()
    assert len(board.rows) >= 4 and board.rows.chosen == board.rows.items[0].id
    for row in board.rows:
        build(row.value)
    assert boards.read(boards.plain(board)) == board
    swept = replace(board, picture_id=5, sweep=boards.Sweep("j", "eta", (0.0, 1.0)))
    full = boards.with_places(swept, "j", [(2, "7")], all_anew=True)
    assert boards.read(boards.plain(full)) == full and json.loads(json.dumps(boards.plain(full))) == boards.plain(full)


def test_every_method_can_be_chosen_and_keeps_the_scale() -> None:
    board = boards.change(boards.new(), "param", 1, name="guidance_scale", value=4.0)
    for name in declarations().guidance:
        changed = boards.change(board, "method", 1, value=name)
        made = build(GuidanceSpec.model_validate(spec(changed, 1)))
        if hasattr(made, "guidance_scale"):
            assert made.guidance_scale == 4.0, name  # type: ignore[attr-defined]


def test_every_wrapper_goes_around_and_away() -> None:
    for name in declarations().wrappers:
        board = boards.change(boards.new(), "wrap", 1, value=name)
        build(GuidanceSpec.model_validate(spec(board, 1)))
        assert spec(boards.change(board, "unwrap", 1, at="0"), 1).get("wrappers", []) == []


def test_a_sum_has_a_method_of_its_own() -> None:
    board = boards.change(boards.new(), "wrap", 1, value="sum")
    board = boards.change(board, "added", 1, at="0", value="pag")
    board = boards.change(board, "aparam", 1, at="0", name="pag_scale", value=1.5)
    assert spec(board, 1)["wrappers"][0]["added"]["params"]["pag_scale"] == 1.5
    assert "1.5" in build(GuidanceSpec.model_validate(spec(board, 1))).describe()


def test_a_row_that_goes_takes_its_pictures_along() -> None:
    board = boards.with_places(boards.new(), "one", [(1, "7"), (2, "7")], all_anew=True)
    assert [cell.row for cell in boards.change(board, "remove", 1).cells] == [2]
    for what in ("choose", "copy", "up", "down"):
        assert boards.change(board, what, 1).cells == board.cells


@pytest.mark.parametrize(
    ("what", "values", "told"),
    [
        ("burn", {}, "nothing to do"),
        ("method", {"value": "magic"}, "no guidance method named 'magic'"),
        ("wrap", {"value": "paper"}, "no wrapper named 'paper'"),
        ("param", {"name": "guidance_scale", "value": None}, "number, a switch or a text"),
        ("param", {"name": "guidance_scale", "value": [1]}, "number, a switch or a text"),
        ("param", {"name": "guidance_scale", "value": float("nan")}, "finite"),
        ("wparam", {"at": "3", "name": "start", "value": 1}, "not there any more"),
        ("added", {"at": "-1", "value": "cfg"}, "not there any more"),
    ],
)
def test_what_cannot_be_done_is_told(what: str, values: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        boards.change(boards.new(), what, 1, **values)
    with pytest.raises(BadInput, match="not there any more"):
        boards.change(boards.new(), what, 99, **values)


def test_pictures_replace_those_of_their_row_and_seed() -> None:
    board = boards.with_places(boards.new(), "one", [(1, "7"), (2, "7")], all_anew=True)
    board = boards.with_places(board, "two", [(2, "7")], all_anew=False)
    assert [(cell.row, cell.job) for cell in board.cells] == [(1, "one"), (2, "two")]
    assert board.seeds == ["7"]
    assert boards.with_places(board, "three", [(1, "8")], all_anew=True).cells == (boards.Place(1, "8", "three", 0),)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = ("rows", "chosen", "next", "cells", "shown", "sweep")


@settings(max_examples=60, deadline=None)
@given(plain | st.fixed_dictionaries({key: plain for key in KEYS}))
def test_whatever_the_browser_kept_is_a_board(kept: Any) -> None:
    board = boards.read(kept)
    assert set(boards.plain(board)) == set(KEYS) and len(board.rows)
    rows.rows_html(board, {}, {})


def test_what_was_typed_is_text_on_the_page() -> None:
    evil = "<script>alert(1)</script>"
    board = boards.change(boards.new(), "method", 1, value="pag")
    board = boards.change(board, "param", 1, name="layers", value=evil)
    html = rows.rows_html(board, {1: evil}, {2: evil})
    assert "<script" not in html and "&lt;script&gt;" in html


def test_each_parameter_has_a_control_with_its_range() -> None:
    html = rows.rows_html(boards.new(), {}, {})
    for one in declarations().guidance["cfg"].params:
        assert f'data-name="{one.name}"' in html
    assert 'type="range" aria-label="Guidance scale, slider" min="0" max="30"' in html


@pytest.mark.parametrize(
    ("method", "params", "told"),
    [
        ("cfg", {"guidance_scale": 6}, "CFG 6"),
        ("cfg_pp", {"weight": 0.6}, "CFG++"),
        ("pag", {"guidance_scale": 1.0, "pag_scale": 3.0}, "PAG 3"),
        ("autoguidance", {"guidance_scale": 4, "autoguidance_scale": 2}, "Autoguidance 2 + CFG 4"),
        ("frequency", {"low_scale": 2, "high_scale": 4}, "FDG 2"),
        ("cfg", {"guidance_scale": "x" * 999}, "CFG"),
        ("gone", {"scale": True}, "gone"),
    ],
)
def test_a_row_is_called_by_the_scale_that_is_its_own(method: str, params: dict[str, Any], told: str) -> None:
    assert rule.label(GuidanceSpec(method=method, params=params)) == told
