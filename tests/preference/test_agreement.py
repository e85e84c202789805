"""Agreement: the textbooks' values, and the definitions pair by pair."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest

from studio.preference.agreement import NO_OVERLAP, NO_VARIATION, Level, cohen, fleiss, krippendorff

NAN = math.nan
# Krippendorff (2011), section C: four annotators, twelve items, answers missing.
TEXTBOOK = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
    [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
]
# Fourteen annotators, ten items, five answers: the worked example that is told with Fleiss' kappa.
FOURTEEN = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


def test_published_values() -> None:
    assert cohen([[20, 5], [10, 15]]).value == pytest.approx(0.4)
    assert fleiss(FOURTEEN).value == pytest.approx(0.210, abs=5e-4)
    for level, value in (("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)):
        alpha = krippendorff(TEXTBOOK, level)  # type: ignore[arg-type]
        assert (alpha.value, alpha.n) == (pytest.approx(value, abs=5e-4), 11)  # the last item has one answer


def test_what_does_not_vary_has_no_value_and_a_reason() -> None:
    for agreement in (cohen([[9, 0], [0, 0]]), fleiss([[3, 0], [3, 0]]), krippendorff([[1, 1], [1, 1]])):
        assert math.isnan(agreement.value) and agreement.why == NO_VARIATION and agreement.n > 0
    for agreement in (cohen([[0, 0], [0, 0]]), krippendorff([[1, NAN], [NAN, 2]]), fleiss(np.zeros((0, 2)))):
        assert math.isnan(agreement.value) and agreement.why == NO_OVERLAP and agreement.n == 0


@pytest.mark.parametrize("level", ["nominal", "ordinal", "interval"])
def test_alpha_is_its_definition_over_pairs_of_answers(level: Level) -> None:
    rng = np.random.default_rng(3)
    for _ in range(5):
        data = rng.integers(1, 5, (4, 15)).astype(float)
        data[rng.random(data.shape) < 0.35] = NAN
        items = [values for column in data.T if len(values := column[~np.isnan(column)]) > 1]
        pooled = np.concatenate(items)

        def apart(a: float, b: float, pooled: np.ndarray = pooled) -> float:
            if level == "nominal":
                return float(a != b)
            if level == "interval":
                return (a - b) ** 2
            low, high = min(a, b), max(a, b)
            between = ((pooled >= low) & (pooled <= high)).sum()
            return float(between - ((pooled == a).sum() + (pooled == b).sum()) / 2) ** 2 if a != b else 0.0

        within = sum(apart(a, b) / (len(values) - 1) for values in items for a, b in permutations(values, 2))
        anywhere = sum(apart(a, b) for a, b in permutations(pooled, 2)) / (len(pooled) - 1)
        assert krippendorff(data, level).value == pytest.approx(1 - within / anywhere)


def test_alpha_of_two_and_chance() -> None:
    rng = np.random.default_rng(0)
    answers = rng.integers(0, 3, (2, 4000))
    table = np.zeros((3, 3))
    np.add.at(table, (answers[0], answers[1]), 1)
    assert abs(krippendorff(answers.astype(float)).value) < 3 / 4000**0.5  # three standard errors
    assert krippendorff(answers.astype(float)).value == pytest.approx(cohen(table).value, abs=1e-3)
    assert krippendorff(np.stack([answers[0], answers[0]]).astype(float)).value == 1


@pytest.mark.parametrize("table", [[[1, 2]], [[-1, 2], [0, 1]], [[NAN, 0], [0, 1]]])
def test_what_is_no_table_is_refused(table: list[list[float]]) -> None:
    with pytest.raises(ValueError, match="counts"):
        cohen(table)
    with pytest.raises(ValueError):
        fleiss([[1, 1], [2, 1]])
