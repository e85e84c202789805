"""Ratings: closed forms, and intervals that cover."""

from __future__ import annotations

import math

import numpy as np
import pytest

from studio.preference.ratings import Game, bradley_terry

WIN, DRAW, LOSS = 1.0, 0.5, 0.0


def test_bradley_terry_of_two_is_the_log_of_the_odds() -> None:
    games = [Game(0, 1, WIN)] * 30 + [Game(1, 0, WIN)] * 9 + [Game(0, 1, DRAW)] * 2
    first, second = bradley_terry(games, 2, prior_games=0)
    assert first.value - second.value == pytest.approx(math.log(31 / 10))
    assert first.low < first.value < first.high and first.games == 41
    heavier = [Game(*game[:3], weight=2.0) for game in games]
    assert bradley_terry(heavier, 2, prior_games=0)[0].value == pytest.approx(first.value)
    assert bradley_terry(games, 2) == bradley_terry(games, 2)  # seeded


def test_bradley_terry_finds_ratings_and_its_intervals_cover_them() -> None:
    truth = np.array([1.2, 0.4, -0.3, -1.3])
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(30):
        pairs = [rng.choice(4, 2, replace=False) for _ in range(400)]
        games = [Game(int(a), int(b), float(rng.random() < 1 / (1 + np.exp(truth[b] - truth[a])))) for a, b in pairs]
        ratings = bradley_terry(games, 4, resamples=200)
        assert np.argsort([rating.value for rating in ratings]).tolist() == [3, 2, 1, 0]
        covered += sum(rating.low <= value <= rating.high for rating, value in zip(ratings, truth, strict=True))
    assert covered / 120 > 0.95 - 3 * (0.95 * 0.05 / 30) ** 0.5  # ratings of one run are alike: 30 are independent


def test_somebody_who_never_lost_has_a_rating_only_with_a_prior() -> None:
    games = [Game(0, 1, WIN)] * 5
    with pytest.raises(ValueError, match="won and lost"):
        bradley_terry(games, 2, prior_games=0)
    best, worst = bradley_terry(games, 2)
    assert math.isfinite(best.value) and best.value > 1 > worst.value
    assert [rating.value for rating in bradley_terry([], 2)] == [0, 0]


@pytest.mark.parametrize("game", [Game(0, 0, WIN), Game(0, 2, WIN), Game(0, 1, 1.5), Game(0, 1, WIN, -1)])
def test_games_that_cannot_be_are_refused(game: Game) -> None:
    with pytest.raises(ValueError):
        bradley_terry([game], 2)
