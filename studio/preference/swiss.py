"""A list ranked by pairs: in each round pictures of equal standing meet that have not met before.

After ceil(log2 n) rounds the best of n is known as surely as from a knock-out, and the rest is ordered as well, in
n/2 * ceil(log2 n) answers instead of n(n-1)/2. This is the Swiss system of tournaments; a picture that is left over in
a round gets half a point, where a tournament gives a whole one: nothing was learned about it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Game(NamedTuple):
    """Two pictures that met. points: of the first, 1 better, 0.5 as good, 0 worse."""

    first: int
    second: int
    points: float


def rounds(count: int) -> int:
    """How many rounds rank `count` (at least 2) pictures."""
    return (count - 1).bit_length()


def scores(count: int, games: Sequence[Game]) -> list[float]:
    """Points of each picture: those of its games, and half a one for each round it was left over in."""
    points, played = [0.0] * count, _played(count, games)
    for game in games:
        points[game.first] += game.points
        points[game.second] += 1 - game.points
    return [score + (max(played) - times) / 2 for score, times in zip(points, played, strict=True)]


def next_pairs(count: int, games: Sequence[Game]) -> list[tuple[int, int]]:
    """Who meets next: each picture at most once, nobody a second time where that can be; deterministic.

    games: of all rounds before. Empty where everybody has met everybody.
    """
    met = {frozenset(game[:2]) for game in games}
    points, played = scores(count, games), _played(count, games)
    order = sorted(range(count), key=lambda number: (-points[number], number))
    if count % 2:
        # Left over is the last of those that were left over least often.
        left_over = max(order, key=lambda number: (played[number], order.index(number)))
        order.remove(left_over)
    return _paired(order, met) or _some_paired(order, met)


def _played(count: int, games: Sequence[Game]) -> list[int]:
    return [sum(number in game[:2] for game in games) for number in range(count)]


def _paired(order: list[int], met: set[frozenset[int]]) -> list[tuple[int, int]]:
    """Pair everybody with the nearest in standing they have not met; empty where that cannot be."""
    if not order:
        return []
    first, rest = order[0], order[1:]
    for place, second in enumerate(rest):
        if frozenset((first, second)) in met:
            continue
        remaining = rest[:place] + rest[place + 1 :]
        pairs = _paired(remaining, met)
        if pairs or not remaining:
            return [(first, second), *pairs]
    return []


def _some_paired(order: list[int], met: set[frozenset[int]]) -> list[tuple[int, int]]:
    """Pair whom one can, from the best down."""
    pairs: list[tuple[int, int]] = []
    waiting = list(order)
    while waiting:
        first = waiting.pop(0)
        second = next((number for number in waiting if frozenset((first, number)) not in met), None)
        if second is not None:
            waiting.remove(second)
            pairs.append((first, second))
    return pairs
