"""Labels as rows to learn from: who won, what was equal, what was liked, and what each counts."""

from __future__ import annotations

import pytest

from studio.preference.answer import Answer
from studio.training.align.rows import list_size, rows_of
from tests.training.align.making import image, label

WON, LOST, TIE = Answer.pair("first"), Answer.pair("second"), Answer.pair("tie")


def test_a_pair_is_a_row_with_its_winner() -> None:
    rows = rows_of(
        [label(1, WON), label(2, LOST, confidence=0.5), label(3, TIE), label(4, Answer.pair("skip"))], "pairs"
    )
    assert [(row.pictures[""], row.pictures["loser"]) for row in rows] == [
        (image(10), image(11)),
        (image(21), image(20)),
    ]
    assert [row.numbers["weight"] for row in rows] == [1.0, 0.5]
    assert rows[0].prompts == {"prompt": "a star 1"}


def test_ties_are_rows_where_they_are_information() -> None:
    rows = rows_of([label(1, WON), label(2, Answer.pair("both_bad"))], "pairs and ties")
    assert [row.numbers.get("tie", 0.0) for row in rows] == [0.0, 1.0]


def test_the_best_of_four_counts_once_in_all() -> None:
    rows = rows_of([label(1, Answer.best(2, 4), count=4)], "pairs")
    assert {row.pictures[""] for row in rows} == {image(12)} and len(rows) == 3
    assert sum(row.numbers["weight"] for row in rows) == pytest.approx(1)


def test_thumbs_are_paired_across_prompts_and_the_smaller_side_goes_round() -> None:
    liked = [label(number, Answer.thumb(True), count=1) for number in (1, 2, 3)]
    rows = rows_of([*liked, label(4, Answer.thumb(False), count=1)], "thumbs")
    assert [row.pictures[""] for row in rows] == [image(10), image(20), image(30)]
    assert {row.pictures["loser"] for row in rows} == {image(40)}
    assert rows[0].prompts == {"prompt": "a star 1", "other": "a star 4"}
    assert rows_of(liked, "thumbs") == []  # of one side alone nothing can be told apart
    both = rows_of([label(5, Answer.pair("both_good")), label(6, WON)], "thumbs")
    assert {row.pictures[""] for row in both} == {image(50), image(51), image(60)}


def test_lists_are_rows_best_first_and_of_one_length() -> None:
    order = Answer("ranking", (3, 1, 2))
    labels = [
        label(1, order, count=3),
        label(2, order, count=3),
        label(3, Answer("ranking", (1, 1, 2)), count=3),
        label(4, Answer("ranking", (2, 1, 3, 4)), count=4),
    ]
    assert list_size(labels) == 3
    rows = rows_of(labels, "lists")
    assert [tuple(row.pictures.values()) for row in rows] == [
        (image(11), image(12), image(10)),
        (image(21), image(22), image(20)),
    ]
    assert list(rows[0].pictures) == ["", "place 2", "place 3"]
    assert list_size([label(1, WON), label(2, TIE)]) == 2 and list_size([label(2, TIE)]) == 0


def test_how_sure_a_pair_is_goes_with_it() -> None:
    rows = rows_of([label(1, WON), label(2, LOST)], "sure pairs", [0.9, 0.6])
    assert [row.numbers["p"] for row in rows] == [0.9, 0.6]
    assert [row.numbers["p"] for row in rows_of([label(1, WON)], "sure pairs")] == [1.0]
