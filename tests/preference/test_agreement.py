"""Agreement: the textbooks' values, and the definitions pair by pair."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest

from studio.preference.agreement import NO_OVERLAP, NO_VARIATION, Level, krippendorff

NAN = math.nan
# Krippendorff (2011), section C: four annotators, twelve items, answers missing.
TEXTBOOK = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
    [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
]


def test_published_values() -> None:
    for level, value in (("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)):
        alpha = krippendorff(TEXTBOOK, level)  # type: ignore[arg-type]
        assert (alpha.value, alpha.n) == (pytest.approx(value, abs=5e-4), 11)  # the last item has one answer


def test_what_does_not_vary_has_no_value_and_a_reason() -> None:
    same, apart = krippendorff([[1, 1], [1, 1]]), krippendorff([[1, NAN], [NAN, 2]])
    assert math.isnan(same.value) and same.why == NO_VARIATION and same.n == 2
    assert math.isnan(apart.value) and apart.why == NO_OVERLAP and apart.n == 0


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
    assert abs(krippendorff(answers.astype(float)).value) < 3 / 4000**0.5  # three standard errors
    assert krippendorff(np.stack([answers[0], answers[0]]).astype(float)).value == 1
