"""Per-sample inner products, lengths and projections."""

import pytest
import torch

from studio.guidance.vectors import dot, norm, project, std
from tests.guidance.stepping import SHAPE, random


def test_per_sample_over_all_else() -> None:
    p, q = random(0), random(1)
    assert dot(p, q).shape == (SHAPE[0], 1, 1, 1)
    for sample in range(SHAPE[0]):
        torch.testing.assert_close(dot(p, q)[sample].squeeze(), (p[sample] * q[sample]).sum())
        torch.testing.assert_close(norm(p)[sample].squeeze(), p[sample].norm())
        torch.testing.assert_close(std(p)[sample].squeeze(), p[sample].std())


def test_projection_leaves_an_orthogonal_rest() -> None:
    p, q = random(0), random(1)
    assert dot(p - project(p, onto=q), q).abs().max() < 1e-12
    torch.testing.assert_close(project(q, onto=3 * q), q)
    torch.testing.assert_close(project(project(p, onto=q), onto=q), project(p, onto=q))


def test_nothing_is_parallel_to_zero() -> None:
    assert torch.equal(project(random(0), onto=torch.zeros(SHAPE)), torch.zeros(SHAPE, dtype=torch.float64))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_sums_are_wide_and_results_keep_their_dtype(dtype: torch.dtype) -> None:
    p = torch.full((1, 4, 128, 128), 0.1, dtype=dtype)
    assert dot(p, p).dtype == torch.float64
    torch.testing.assert_close(dot(p, p).item(), p.numel() * p[0, 0, 0, 0].item() ** 2)
    assert project(p, onto=p).dtype == dtype
