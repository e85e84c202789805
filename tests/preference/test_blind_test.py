"""Blind tests: what counts, how sure it is, and that looking after every answer does no harm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from studio.core.recipe import EditRef, Recipe
from studio.metrics.intervals import wilson
from studio.preference.answer import Answer
from studio.preference.blind_test import ALPHA, Outcome, outcome_of
from studio.preference.label import Label, Picture

OLD = Picture("a" * 64, Recipe(prompt="a star"))
NEW = Picture("b" * 64, Recipe(prompt="a star", edits=(EditRef(edit="taste"),)))


def answered(outcome: str, *, new_first: bool = True, **changes: Any) -> Label:
    pictures = (NEW, OLD) if new_first else (OLD, NEW)
    label = Label("id", 1, "blind", "ann", "a star", pictures, Answer.pair(outcome), purpose="eval")
    return replace(label, **changes)


def test_wins_are_the_new_ones_wherever_it_stood() -> None:
    labels = [
        answered("first"),
        answered("second", new_first=False),
        answered("second"),
        answered("tie"),
        answered("both_bad"),
        answered("skip"),
    ]
    assert outcome_of(labels, "taste") == Outcome(wins=2, losses=1, ties=2, skips=1)


def test_what_was_not_blind_or_is_of_other_pictures_does_not_count() -> None:
    off = Picture("c" * 64, Recipe(edits=(EditRef(edit="taste", strength=0.0),)))
    others = [
        answered("first", is_blind=False),
        answered("first", purpose="check"),
        answered("first", purpose="repeat"),
        answered("first", is_withdrawn=True),
        answered("first", pictures=(OLD, OLD)),
        answered("first", pictures=(off, OLD)),
    ]
    assert outcome_of(others, "taste") == Outcome(0, 0, 0)
    assert outcome_of([answered("first")], "another") == Outcome(0, 0, 0)


def test_the_interval_is_wilsons_where_there_are_no_ties() -> None:
    low, high = wilson(7, 10)
    assert Outcome(7, 3, 0).interval == pytest.approx((low, high), rel=1e-6)
    assert Outcome(0, 0, 0).interval == (0.0, 1.0) and Outcome(0, 0, 0).win_rate is None
    assert Outcome(2, 1, 2).win_rate == pytest.approx(0.6)


def test_evidence_is_the_mixture_over_win_rates() -> None:
    """By adding up over a fine grid of rates what the closed form integrates."""
    rates = (np.arange(200_000) + 0.5) / 200_000
    for wins, losses in ((5, 1), (9, 4), (3, 3)):
        mixture = float(np.mean(rates**wins * (1 - rates) ** losses)) * 2.0 ** (wins + losses)
        assert Outcome(wins, losses, 9).evidence == pytest.approx(mixture, rel=1e-6)
    assert Outcome(0, 0, 0).evidence == pytest.approx(1) and Outcome(1, 0, 0).evidence == pytest.approx(1)


def test_looking_after_every_answer_seldom_calls_equals_different() -> None:
    """Of fair coins, looked at after every toss up to 200: at most ALPHA of the runs ever end decided."""
    random, runs = np.random.default_rng(3), 2000
    ended = 0
    for _ in range(runs):
        tosses = random.random(200) < 0.5
        wins = np.cumsum(tosses)
        ended += any(Outcome(int(won), n - int(won), 0).is_decided for n, won in enumerate(wins, 1) if n % 4 == 0)
    assert ended / runs <= ALPHA + 3 * (ALPHA * (1 - ALPHA) / runs) ** 0.5


def test_it_is_decided_by_wins_in_a_row_and_says_how_many_more_it_takes() -> None:
    first = next(n for n in range(1, 20) if Outcome(n, 0, 0).is_decided)
    assert 2**first / (first + 1) >= 1 / ALPHA > 2 ** (first - 1) / first  # what E comes to of wins alone
    assert Outcome(3, 0, 0).more_needed == first - 3
    assert Outcome(first, 0, 5).verdict == "The new one is preferred."
    assert Outcome(0, first, 0).verdict == "The old one is preferred."
    assert Outcome(2, 2, 1).more_needed is None and Outcome(2, 2, 1).verdict == "Not told apart yet."
    assert "more decided answers" in Outcome(6, 3, 0).verdict
    assert Outcome(0, 0, 4).verdict.startswith("All 4 answers are ties")
    assert Outcome(0, 0, 0).verdict == "Nothing has been answered yet."
