"""Distances of sets of features: known values, and what must not matter."""

from __future__ import annotations

import pytest
import torch

from studio.metrics.distance import frechet, kernel_distance
from tests.tolerance import rounding


def normal(n: int, d: int, seed: int) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_of_equal_sets_the_frechet_distance_is_nothing() -> None:
    x = normal(20, 50, 0)  # fewer rows than numbers: the covariances are singular
    close = rounding(torch.float64, 100, float(x.square().sum()))
    assert frechet(x, x) == pytest.approx(0, abs=close)
    assert frechet(x, x + 2) == pytest.approx(50 * 4, abs=50 * close), "moved as a whole: the means alone differ"


def test_it_is_the_formula_with_the_root_of_a_matrix() -> None:
    x, y = normal(200, 5, 1), normal(150, 5, 2) * torch.tensor([1.0, 2, 0.5, 1, 3]) + 1
    a, b = torch.cov(x.T), torch.cov(y.T)
    roots = torch.linalg.eigvals(a @ b).real.clamp_min(0).sqrt().sum()
    expected = (x.mean(0) - y.mean(0)).square().sum() + a.trace() + b.trace() - 2 * roots
    assert frechet(x, y) == pytest.approx(float(expected), rel=1e-9)


def test_the_kernel_distance_is_the_mean_over_different_pairs() -> None:
    x, y = normal(6, 3, 3), normal(5, 3, 4)

    def kernel(a: torch.Tensor, b: torch.Tensor) -> float:
        return float((a @ b / 3 + 1) ** 3)

    within = [
        sum(kernel(p, q) for i, p in enumerate(s) for j, q in enumerate(s) if i != j) / len(s) / (len(s) - 1)
        for s in (x, y)
    ]
    between = sum(kernel(p, q) for p in x for q in y) / 30
    assert kernel_distance(x, y) == pytest.approx(within[0] + within[1] - 2 * between, rel=1e-9)


@pytest.mark.parametrize("distance", [frechet, kernel_distance])
def test_order_and_side_do_not_matter_and_few_rows_are_refused(distance: object) -> None:
    x, y = normal(12, 4, 5), normal(9, 4, 6)
    value = distance(x, y)  # type: ignore[operator]
    assert distance(y.flip(0), x.flip(0)) == pytest.approx(value, rel=1e-9)  # type: ignore[operator]
    for a, b in ((x[:1], y), (x, y[:, :2]), (x[0], y)):
        with pytest.raises(ValueError, match="features must be"):
            distance(a, b)  # type: ignore[operator]
