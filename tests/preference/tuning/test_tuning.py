"""Settings by votes: the posterior is where its slope vanishes, sides are no taste, and few questions find much."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from studio.preference.answer import Answer
from studio.preference.tuning.posterior import SLOPE, Posterior, Prior, fit, learn
from studio.preference.tuning.questions import Box, best_point, expected_best, next_question, random_question, samples
from studio.preference.tuning.simulated import SimulatedVoter
from studio.preference.tuning.standing import along, stand
from studio.preference.tuning.votes import Vote, vote_of
from tests.tolerance import rounding

BOX = Box((41, 41))
START = (0.5, 0.5)


def some_votes(count: int, size: int = 2, seed: int = 0, dims: int = 2) -> list[Vote]:
    """Votes of two people about points drawn at random, ties and slight ones among them."""
    rng = np.random.default_rng(seed)
    votes: list[Vote] = []
    for number in range(count):
        points = [tuple(map(float, row)) for row in rng.random((size, dims))]
        order = [int(place) for place in rng.permutation(size)]
        is_tie = size == 2 and number % 4 == 3
        chosen = int(rng.integers(size))
        answer = (
            Answer.pair("tie" if is_tie else ("first", "second")[chosen]) if size == 2 else Answer.best(chosen, size)
        )
        vote = vote_of(points, answer, order, annotator="ab"[number % 2], weight=(1.0, 0.5)[number % 3 == 0])
        assert vote is not None
        votes.append(vote)
    return votes


def swapped(vote: Vote, mirrored: bool = False) -> Vote:
    """The same with the pictures named in the other order; mirrored: also on the screen."""
    highest = len(vote.positions) - 1
    positions = [highest - place if mirrored else place for place in vote.positions]
    return Vote(vote.points[::-1], vote.shares[::-1], tuple(positions[::-1]), vote.annotator, vote.weight)


@pytest.mark.parametrize("size", [2, 4])
def test_the_slope_of_the_posterior_vanishes_at_its_mode(size: int) -> None:
    """Of -f K^-1 f / 2 - b.b / 2s^2 + sum of w y.log softmax(f + b): f = K g and b = s^2 g, g being the slope of the
    last term."""
    votes, prior = some_votes(9, size), Prior(amplitude=1.5, length=0.3)
    posterior = fit(votes, prior)
    places = {tuple(point): place for place, point in enumerate(posterior.points)}
    sides = {key: place for place, key in enumerate(posterior.sides)}
    utilities = posterior.factor @ posterior.mode[: len(places)]
    side_values = prior.side * posterior.mode[len(places) :]
    slope, side_slope = np.zeros(len(places)), np.zeros(len(sides))
    for vote in votes:
        at = [places[point] for point in vote.points]
        beside = [sides[vote.annotator, position] for position in vote.positions]
        powers = np.exp(utilities[at] + side_values[beside])
        difference = vote.weight * (np.array(vote.shares) - powers / powers.sum())
        np.add.at(slope, at, difference)
        np.add.at(side_slope, beside, difference)
    tolerance = SLOPE * float(np.abs(posterior.factor).sum(1).max()) + rounding(torch.float64, 1e4, 10.0)
    assert np.abs(posterior.factor @ posterior.factor.T @ slope - utilities).max() < tolerance
    assert np.abs(prior.side**2 * side_slope - side_values).max() < tolerance


def test_one_vote_moves_the_utility_to_where_a_scalar_equation_says() -> None:
    """Of a single pair the difference d of variance v has its mode at d = v sigma(-d), and variance v / (1 + v p q)."""
    first, second, prior = (0.2,), (0.8,), Prior(amplitude=1.7, length=0.4)
    posterior = fit([Vote((first, second), (1.0, 0.0))], prior)
    variance = 2 * prior.amplitude**2 * (1 - math.exp(-(0.6**2) / (2 * prior.length**2)))
    low, high = 0.0, variance
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if middle < variance / (1 + math.exp(middle)) else (low, middle)
    mean, covariance = posterior.predict(np.array([first, second]))
    # The prior has a jitter of 1e-8 of its variance.
    assert abs(mean[0] - mean[1] - low) < 1e-6
    p = 1 / (1 + math.exp(-low))
    spread = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert abs(spread - variance / (1 + variance * p * (1 - p))) < 1e-6


def side_values(posterior: Posterior) -> dict[tuple[str, int], tuple[float, float]]:
    """(annotator, place on the screen) -> what it is worth to them in logits, and its standard error."""
    count, spread = len(posterior.points), posterior.prior.side
    values, errors = spread * posterior.mode[count:], spread * np.sqrt(posterior.inverse.diagonal()[count:])
    return dict(zip(posterior.sides, zip(values.tolist(), errors.tolist(), strict=True), strict=True))


def test_swapping_sides_changes_no_taste() -> None:
    votes, grid = some_votes(12), np.random.default_rng(1).random((5, 2))
    plain, renamed, mirrored = (
        fit(these) for these in (votes, [*map(swapped, votes)], [swapped(vote, mirrored=True) for vote in votes])
    )
    tolerance = (
        100 * SLOPE
    )  # to where Newton's method goes: a hundred times, for it is far from the mode in other units
    for other in (renamed, mirrored):
        for left, right in zip(plain.predict(grid), other.predict(grid), strict=True):
            assert np.abs(left - right).max() < tolerance
    for (name, place), (value, _) in side_values(plain).items():
        assert abs(side_values(renamed)[name, place][0] - value) < tolerance
        assert abs(side_values(mirrored)[name, 1 - place][0] - value) < tolerance


def test_who_always_takes_the_left_one_has_a_side_and_no_taste() -> None:
    rng = np.random.default_rng(3)
    votes: list[Vote] = []
    for number in range(40):
        order = [number % 2, 1 - number % 2]
        points = [tuple(map(float, row)) for row in rng.random((2, 2))]
        vote = vote_of(points, Answer.pair(("first", "second")[order[0]]), order, "ann")
        assert vote is not None
        votes.append(vote)
    posterior = learn(votes)
    values = side_values(posterior)
    left, error = values["ann", 0]
    assert left > 2 * error and values["ann", 1][0] < 0
    standing = stand(posterior, BOX, START, len(votes))
    assert not standing.is_better


def test_a_further_win_makes_the_winner_likelier_and_a_tie_draws_both_together() -> None:
    pair = ((0.2, 0.3), (0.7, 0.6))

    def gap(*shares: tuple[float, float]) -> float:
        mean, _ = fit([Vote(pair, share) for share in shares]).predict(np.array(pair))
        return float(mean[0] - mean[1])

    win, tie, loss = (1.0, 0.0), (0.5, 0.5), (0.0, 1.0)
    gaps = [gap(loss, loss), gap(loss), gap(tie), gap(win), gap(win, win), gap(win, win, win)]
    assert gaps == sorted(gaps) and len(set(gaps)) == len(gaps)
    assert abs(gap(tie)) < 1e-9 and 0 < gap(win, tie) < gap(win)


def test_what_is_pending_narrows_what_is_known_and_moves_nothing() -> None:
    votes, grid = some_votes(6), np.random.default_rng(2).random((7, 2))
    pending = [((0.1, 0.9), (0.9, 0.1))]
    (mean, before), (same, after) = fit(votes).predict(grid), fit(votes, pending=pending).predict(grid)
    assert np.abs(mean - same).max() < rounding(torch.float64, 1e4, 10.0)
    values = np.linalg.eigvalsh(before - after)
    assert values.min() > -1e-9 and values.max() > 1e-3


def test_the_expected_best_of_two_is_what_drawing_gives() -> None:
    mean, covariance = fit(some_votes(8)).predict(np.random.default_rng(4).random((3, 2)))
    drawn = samples(mean, covariance, 40_000, np.random.default_rng(5))
    utility = expected_best(mean, covariance)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        best = drawn[:, [i, j]].max(1)
        assert abs(utility[i, j] - best.mean()) < 5 * best.std() / math.sqrt(len(best))
        assert utility[i, j] == utility[j, i] >= max(mean[i], mean[j])


@pytest.mark.parametrize("size", [2, 4])
def test_a_question_is_of_settings_there_are_and_the_same_again_from_its_seed(size: int) -> None:
    posterior = learn(some_votes(6, size))
    questions = [next_question(posterior, BOX, START, size, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert questions[0] == questions[1] != questions[2]
    asked_before = {tuple(point) for point in posterior.points}
    for question in questions:
        assert len(set(question)) == size
        fresh = np.array([point for point in question if point not in asked_before] or [START])
        assert np.array_equal(BOX.snapped(fresh), fresh)
    # With that question pending, another is asked.
    known = fit(some_votes(6, size), posterior.prior, [questions[0]] * 3)
    assert next_question(known, BOX, START, size, np.random.default_rng(1)) != questions[0]


def test_the_standing_says_what_is_known_of_the_best_and_of_what_is_left_to_gain() -> None:
    unknown = stand(learn([], dims=2), BOX, START, 0)
    assert unknown.gain.expected > 0.6 and not unknown.is_enough and not unknown.is_better
    best = (0.25, 0.75)
    rng, votes = np.random.default_rng(6), list[Vote]()
    voter = SimulatedVoter(best, clarity=20.0)
    for _ in range(80):
        points = random_question(BOX, 4, rng)
        vote = vote_of(points, voter.answer(points, rng))
        assert vote is not None
        votes.append(vote)
    posterior = learn(votes)
    standing = stand(posterior, BOX, START, len(votes))
    assert standing == stand(posterior, BOX, START, len(votes))
    assert standing.is_better and standing.gain.expected < unknown.gain.expected
    for value, (low, high), wanted in zip(standing.best, standing.spread, best, strict=True):
        assert low <= high and abs(value - wanted) < 0.15
    for share in (standing.gain, standing.against_start):
        assert 0 <= share.low <= share.expected <= share.high <= 1
    values = np.linspace(0, 1, 5)
    expected, low, high = along(posterior, standing.best, START, 0, values)
    assert ((low <= expected) & (expected <= high)).all() and expected.argmax() == 1
    assert best_point(posterior, BOX, START, np.random.default_rng(0)) == pytest.approx(standing.best, abs=0.1)


def test_fewer_votes_find_the_best_than_by_questions_drawn_at_random() -> None:
    """Share of votes that the true best would win against what is proposed, after 12 to 18 votes of ten people."""
    gains: list[float] = []
    for seed in range(24, 34):
        best = tuple(map(float, np.random.default_rng([seed, 1]).uniform(0.1, 0.9, 2)))
        voter = SimulatedVoter(best, clarity=16.0)
        lost: list[float] = []
        for is_chosen in (True, False):
            votes, noise, shares = list[Vote](), np.random.default_rng([seed, 2]), list[float]()
            for number in range(18):
                rng = np.random.default_rng([seed, number])
                if is_chosen and number >= 4:
                    points = next_question(fit(votes), BOX, START, 2, rng)
                else:
                    points = random_question(BOX, 2, rng)
                vote = vote_of(points, voter.answer(points, noise))
                assert vote is not None
                votes.append(vote)
                if len(votes) in (12, 15, 18):
                    proposed = best_point(fit(votes), BOX, START, rng)
                    shares.append(1 / (1 + math.exp(voter.utility(proposed))) - 0.5)
            lost.append(float(np.mean(shares)))
        gains.append(lost[1] - lost[0])
    mean, error = float(np.mean(gains)), float(np.std(gains, ddof=1)) / math.sqrt(len(gains))
    assert mean - 2.262 * error > 0, (mean, error, gains)  # 95 % of Student's t with 9 degrees of freedom
