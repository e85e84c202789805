"""TrueSkill of two players: what is believed of each one's skill, game by game.

It depends on the order of the games, which is why recipes are put in order by Bradley-Terry
(studio.preference.ratings); it is what other rankers of pictures show.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

from studio.preference.ratings import Game

_NORMAL = NormalDist()


class Skill(NamedTuple):
    """What is believed of a player's skill: mean and standard deviation."""

    mean: float = 25.0
    sd: float = 25 / 3


@dataclass(frozen=True)
class TrueSkill:
    """Two-player TrueSkill. Source: Herbrich, Minka, Graepel, "TrueSkill" (NIPS 2006), sections 2 and 3.

    beta: standard deviation of a performance around the skill.
    tau: what skills may have moved by between two games.
    draw_probability: of two players of one skill.
    """

    beta: float = 25 / 6
    tau: float = 25 / 300
    draw_probability: float = 0.10

    def update(self, first: Skill, second: Skill, score: float) -> tuple[Skill, Skill]:
        """Both after a game. score: of the first, 1, 0.5 or 0. Raises ValueError for another."""
        if score not in (0, 0.5, 1):
            raise ValueError(f"a game is won (1), drawn (0.5) or lost (0), not {score}")
        if score == 0:
            winner, loser = self.update(second, first, 1)
            return loser, winner
        first, second = (Skill(skill.mean, math.hypot(skill.sd, self.tau)) for skill in (first, second))
        c = math.sqrt(2 * self.beta**2 + first.sd**2 + second.sd**2)
        margin = _NORMAL.inv_cdf((self.draw_probability + 1) / 2) * math.sqrt(2) * self.beta
        v, w = (_win if score == 1 else _draw)((first.mean - second.mean) / c, margin / c)
        return (
            Skill(first.mean + first.sd**2 / c * v, first.sd * math.sqrt(max(1e-9, 1 - first.sd**2 / c**2 * w))),
            Skill(second.mean - second.sd**2 / c * v, second.sd * math.sqrt(max(1e-9, 1 - second.sd**2 / c**2 * w))),
        )

    def rate(self, games: Sequence[Game], players: int) -> list[Skill]:
        """Skills after the games, in their order; weights do not count. Raises ValueError as `update`."""
        skills = [Skill()] * players
        for game in games:
            skills[game.first], skills[game.second] = self.update(skills[game.first], skills[game.second], game.score)
        return skills


def _win(t: float, e: float) -> tuple[float, float]:
    """How far a win moves mean and variance (v, w). Far beyond what floats hold, their limits."""
    below = _NORMAL.cdf(t - e)
    v = _NORMAL.pdf(t - e) / below if below > 1e-300 else e - t
    return v, v * (v + t - e)


def _draw(t: float, e: float) -> tuple[float, float]:
    """The same for a draw."""
    between = _NORMAL.cdf(e - t) - _NORMAL.cdf(-e - t)
    if between < 1e-300:
        return (-t - e, 1.0) if t < 0 else (e - t, 1.0)
    v = (_NORMAL.pdf(-e - t) - _NORMAL.pdf(e - t)) / between
    w = v * v + ((e - t) * _NORMAL.pdf(e - t) + (e + t) * _NORMAL.pdf(e + t)) / between
    return v, w
