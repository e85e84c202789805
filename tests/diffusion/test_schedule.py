"""Noise schedules: diffusers' tables, and what lies between two steps."""

import math
from typing import get_args

import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

from studio.diffusion.schedule import BetaSchedule, NoiseSchedule

STENCIL = ("squaredcos_cap_v2", 1e-4, 0.02, 1000)


@pytest.mark.parametrize("name", get_args(BetaSchedule))
def test_table_is_diffusers_to_the_bit(name: BetaSchedule) -> None:
    theirs = DDIMScheduler(beta_schedule=name, beta_start=1e-4, beta_end=0.02).alphas_cumprod
    ours = NoiseSchedule.from_config(name, 1e-4, 0.02, 1000).alphas_cumprod
    assert ours.dtype == torch.float64
    assert torch.equal(ours, theirs.double())


@pytest.mark.parametrize(
    ("name", "start", "end"),
    [("scaled_linear", 0.00085, 0.012), ("linear", 1e-4, 0.02), ("squaredcos_cap_v2", 1e-4, 0.02)],
)
def test_zero_snr_is_diffusers_to_the_bit(name: BetaSchedule, start: float, end: float) -> None:
    theirs = DPMSolverMultistepScheduler(
        beta_schedule=name, beta_start=start, beta_end=end, rescale_betas_zero_snr=True
    ).alphas_cumprod.double()
    schedule = NoiseSchedule.from_config(name, start, end, 1000, rescale_betas_zero_snr=True)
    assert torch.equal(schedule.alphas_cumprod[:-1], theirs[:-1])
    assert 0 < schedule.alphas_cumprod[-1] <= theirs[-1]
    assert bool((schedule.log_sigma.diff() > 0).all())
    if name == "scaled_linear":  # the one of models that are trained so; of others diffusers' table rises at its end
        assert torch.equal(schedule.alphas_cumprod, theirs)


@pytest.mark.parametrize("name", get_args(BetaSchedule))
def test_levels_preserve_variance_and_fall(name: BetaSchedule) -> None:
    schedule = NoiseSchedule.from_config(name, 1e-4, 0.02, 1000)
    a, s = schedule.at(torch.linspace(0, 999, 4321, dtype=torch.float64))
    torch.testing.assert_close(a * a + s * s, torch.ones_like(a), rtol=1e-14, atol=0)
    assert (a.diff() < 0).all() and (s.diff() > 0).all()


def test_whole_times_are_the_table() -> None:
    schedule = NoiseSchedule.from_config(*STENCIL)
    a, s = schedule.at(torch.arange(1000))
    torch.testing.assert_close(a * a, schedule.alphas_cumprod, rtol=1e-12, atol=0)
    torch.testing.assert_close(s * s, 1 - schedule.alphas_cumprod, rtol=1e-10, atol=0)


def test_numbers_and_tensors_agree() -> None:
    schedule = NoiseSchedule.from_config(*STENCIL)
    a, s = schedule.at(torch.tensor([[3.25], [999.0]]))
    assert a.shape == s.shape == (2, 1)
    assert schedule.at(3.25) == (a[0].item(), s[0].item())
    assert isinstance(schedule.at(7)[0], float)


@pytest.mark.parametrize("t", [0, 0.5, 3.25, 500.125, 998.75, 999])
def test_time_of_is_the_inverse(t: float) -> None:
    schedule = NoiseSchedule.from_config(*STENCIL)
    a, s = schedule.at(t)
    assert schedule.time_of(math.log(s / a)) == pytest.approx(t, abs=1e-9)


def test_time_of_is_held_within_the_table() -> None:
    schedule = NoiseSchedule.from_config(*STENCIL)
    assert schedule.time_of(-50.0) == 0
    assert schedule.time_of(50.0) == 999


@pytest.mark.parametrize("t", [-0.1, 999.5, math.nan, torch.tensor([1.0, 1000.0])])
def test_times_outside_are_refused(t: float | torch.Tensor) -> None:
    with pytest.raises(ValueError, match="0..999"):
        NoiseSchedule.from_config(*STENCIL).at(t)
