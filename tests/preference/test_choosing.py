"""Which pair comes next: the information it would give, what it must not be, and what is left to chance."""

from __future__ import annotations

import math

import numpy as np
import pytest

from studio.preference.choosing import (
    Proposal,
    bald,
    eligible,
    propose,
    spread_out,
)

PLACES = list(range(100))


def quadrature(mean: float, variance: float) -> float:
    """Bits of information of one answer, by summing over the margin; probit noise, as the closed form has it."""
    z = np.linspace(-8, 8, 4001)
    weight = np.exp(-z * z / 2) / np.exp(-z * z / 2).sum()
    scale = math.sqrt(math.pi / 8)
    p = np.array([(1 + math.erf(x / math.sqrt(2))) / 2 for x in scale * (mean + math.sqrt(variance) * z)])
    p = np.clip(p, 1e-15, 1 - 1e-15)

    def entropy(q: np.ndarray | float) -> np.ndarray | float:
        return -(q * np.log2(q) + (1 - q) * np.log2(1 - q))

    return float(entropy((weight * p).sum()) - (weight * entropy(p)).sum())


@pytest.mark.parametrize("mean", [0.0, 0.5, 1.5])
@pytest.mark.parametrize("variance", [0.3, 1.0, 4.0])
def test_information_is_near_its_integral(mean: float, variance: float) -> None:
    closed = float(bald(np.array([mean]), np.array([variance]))[0])
    assert closed == pytest.approx(quadrature(mean, variance), rel=0.12)


def test_information_is_of_the_unsure_and_not_of_the_equal() -> None:
    equal_and_known, unsure = np.array([0.0, 0.0]), np.array([1e-6, 4.0])
    gain = bald(equal_and_known, unsure)
    assert gain[0] < 1e-3 < 0.1 < gain[1]
    assert (bald(np.array([-40.0, 40.0]), np.array([1.0, 1.0])) < 1e-6).all()
    assert np.allclose(bald(np.array([1.0]), unsure[1:]), bald(np.array([-1.0]), unsure[1:]))


def test_pairs_that_were_answered_or_look_alike_are_not_asked() -> None:
    features = {"a": np.array([1.0, 0.0]), "b": np.array([1.0, 0.01]), "c": np.array([0.0, 1.0])}
    pairs = [("a", "b"), ("a", "c"), ("c", "a"), ("b", "c"), ("a", "a"), ("a", "unknown")]
    assert eligible(pairs, {frozenset(("a", "c"))}, features.get) == [3, 5]


def test_a_share_of_every_batch_is_drawn_evenly_from_all() -> None:
    mean, variance = np.zeros(100), np.linspace(0, 4, 100)
    counts = np.zeros(100)
    for seed in range(200):
        proposals = propose(PLACES, 10, np.random.default_rng(seed), mean, variance)
        assert len({proposal.pair for proposal in proposals}) == 10
        by_chance = [proposal.pair for proposal in proposals if proposal.chosen_by == "random"]
        assert len(by_chance) == 2
        counts[by_chance] += 1
        best = [proposal.pair for proposal in proposals if proposal.chosen_by == "bald"]
        assert min(best) >= 100 - 10  # the most uncertain, where chance did not take them
    # 400 draws over 100 places: as many of the worst half as of the best, within three standard deviations.
    assert abs(counts[:50].sum() - 200) < 3 * 10
    assert counts[:90].any() and counts[90:].any()


def test_before_anything_is_learned_all_are_drawn() -> None:
    rng = np.random.default_rng(0)
    assert {proposal.chosen_by for proposal in propose(PLACES, 10, rng)} == {"random"}
    assert propose([], 5, rng, np.zeros(0), np.zeros(0)) == []
    assert propose([7], 5, rng) == [Proposal(7, "random")]
    assert propose(PLACES, 1, rng, np.zeros(100), np.ones(100))[0].chosen_by == "random"


def test_a_batch_is_of_unlike_pairs() -> None:
    differences = np.array([[1.0, 0], [1.01, 0], [-1, 0], [0, 1], [0, 0.2]])
    assert spread_out([0, 1, 2, 3, 4], differences, 2) == [0, 3]  # the same turned round is no other pair
    assert sorted(spread_out([0, 1], differences, 5)) == [0, 1] and spread_out([], differences, 3) == []
    clustered = np.repeat(np.eye(4), 5, axis=0)
    proposals = propose(
        list(range(20)), 5, np.random.default_rng(1), np.zeros(20), np.ones(20), clustered, random_share=0.0
    )
    assert len({proposal.pair // 5 for proposal in proposals[:4]}) == 4
