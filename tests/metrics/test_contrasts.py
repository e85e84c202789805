"""Contrasts: exact values where they are known, and nothing said that the numbers cannot carry."""

from __future__ import annotations

import math
from itertools import product

import pytest

from studio.metrics.contrasts import ALPHA, contrast, estimate, holm, more_units, sign_flip_p, unit_means
from studio.metrics.intervals import wilson


def by_unit(values: list[float]) -> dict[int, float]:
    return dict(enumerate(values))


def test_seeds_of_a_prompt_are_one_unit() -> None:
    assert unit_means([1.0, 3.0, 5.0], ["a", "b", "a"]) == {"a": 3.0, "b": 3.0}
    with pytest.raises(ValueError):
        unit_means([1.0], ["a", "b"])


def test_an_estimate_has_its_n_and_no_interval_of_two_units() -> None:
    assert estimate([0.5, 1.0]) == (pair := estimate([0.5, 1.0])) and (pair.mean, pair.low, pair.n) == (0.75, None, 2)
    shares = estimate([1.0, 1.0, 1.0, 0.0], is_share=True)
    assert (shares.mean, shares.low, shares.high, shares.n) == (0.75, *wilson(3, 4), 4)
    certain = estimate([1.0] * 5, is_share=True)
    assert certain.high == 1.0 and certain.low is not None and certain.low < 0.6  # five of five are no certainty
    spread = estimate([0.2, 0.4, 0.6, 0.8])
    assert spread.low is not None and spread.high is not None
    assert 0.2 <= spread.low < spread.mean < spread.high <= 0.8 and spread == estimate([0.2, 0.4, 0.6, 0.8])
    with pytest.raises(ValueError):
        estimate([])


@pytest.mark.parametrize(
    "differences", [[1.0], [1.0, 1.0], [1.0, -2.0, 0.0, 3.0], [0.1] * 8, [3.0, 1.0, -0.5, 2.0, 1.5]]
)
def test_the_sign_flip_test_is_the_share_of_all_signs(differences: list[float]) -> None:
    nonzero = [abs(value) for value in differences if value]
    sums = [
        abs(math.fsum(s * v for s, v in zip(signs, nonzero, strict=True)))
        for signs in product((1, -1), repeat=len(nonzero))
    ]
    share = sum(value >= abs(math.fsum(differences)) - 1e-9 for value in sums) / len(sums)
    assert sign_flip_p(differences) == pytest.approx(share, abs=1e-12)
    assert sign_flip_p([-value for value in differences]) == sign_flip_p(differences)


def test_known_values_of_the_test_and_its_draws() -> None:
    assert sign_flip_p([]) == sign_flip_p([0.0, 0.0]) == 1.0
    assert sign_flip_p([1.0] * 5) == 2 / 2**5 > ALPHA >= sign_flip_p([1.0] * 6) == 2 / 2**6
    assert sign_flip_p([1.0] * 40) == 1 / 20_001  # no draw of forty coins is all heads
    alternating = [1.0, -1.0] * 20
    assert sign_flip_p(alternating) == 1.0
    # Of 20 coins 15 or more on one side: 2 * sum C(20, k), k from 15, over 2^20; drawn 20,000 times.
    exact = 2 * sum(math.comb(20, k) for k in range(15, 21)) / 2**20
    error = math.sqrt(exact * (1 - exact) / 20_000)
    assert abs(sign_flip_p([1.0] * 15 + [-1.0] * 5) - exact) < 4 * error


def test_holm_is_never_below_its_p_and_keeps_their_order() -> None:
    assert holm([]) == [] and holm([0.04]) == [0.04]
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9, 0.6]) == [1.0, 1.0, 1.0]


def test_an_arm_against_itself_is_exactly_nothing() -> None:
    arm = by_unit([0.2, 0.7, 0.9, 0.1, 0.5, 0.5])
    same = contrast(arm, arm, is_share=True)
    assert same is not None
    assert (same.mean, same.wins, same.losses, same.ties, same.p, same.more) == (0.0, 0, 0, 6, 1.0, None)
    assert (same.low, same.high) == (-0.5, 0.5) and not same.is_told and same.win_interval == (0.0, 1.0)
    unbounded = contrast(arm, arm)
    assert unbounded is not None and unbounded.low is None  # nothing bounds what a seventh may do
    assert contrast(arm, {"other": 1.0}) is None  # type: ignore[dict-item]


def test_units_are_paired_and_those_of_one_arm_alone_do_not_count() -> None:
    arm, against = {"a": 1.0, "b": 2.0, "c": 9.0}, {"b": 1.5, "a": 1.0, "d": 0.0}
    difference = contrast(arm, against)
    assert difference is not None
    assert (difference.mean, difference.n, difference.wins, difference.ties) == (0.25, 2, 1, 1)
    assert difference.low is None
    inverse = contrast(against, arm)
    assert inverse is not None and inverse.mean == -0.25 and inverse.p == difference.p


def test_how_many_more_is_none_where_none_would_tell_and_nothing_where_it_is_told() -> None:
    assert more_units([1.0, 1.1] * 4) == 0
    assert more_units([1.0] * 3) == 3  # six units are the least that can tell
    assert more_units([1.0, -1.0, 1.0, -1.0]) is None and more_units([]) is None and more_units([1.0]) is None
    differences = [1.0, -0.5, 0.4, -0.8, 0.9, 0.1]
    n, mean = len(differences), sum(differences) / len(differences)
    spread = math.sqrt(sum((value - mean) ** 2 for value in differences) / (n - 1))
    assert more_units(differences) == math.ceil((1.959963984540054 * spread / mean) ** 2) - n
