"""The integrator of a balance leads a simulated classifier to the wanted shares, and nowhere where nothing is seen."""

from __future__ import annotations

import math

import numpy as np
import pytest

from studio.erasure.balance import LIMIT, STEP, farthest, lacking, stepped


def softmax_shares(gammas: list[float], bias: list[float], rest: float = 0.0) -> list[float]:
    """A model that shows attribute k the more, the more of it is added; `rest` of its pictures show none."""
    weights = [math.exp(4 * gamma + start) for gamma, start in zip(gammas, bias, strict=True)]
    return [(1 - rest) * weight / sum(weights) for weight in weights]


def test_it_leads_a_simulated_classifier_to_what_is_wanted() -> None:
    bias, wanted = [6.0, 0.0, -1.0], [0.2, 0.3, 0.5]
    gammas = [0.0, 0.0, 0.0]
    assert farthest(wanted, softmax_shares(gammas, bias)) > 0.7
    for _ in range(40):
        gammas = stepped(gammas, wanted, softmax_shares(gammas, bias))
    assert farthest(wanted, softmax_shares(gammas, bias)) < 0.02
    assert math.isclose(sum(gammas), 0, abs_tol=1e-9)  # what one gains the others lose


def test_counted_pictures_lead_there_too_and_what_shows_nothing_does_not_steer() -> None:
    rng = np.random.default_rng(0)
    bias, wanted, rest = [5.0, 0.0], [0.5, 0.5], 0.3
    gammas, visited = [0.0, 0.0], list[list[float]]()
    for _ in range(60):
        shares = softmax_shares(gammas, bias, rest)
        counts = rng.multinomial(24, [*shares, rest])
        gammas = stepped(gammas, wanted, [count / 24 for count in counts[:-1]])
        visited.append(softmax_shares(gammas, bias))
    assert farthest(wanted, visited[0]) > 0.3
    assert farthest(wanted, np.mean(visited[20:], axis=0).tolist()) < 0.1  # around it; counting 24 is no finer
    assert lacking(wanted, [0.0, 0.0]) == [0.0, 0.0] and stepped([0.3, -0.3], wanted, [0.0, 0.0]) == [0.3, -0.3]


def test_it_stays_within_its_limit_and_counts_what_shows_nothing_against_the_result() -> None:
    gammas = [0.0, 0.0]
    for _ in range(100):
        gammas = stepped(gammas, [0.0, 1.0], [1.0, 0.0])
    assert gammas == [-LIMIT, LIMIT]
    assert stepped([0.0, 0.0], [0.5, 0.5], [1.0, 0.0]) == [-STEP / 2, STEP / 2]
    assert farthest([0.5, 0.5], [0.25, 0.25]) == 0.25
    with pytest.raises(ValueError, match="the step is"):
        stepped([0.0], [1.0], [1.0], step=0)
