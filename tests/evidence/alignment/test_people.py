"""Simulated people, what pictures are worth to them, and what is counted of pictures made by hand."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from studio.evidence.alignment.choice import Point, chosen
from studio.evidence.alignment.outcome import accurate, of_open, toned
from studio.evidence.alignment.people import CLEAN, COLOUR, LEFT, NOISY, PEOPLE, STYLE, ceiling, wins
from studio.evidence.alignment.prompts import Prompts, open_cases, pool_cases, stated_cases
from studio.evidence.alignment.sizes import FULL, QUICK
from studio.evidence.taste.annotators import TIE_WIDTH, Asked
from studio.metrics.diversity import variety
from tests.evidence.alignment.making import facts, results


def test_pictures_are_worth_what_the_taste_says() -> None:
    pictures = [facts("neon", "blue"), facts("shaded", "red", 0.5), facts("flat", "orange", 1.0)]
    for person in (STYLE, NOISY, LEFT):
        assert person.worth(pictures).tolist() == [2, 1, 0]
    assert COLOUR.worth(pictures).tolist() == [0, -2, -2]
    worth = CLEAN.worth(pictures)
    assert worth[0] == pytest.approx(-math.log(0.1 / 0.9) / 2) and worth[1] == pytest.approx(0) and worth[2] < -5
    assert np.isfinite(worth).all() and len({person.name for person in PEOPLE}) == len(PEOPLE)


def test_a_win_is_beyond_what_would_be_called_a_tie() -> None:
    base = np.array([0.0, 0.0, 0.0, 2.0])
    assert wins(np.array([2.0, 0.5, -2.0, 2.0]), base).tolist() == [1, 0.5, 0, 0.5]
    # As good as the best of the base: what it has itself cannot be won.
    assert ceiling(base).tolist() == [1, 1, 1, 0.5] and ceiling(np.zeros(3)).tolist() == [0.5] * 3


def test_some_answer_badly() -> None:
    def shares(left: float, flipped: float, worth: tuple[float, float]) -> tuple[float, float]:
        """Of decided answers, for the picture on the left, and for the first."""
        asked = Asked(["p"] * 2, ["a", "b"], np.array(worth), left, flipped)
        labels = [asked.answer((0, 1), number, np.random.default_rng((1, number))) for number in range(2000)]
        decided = [label for label in labels if label.answer.outcome != "tie"]
        firsts = [label.answer.outcome == "first" for label in decided]
        lefts = [is_first == (label.order[0] == 0) for is_first, label in zip(firsts, decided, strict=True)]
        return float(np.mean(lefts)), float(np.mean(firsts))

    error = 3 * 0.5 / 600**0.5  # three standard deviations of the smallest number of decided answers
    assert shares(0, 0, (0, 0)) == pytest.approx((0.5, 0.5), abs=error)
    # Of equals the left one's odds move by as much as a tie is wide: P(d > 0) against P(d < -3).
    above, below = 0.5, 1 / (1 + math.exp(2 * TIE_WIDTH))
    assert shares(TIE_WIDTH, 0, (0, 0)) == pytest.approx((above / (above + below), 0.5), abs=error)
    assert shares(0, 0.25, (4, 0))[1] == pytest.approx(0.75, abs=error)


def test_ranks_follow_what_is_felt() -> None:
    asked, rng = Asked(["p"] * 4, list("abcd"), np.array([0.0, 40.0, 20.0, 60.0])), np.random.default_rng(0)
    assert all(asked.rank((0, 1, 2, 3), rng) == (4, 2, 3, 1) for _ in range(20))
    even = Asked(["p"] * 2, list("ab"), np.array([1.0, 0.0]))
    firsts = sum(even.rank((0, 1), rng) == (1, 2) for _ in range(3000)) / 3000
    assert firsts == pytest.approx(1 / (1 + math.exp(-2.5)), abs=3 * (0.92 * 0.08 / 3000) ** 0.5)


def test_no_prompt_is_in_two_sets_and_no_seed_is_drawn_twice() -> None:
    for sizes in (FULL, QUICK):
        prompts = Prompts.of(sizes)
        sets = [{prompt.text for prompt in part} for part in (prompts.labelled, prompts.tuned, prompts.test)]
        assert [len(part) for part in sets] == [sizes.prompts, sizes.tuned, sizes.test]
        assert len(set.union(*sets)) == sum(map(len, sets))
    prompts = Prompts.of(QUICK)
    cases = open_cases(prompts.test, 3, 100)
    assert [case.seed for case in cases] == list(range(100, 100 + 3 * QUICK.test))
    pool = pool_cases(prompts.labelled[:2], plain=1, worded=2)
    assert [text == case.prompt for text, case in pool] == [True, False, False] * 2
    assert all(case.expectation is not None and case.expectation.style for case in stated_cases(4))
    with pytest.raises(ValueError, match="84 open prompts"):
        Prompts.of(replace(FULL, test=60))


def test_what_is_counted_of_pictures_is_by_prompt() -> None:
    base = results(facts("flat"), facts("neon"), facts("flat", "blue", 0.9), facts("flat", "blue", 0.2))
    edited = results(facts("neon"), facts("neon"), facts("flat", "blue", 0.2), facts("shaded", "blue", 0.9))
    values = of_open(STYLE, edited, base)
    assert values["win"] == [0.75, 0.75] and (values["won"], values["lost"], values["pictures"]) == (2, 0, 4)
    assert values["ceiling"] == [0.75, 1.0]
    assert values["invalid"] == [0, 0.5] == values["invalid_base"]
    assert values["diversity"][0] == 0 < values["diversity_base"][0] and values["vendi"][0] == pytest.approx(1)
    assert values["sdi"] == values["sdi_base"] == [0, 0] and values["pvs"] == [0, 0]
    assert values["styles"] == pytest.approx(variety(["neon", "neon", "flat", "shaded"]), abs=1e-4)
    assert accurate(base) == [(1 + 0.75) / 2, 0.75]


def test_tones_move_in_spreads_of_the_base() -> None:
    levels = (0.2, 0.4, 0.6, 0.8)
    base = results(*(facts(saturation=level, contrast=level, colourfulness=level) for level in levels))
    edited = results(*(facts(saturation=level + 0.1, contrast=level, colourfulness=level) for level in levels))
    moved = toned(edited, base)
    assert moved["saturation"][0] == pytest.approx(0.1 / np.std(levels), abs=1e-3)
    assert moved["contrast"][0] == moved["colourfulness"][0] == 0


def test_the_strength_is_the_one_that_wins_most_of_what_costs_little() -> None:
    cheap, dear, narrow = Point(0.5, 0.6, 0.02, 1.0), Point(1.0, 0.8, 0.2, 1.2), Point(0.7, 0.7, 0.0, 0.6)
    assert chosen([cheap, dear, narrow]) == cheap and not dear.is_sound and not narrow.is_sound
    assert chosen([dear, narrow]) == narrow, "where all cost too much, the one with the fewest broken"
    assert chosen([Point(1.0, 0.6, 0.0, 1.0), cheap]).strength == 0.5, "of equals the weakest"
