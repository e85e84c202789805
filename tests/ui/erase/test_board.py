from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from studio.core.errors import BadInput
from studio.training.erase.preview import Sight
from studio.ui.erase import board as boards
from studio.ui.erase.board import Board, Trial
from studio.ui.live import Drawing
from tests.ui.guidance.test_board import plain as plain_values

SIGHT = Sight(role="concept", prompt="a star")
TRIAL = Trial(
    model="stencil",
    concepts=(("star", "heart"),),
    sights=(SIGHT,),
    seed=3,
    job="a",
    edit="no-star-0123",
    base="b",
    drawn=Drawing(job="c", edit="no-star-0123", strength=0.5),
    strength=0.25,
)


def test_what_a_browser_kept_is_the_board_it_was() -> None:
    board = boards.new()
    for op, id, value in (
        ("add", 0, None),
        ("words", 2, " neon  light "),
        ("kind", 2, "style"),
        ("synonyms", 2, "a, b"),
    ):
        board = boards.change(board, op, id, value)
    board = replace(board, trial=TRIAL)
    assert boards.read(boards.plain(board)) == board
    assert board.rows[2].concept == {"words": "neon light", "substitute": "", "kind": "style", "synonyms": ["a", "b"]}
    assert board.trial is not None and board.trial.jobs == {"a", "b", "c"}


@given(plain_values)
def test_whatever_a_browser_kept_there_is_a_board(value: Any) -> None:
    assert isinstance(boards.read(value), Board)


@pytest.mark.parametrize("trial", [{"model": 3}, {**TRIAL.model_dump(mode="json"), "strength": 7}, {"sights": "x"}])
def test_a_board_with_a_trial_that_is_none_is_a_new_one(trial: Any) -> None:
    assert boards.read({**boards.plain(boards.new()), "trial": trial}) == boards.new()


def test_what_cannot_be_done_to_a_row_is_refused() -> None:
    with pytest.raises(BadInput, match="not there any more"):
        boards.change(boards.new(), "words", 9, "ring")
    with pytest.raises(BadInput, match="must be"):
        boards.change(boards.new(), "kind", 1, "sound")
    with pytest.raises(BadInput, match="has to stay"):
        boards.change(boards.new(), "remove", 1)
    with pytest.raises(BadInput, match="at most|1000"):
        boards.change(boards.new(), "words", 1, "x" * 2000)
    for wrong in (True, "1", 1.6, -0.1, float("nan"), None):
        with pytest.raises(BadInput, match="from 0 to 1.5"):
            boards.strength(wrong)
