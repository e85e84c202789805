"""Retention, exactly, on small tensors: the projection, the multiplier, the drift in nats."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from studio.diffusion.predictions import Prediction
from studio.diffusion.schedule import NoiseSchedule
from studio.metrics.divergence import log_snr_widths
from studio.training.lora.plan import Retention
from studio.training.lora.retention import (
    DUAL_RATE,
    Retainer,
    distillation,
    drift,
    next_multiplier,
    without_conflict,
)
from tests.toys import Gaussian


def vectors(seed: int) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.randn(shape, dtype=torch.float64, generator=generator) for shape in ((3, 4), (5,))]


def dot(left: list[Tensor], right: list[Tensor]) -> float:
    return float(sum((x * y).sum() for x, y in zip(left, right, strict=True)))


def test_what_disagrees_is_projected_and_nothing_else() -> None:
    seen = set()
    for seed in range(20):
        forget, retain = vectors(seed), vectors(seed + 100)
        kept = without_conflict(forget, retain)
        along = dot(forget, retain)
        seen.add(along < 0)
        if along >= 0:
            assert all(torch.equal(x, y) for x, y in zip(kept, forget, strict=True))
            continue
        length = dot(retain, retain)
        assert abs(dot(kept, retain)) < 1e-12 * length
        for part, own, r in zip(kept, forget, retain, strict=True):
            torch.testing.assert_close(part, own - along / length * r)
        assert dot(kept, forget) > 0  # still downhill for the loss
        again = without_conflict(kept, retain)
        assert all(torch.allclose(x, y, atol=1e-12) for x, y in zip(again, kept, strict=True))
    assert seen == {True, False}
    zero = [torch.zeros_like(part) for part in vectors(0)]
    assert all(torch.equal(x, y) for x, y in zip(without_conflict(vectors(0), zero), vectors(0), strict=True))


def test_a_step_of_adam_never_raises_what_is_retained_to_first_order() -> None:
    """Projected gradients alone do not see to that: momentum and the scaling by coordinates turn the step."""
    retainer, raised = Retainer(Retention(prompts=("",), how="pcgrad", weight=0.1)), 0
    parameter = torch.nn.Parameter(torch.zeros(50, dtype=torch.float64))
    optimiser = torch.optim.AdamW([parameter], lr=0.1, weight_decay=0.0)
    generator = torch.Generator().manual_seed(0)
    for _ in range(30):
        forget = torch.randn(50, dtype=torch.float64, generator=generator)
        retain = torch.randn(50, dtype=torch.float64, generator=generator)
        (gradient,) = retainer.gradients((forget * parameter).sum(), (retain * parameter).sum(), [parameter])
        before = parameter.detach().clone()
        parameter.grad = gradient
        optimiser.step()
        raised += float((parameter.detach() - before) @ retain) > 1e-9
        retainer.settle([parameter])
        assert float((parameter.detach() - before) @ retain) <= 1e-12
    assert raised  # or the test above could not fail


def test_dual_ascent_rises_above_the_budget_falls_below_it_and_is_never_negative() -> None:
    assert next_multiplier(1.0, 0.04, 0.02) == pytest.approx(1.0 + DUAL_RATE)  # off by its whole budget
    assert next_multiplier(1.0, 0.02, 0.02) == 1.0
    assert next_multiplier(1.0, 0.0, 0.02) == pytest.approx(1.0 - DUAL_RATE)
    assert next_multiplier(DUAL_RATE / 2, 0.0, 0.02) == 0.0


def descended(budget: float, steps: int = 4000) -> tuple[float, Retainer]:
    """min (x - 3)² subject to x²/2 <= budget."""
    retainer, x = Retainer(Retention(prompts=("",), how="dual", budget=budget)), torch.zeros(1, dtype=torch.float64)
    for _ in range(steps):
        x.requires_grad_()
        (gradient,) = retainer.gradients(((x - 3) ** 2).sum(), (x**2 / 2).sum(), [x])
        x = x.detach() - 0.01 * gradient
        retainer.settle([x])
        assert retainer.multiplier >= 0
    return float(x), retainer


def test_primal_dual_comes_to_the_point_of_karush_kuhn_and_tucker() -> None:
    x, retainer = descended(budget=0.5)
    assert x == pytest.approx(1.0, abs=1e-3)  # at the bound
    assert retainer.multiplier == pytest.approx(4.0, abs=1e-2)  # 2 (3 - x) = mu x


def test_a_constraint_that_is_not_active_changes_nothing_in_the_end() -> None:
    x, retainer = descended(budget=10.0)
    assert retainer.multiplier == 0 and x == pytest.approx(3.0, abs=1e-6)
    assert retainer.measures() == {"retention": pytest.approx(4.5), "multiplier": 0.0}


def test_distillation_descends_the_weighted_sum() -> None:
    x = torch.tensor([2.0], requires_grad=True)
    retainer = Retainer(Retention(prompts=("",), how="distil", weight=0.5))
    (gradient,) = retainer.gradients((3 * x).sum(), (x**2).sum(), [x])
    assert gradient.tolist() == [3 + 0.5 * 4]
    assert retainer.measures() == {"retention": 4.0}


def denoised(mean: float, x: Tensor, a: Tensor, s: Tensor) -> Prediction:
    """By the exact denoiser of N(mean, 1)."""
    rows = [Gaussian(mean, 1.0).x0(part, float(u), float(v)) for part, u, v in zip(x, a, s, strict=True)]
    return Prediction("sample", torch.stack(rows), x, a, s)


def test_drift_is_the_divergence_of_two_gaussians_in_nats() -> None:
    """Of unit Gaussians whose means are m apart in each of 4 numbers: 4 m²/2."""
    betas = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012, "num_train_timesteps": 1000}
    schedule = NoiseSchedule.from_config(**betas)  # type: ignore[arg-type]
    t = torch.arange(0.0, 1000.0, 1.0).flip(0)
    a, s = schedule.at(t.double())
    widths = log_snr_widths(t, a, s)
    level = 2 * (a.log() - s.log())
    assert float(widths.sum()) == pytest.approx(float(level.max() - level.min()), rel=1e-9)
    a4, s4 = a.view(-1, 1, 1, 1), s.view(-1, 1, 1, 1)
    generator = torch.Generator().manual_seed(0)
    x0, noise = (torch.randn(1000, 1, 2, 2, dtype=torch.float64, generator=generator) for _ in range(2))
    x = a4 * x0 + s4 * noise
    nats = drift(denoised(0.3, x, a4, s4), denoised(0.0, x, a4, s4), widths * len(t))
    assert float(nats) == pytest.approx(4 * 0.3**2 / 2, rel=0.02)
    assert float(drift(denoised(0.3, x, a4, s4), denoised(0.3, x, a4, s4), widths)) == 0


def test_pure_noise_has_a_finite_width() -> None:
    t, a = torch.tensor([999.0, 500.0, 0.0]), torch.tensor([0.0, 0.5, 1.0])
    widths = log_snr_widths(t, a, (1 - a**2).sqrt())
    assert bool(torch.isfinite(widths).all()) and float(widths.sum()) == pytest.approx(20.0)
    assert math.isclose(float(widths[1]), 10.0)


def test_distillation_is_the_mean_square_of_the_gap() -> None:
    x, one = torch.zeros(2, 1, 2, 2), torch.ones(2, 1, 1, 1)
    left, right = Prediction("epsilon", x + 3, x, one, one), Prediction("epsilon", x + 1, x, one, one)
    assert float(distillation(left, right)) == 4.0
