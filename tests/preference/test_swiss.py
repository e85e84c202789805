"""Lists ranked by pairs: everybody meets somebody new of equal standing, and the true order comes out."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import pytest

from studio.preference.swiss import Game, next_pairs, ranking, rounds, scores


def play(count: int, strength: list[int]) -> tuple[list[Game], list[list[tuple[int, int]]]]:
    games: list[Game] = []
    played: list[list[tuple[int, int]]] = []
    for _ in range(rounds(count)):
        pairs = next_pairs(count, games)
        games += [Game(first, second, float(strength[first] > strength[second])) for first, second in pairs]
        played.append(pairs)
    return games, played


@pytest.mark.parametrize("count", range(2, 17))
def test_each_round_pairs_everybody_with_somebody_new_and_the_best_comes_out_first(count: int) -> None:
    for seed in range(20):
        strength = Random(seed).sample(range(count), count)
        games, played = play(count, strength)
        for pairs in played:
            numbers = [number for pair in pairs for number in pair]
            assert len(numbers) == len(set(numbers)) == count - count % 2
        assert len({frozenset(game[:2]) for game in games}) == len(games) == len(played) * (count // 2)
        ranks = ranking(count, games)
        assert sorted(set(ranks)) == list(range(1, max(ranks) + 1))
        if count & (count - 1) == 0:  # nobody is left over: who wins every game is the best, and alone
            best = strength.index(count - 1)
            assert [number for number, rank in enumerate(ranks) if rank == 1] == [best]


def test_who_has_more_points_stands_before_and_left_over_counts_half() -> None:
    games = [Game(0, 1, 1.0), Game(2, 3, 0.5)]
    assert scores(5, games) == [1.0, 0.0, 0.5, 0.5, 0.5]
    assert ranking(5, games) == (1, 4, 2, 2, 3)  # the last has met nobody, the two before it each other
    assert next_pairs(5, games) == [(0, 2), (3, 4)]  # and the loser is left over


def test_a_whole_order_from_pairs_agrees_with_the_strengths() -> None:
    """Of random lists of eight, neighbours in true strength that are far apart in standing are rare."""
    agreeing = total = 0
    for seed in range(50):
        strength = Random(seed).sample(range(8), 8)
        ranks = ranking(8, play(8, strength)[0])
        order = sorted(range(8), key=lambda number: -strength[number])
        agreeing += sum(ranks[better] <= ranks[worse] for better, worse in pairwise(order))
        total += 7
    assert agreeing / total > 0.8
