"""Ratings of recipes from who beat whom: Bradley-Terry of all games at once, with intervals.

Elo and TrueSkill (studio.preference.trueskill), which are had as games come, depend on the order of the games.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

ELO_SCALE = 400 / math.log(10)  # rating points in a logit
PRIOR_GAMES = 0.2
RESAMPLES = 1000

Floats = npt.NDArray[np.float64]


class Game(NamedTuple):
    """One comparison of two players, by number. score: of the first, 1 a win, 0.5 a draw, 0 a loss.

    weight: what it counts.
    """

    first: int
    second: int
    score: float
    weight: float = 1.0


@dataclass(frozen=True)
class Rating:
    """Of one player, in logits around the mean of all; times ELO_SCALE in Elo's points.

    value: maximum likelihood.
    low, high: 95 % interval by bootstrap over games.
    games: how many it took part in.
    """

    value: float
    low: float
    high: float
    games: int


def bradley_terry(
    games: Sequence[Game],
    players: int,
    *,
    prior_games: float = PRIOR_GAMES,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Rating]:
    """Ratings by maximum likelihood; a draw is half a win of each.

    prior_games: how many drawn games each player has against an average one besides, which keeps the rating of one
        that never lost finite; 0 for none.
    resamples: of the bootstrap; 0 gives intervals of no width. seed: of them.
    Raises ValueError for a player's number, a score or a weight out of range, and without prior games where somebody
    won or lost all, or was compared with nobody: then there is no maximum.
    Source: Bradley, Terry, Biometrika 39 (1952); Hunter, Ann. Statist. 32 (2004), section 1, for when one exists.
    """
    first, second, score, weight = _columns(games, players)
    wins = np.zeros((players, players))
    np.add.at(wins, (first, second), weight * score)
    np.add.at(wins, (second, first), weight * (1 - score))
    if prior_games <= 0 and not _has_maximum(wins):
        raise ValueError("without prior games every player must have won and lost against the rest")
    values = _maximum(wins[None], prior_games)[0]
    played = np.bincount(np.concatenate([first, second]), minlength=players)
    if not resamples or not len(games):
        return [
            Rating(float(value), float(value), float(value), int(n)) for value, n in zip(values, played, strict=True)
        ]
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(len(games), np.full(len(games), 1 / len(games)), size=resamples) * weight  # [R, games]
    resampled = np.zeros((resamples, players, players))
    for game in range(len(games)):
        resampled[:, first[game], second[game]] += counts[:, game] * score[game]
        resampled[:, second[game], first[game]] += counts[:, game] * (1 - score[game])
    # A resample may leave somebody without a loss; that is what the prior is for, and here there always is one.
    low, high = np.percentile(_maximum(resampled, max(prior_games, 1e-3)), [2.5, 97.5], axis=0)
    return [
        Rating(float(value), float(bottom), float(top), int(n))
        for value, bottom, top, n in zip(values, low, high, played, strict=True)
    ]


def _columns(
    games: Sequence[Game], players: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Floats, Floats]:
    for game in games:
        if not 0 <= game.first < players or not 0 <= game.second < players or game.first == game.second:
            raise ValueError(f"a game is between two of the {players} players, not {game.first} and {game.second}")
        if not 0 <= game.score <= 1 or not 0 <= game.weight < math.inf:
            raise ValueError(f"a score lies in 0..1 and a weight above 0, not {game.score} and {game.weight}")
    table = np.array([tuple(game) for game in games], dtype=np.float64).reshape(-1, 4)
    return table[:, 0].astype(np.int64), table[:, 1].astype(np.int64), table[:, 2], table[:, 3]


def _has_maximum(wins: Floats) -> bool:
    """Whether from each player a chain of wins leads to every other."""
    reach = (wins > 0) | np.eye(len(wins), dtype=bool)
    for _ in range(len(wins)):
        reach = (reach.astype(np.int64) @ reach.astype(np.int64)) > 0
    return bool(reach.all())


def _maximum(wins: Floats, prior_games: float) -> Floats:
    """Ratings [R, K] of R tables of wins [R, K, K], by Newton's method; centred."""
    tables, players = wins.shape[:2]
    ratings: Floats = np.zeros((tables, players))
    everybody = range(players)
    played = wins + wins.transpose(0, 2, 1)
    for _ in range(100):
        expected = 1 / (1 + np.exp(ratings[:, None, :] - ratings[:, :, None]))  # that the row beats the column
        at_prior = 1 / (1 + np.exp(-ratings))
        gradient = (wins - played * expected).sum(2) + prior_games * (0.5 - at_prior)
        curvature = played * expected * (1 - expected)
        hessian = -curvature
        hessian[:, everybody, everybody] += curvature.sum(2) + prior_games * at_prior * (1 - at_prior) + 1e-12
        if prior_games <= 0:
            hessian += 1 / players  # ratings are known up to a constant: their mean is held at 0
        step = _solved(hessian, gradient)
        ratings += step / np.maximum(1, np.abs(step).max(1, keepdims=True))  # far away a full step may overshoot
        if np.abs(step).max() < 1e-10:
            break
    return ratings - ratings.mean(1, keepdims=True)


def _solved(matrices: Floats, vectors: Floats) -> Floats:
    return np.asarray(np.linalg.solve(matrices, vectors[:, :, None])[:, :, 0], dtype=np.float64)
