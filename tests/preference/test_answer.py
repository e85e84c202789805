"""Answers: what they compare, and what is refused."""

from __future__ import annotations

import pytest

from studio.core.errors import BadInput
from studio.preference.answer import OUTCOMES, Answer, Comparison, Judgement


def test_outcomes_of_pairs_are_read_back() -> None:
    for outcome in OUTCOMES:
        answer = Answer.pair(outcome)
        assert answer.outcome == outcome
        assert Answer.load(answer.as_json()) == answer
    assert Answer.pair("skip").skipped and not Answer.pair("tie").skipped


def test_a_pair_compares_ties_and_judges() -> None:
    assert Answer.pair("second").comparisons() == [Comparison(1, 0, 1.0)]
    for outcome, good in (("tie", None), ("both_good", True), ("both_bad", False)):
        answer = Answer.pair(outcome)
        assert (answer.comparisons(), answer.ties()) == ([], [(0, 1)])
        assert answer.judgements(2) == ([] if good is None else [Judgement(0, good), Judgement(1, good)])


def test_the_best_of_four_beats_three_who_were_not_compared() -> None:
    answer = Answer.best(2, 4)
    assert {(c.winner, c.loser) for c in answer.comparisons()} == {(2, 0), (2, 1), (2, 3)}
    assert sum(c.weight for c in answer.comparisons()) == pytest.approx(1)
    assert answer.ties() == []


def test_best_and_worst_leave_those_in_between_uncompared() -> None:
    answer = Answer.best_worst(0, 3, 4)
    pairs = {(c.winner, c.loser) for c in answer.comparisons()}
    assert pairs == {(0, 1), (0, 2), (0, 3), (1, 3), (2, 3)} and answer.ties() == []


def test_a_ranking_has_ties_and_all_ordered_pairs() -> None:
    answer = Answer("ranking", (1, 2, 2, 3))
    assert answer.ties() == [(1, 2)] and len(answer.comparisons()) == 5


@pytest.mark.parametrize(
    "values",
    [
        None,
        {"mode": "vote"},
        {"mode": "pair", "ranks": [1, 2, 3]},
        {"mode": "pair", "ranks": [1, 3]},
        {"mode": "pair", "ranks": [1, 2], "good": True},
        {"mode": "pair", "ranks": [True, 2]},
        {"mode": "pair", "ranks": "12"},
        {"mode": "pair", "winner": 1},
        {"mode": "best", "ranks": [1, 1, 2]},
        {"mode": "best_worst", "ranks": [1, 3]},
        {"mode": "thumb", "ranks": [1]},
        {"mode": "thumb", "good": 1},
        {"mode": "ranking", "ranks": [1]},
        {"mode": "ranking", "ranks": list(range(1, 18))},
    ],
)
def test_what_no_answer_says_is_refused(values: object) -> None:
    with pytest.raises(BadInput):
        Answer.load(values)
