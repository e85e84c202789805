"""Lists ranked by pairs: everybody meets somebody new of equal standing, and the best comes out."""

from __future__ import annotations

from random import Random

import pytest

from studio.preference.swiss import Game, next_pairs, rounds, scores


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
        if count & (count - 1) == 0:  # nobody is left over: who wins every game is the best, and alone
            points = scores(count, games)
            assert [number for number in range(count) if points[number] == max(points)] == [strength.index(count - 1)]


def test_who_has_more_points_stands_before_and_left_over_counts_half() -> None:
    games = [Game(0, 1, 1.0), Game(2, 3, 0.5)]
    assert scores(5, games) == [1.0, 0.0, 0.5, 0.5, 0.5]
    assert next_pairs(5, games) == [(0, 2), (3, 4)]  # and the loser is left over
