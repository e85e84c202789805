"""The Compare tab's plain values: rows and columns, and that nothing the browser sends breaks them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.core.errors import BadInput
from studio.core.recipe import EditRef, GuidanceSpec, Recipe
from studio.services.comparisons.comparison import MAX_ROWS, Column
from studio.services.comparisons.comparison import Row as Compared
from studio.ui.compare import adding, columns
from studio.ui.compare import board as boards
from studio.ui.compare.board import Board


@dataclass(frozen=True)
class Picture:
    id: int
    recipe: Recipe


def rule(scale: float) -> GuidanceSpec:
    return GuidanceSpec(params={"guidance_scale": scale})


def board_of(*recipes: Recipe) -> Board:
    return boards.with_rows(boards.new(), [Compared(recipe=recipe) for recipe in recipes])


TWO = board_of(Recipe(prompt="a star", seed=7), Recipe(prompt="a star", seed=7, guidance=rule(6)))
COPIES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


def test_the_browsers_copy_is_the_board_and_what_is_none_is_a_new_one() -> None:
    opened = boards.change(boards.change(TWO, "choose", 2), "refer", 2)
    opened = replace(opened, columns=(Column(seed=1), Column(seed=2**63)), equal=True)
    for board in (boards.new(), TWO, opened, boards.change(opened, "remove", 1)):
        copy = json.loads(json.dumps(boards.plain(board)))
        again = boards.read(copy)
        assert boards.plain(again) == copy and again.comparison == board.comparison
    kept = boards.plain(opened)
    assert boards.read({**kept, "ids": [1, 1]}).comparison == boards.read({**kept, "ids": [3, 4]}).comparison
    assert boards.read({**kept, "comparison": {"rows": [{"recipe": {"steps": 0}}]}}) == boards.new()


@settings(max_examples=60, deadline=None)
@given(COPIES)
def test_no_copy_is_an_error(copy: Any) -> None:
    boards.read(copy)
    boards.read({**boards.plain(TWO), "ids": copy, "chosen": copy})


def test_a_row_is_opened_shut_referred_to_copied_and_removed() -> None:
    opened = boards.change(TWO, "choose", 2)
    assert opened.is_open and opened.basis == TWO.rows[2].recipe and not boards.change(opened, "choose", 2).is_open
    assert TWO.reference_id == 1 and TWO.comparison.reference == 0 and TWO.basis == TWO.rows[1].recipe
    referred = boards.change(TWO, "refer", 2)
    assert referred.comparison.reference == 1 and boards.change(referred, "remove", 2).reference_id == 1
    assert boards.change(boards.change(TWO, "refer", 2), "up", 2).comparison.reference == 0  # it moves with its row
    named = boards.change(TWO, "rename", 1, value="mine")
    copied = boards.change(named, "copy", 1)
    assert [row.value.name for row in copied.rows] == ["mine", "", ""]
    assert not boards.change(opened, "remove", 2).is_open
    empty = boards.change(boards.change(TWO, "remove", 1), "remove", 2)
    assert not empty.rows and empty.basis is None and empty.comparison.rows == ()
    assert boards.with_rows(empty, [Compared()]).rows.items[0].id == 3  # no id is given again


def test_everything_of_a_recipe_is_changed_in_place() -> None:
    board = TWO
    for name, value in (
        ("prompt", "a heart"),
        ("seed", str(2**64 - 1)),
        ("steps", 9),
        ("sampler", "ddim"),
        ("width", 64),
    ):
        board = boards.change(board, "set", 1, name=name, value=value)
    board = boards.change(board, "edit", 1, value="mine@1")
    board = boards.change(board, "strength", 1, name="mine@1", value=0.25)
    board = boards.change(board, "param", 1, name="guidance_scale", value=3.0)
    recipe = board.rows[1].recipe
    assert (recipe.prompt, recipe.seed, recipe.steps, recipe.width) == ("a heart", 2**64 - 1, 9, 64)
    assert recipe.edits == (EditRef(edit="mine@1", strength=0.25),) and recipe.guidance.params["guidance_scale"] == 3.0
    assert not boards.change(board, "unedit", 1, name="mine@1").rows[1].recipe.edits
    assert board.rows[2] == TWO.rows[2]


WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("burn", {}, "nothing to do with a row called 'burn'"),
    ("set", {"name": "version", "value": 2}, "nothing to do with a row called 'version'"),
    ("set", {"name": "steps", "value": 0}, "steps"),
    ("set", {"name": "seed", "value": "x"}, "The seed must be"),
    ("set", {"name": "seed", "value": -1}, "a whole number from 0"),
    ("strength", {"name": "mine", "value": 99}, "strength"),
    ("rename", {"value": "x" * 101}, "at most 100 characters, not 101"),
]


@pytest.mark.parametrize(("op", "values", "told"), WRONG)
def test_what_cannot_be_done_is_told(op: str, values: dict[str, Any], told: str) -> None:
    with pytest.raises(BadInput, match=told):
        boards.change(TWO, op, 1, **values)
    with pytest.raises(BadInput, match="not there any more"):
        boards.change(TWO, op, 99, **values)


def test_there_is_room_for_twenty_rows_and_four_hundred_pictures() -> None:
    many = [Compared()] * (MAX_ROWS + 1)
    with pytest.raises(BadInput, match="at most 20 rows; 21 more beside 0 are too many"):
        boards.with_rows(boards.new(), many)
    full = boards.with_rows(replace(boards.new(), columns=columns.parsed("", "1-20", False)), many[:20])
    with pytest.raises(BadInput, match="room for 20 rows"):
        boards.change(full, "copy", 1)
    with pytest.raises(BadInput, match="at most 400 pictures; 20 rows by 21 columns are 420"):
        boards.checked(replace(full, columns=columns.parsed("", "1-21", False)))


# -- columns --------------------------------------------------------------------------------------------------------


def test_prompts_and_seeds_are_crossed_or_go_together_and_are_typed_again() -> None:
    assert columns.parsed(" \n", "", False) == columns.OWN
    crossed = columns.parsed("a star\n\n a heart ", "7, 9", False)
    assert [(one.prompt, one.seed) for one in crossed] == [
        ("a star", 7), ("a star", 9), ("a heart", 7), ("a heart", 9),
    ]  # fmt: skip
    together = columns.parsed("a star\na heart", "7-8", True)
    assert together == (Column(prompt="a star", seed=7), Column(prompt="a heart", seed=8))
    for typed in (
        crossed,
        together,
        columns.parsed("a star", "", False),
        columns.parsed("", "1-3", False),
        columns.OWN,
    ):
        fields = columns.typed(typed)
        assert fields is not None and columns.parsed(*fields) == typed
    assert columns.typed((Column(prompt="a star"), Column(seed=3))) is None  # only somebody's report has such
    with pytest.raises(BadInput, match="there are 2 prompts and 1 seed"):
        columns.parsed("a\nb", "7", True)
    with pytest.raises(BadInput, match="neither a number nor a range"):
        columns.parsed("", "seven", False)


# -- pictures as rows -----------------------------------------------------------------------------------------------


def pictures(*recipes: Recipe) -> list[Picture]:
    return [Picture(id, recipe) for id, recipe in enumerate(recipes, start=1)]


def test_pictures_become_rows_and_what_they_share_becomes_columns() -> None:
    # Two rules on two seeds, as the Guidance tab draws them.
    by_rule = [Recipe(seed=seed, guidance=rule(scale)) for seed in (7, 8) for scale in (1.5, 6)]
    board = adding.pictures(boards.new(), pictures(*by_rule))
    assert board.columns == (Column(seed=7), Column(seed=8))
    assert [row.value.recipe.guidance for row in board.rows] == [rule(1.5), rule(6)]
    assert board.rows[1].source == "pictures 1, 3"
    # Prompts with and without an edit, each with a seed of its own, as the Erase tab draws them.
    edit = (EditRef(edit="no stars"),)
    sights = [("a star", 3), ("a fish", 4)]
    erased = [Recipe(prompt=prompt, seed=seed, edits=edits) for edits in ((), edit) for prompt, seed in sights]
    board = adding.pictures(boards.new(), pictures(*erased))
    assert board.columns == (Column(prompt="a star", seed=3), Column(prompt="a fish", seed=4)) and len(board.rows) == 2
    # One way, several seeds; several prompts; and what has nothing in common.
    assert len(adding.pictures(boards.new(), pictures(Recipe(seed=1), Recipe(seed=2))).columns) == 2
    apart = pictures(Recipe(prompt="a"), Recipe(prompt="b"), Recipe(steps=3))
    board = adding.pictures(boards.new(), apart)
    assert board.columns == columns.OWN and [row.value.recipe for row in board.rows] == [one.recipe for one in apart]
    with pytest.raises(BadInput, match="No picture is chosen"):
        adding.pictures(boards.new(), [])


def test_where_columns_say_the_seed_pictures_of_other_seeds_are_one_row() -> None:
    board = adding.pictures(
        replace(TWO, columns=(Column(seed=1), Column(seed=2))), pictures(Recipe(seed=5), Recipe(seed=6))
    )
    assert len(board.rows) == 3 and board.columns == (Column(seed=1), Column(seed=2))
