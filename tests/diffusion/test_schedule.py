"""Noise schedules: diffusers' tables, what lies between two steps, pure noise at the end, and the path of flows."""

import math
from typing import get_args

import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from studio.diffusion.schedule import BetaSchedule, FlowSchedule, NoiseSchedule
from tests.tolerance import rounding

STENCIL = ("squaredcos_cap_v2", 1e-4, 0.02, 1000)


@pytest.mark.parametrize("name", get_args(BetaSchedule))
def test_table_is_diffusers_to_the_bit(name: BetaSchedule) -> None:
    theirs = DDIMScheduler(beta_schedule=name, beta_start=1e-4, beta_end=0.02).alphas_cumprod
    ours = NoiseSchedule.from_config(name, 1e-4, 0.02, 1000).alphas_cumprod
    assert ours.dtype == torch.float64
    assert torch.equal(ours, theirs.double())


@pytest.mark.parametrize("name", get_args(BetaSchedule))
def test_levels_preserve_variance_and_fall(name: BetaSchedule) -> None:
    schedule = NoiseSchedule.from_config(name, 1e-4, 0.02, 1000)
    a, s = schedule.at(torch.linspace(0, 999, 4321, dtype=torch.float64))
    torch.testing.assert_close(a * a + s * s, torch.ones_like(a), rtol=rounding(torch.float64), atol=0)
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


# -- zero terminal SNR ----------------------------------------------------------------------------------------------

zero_snr = pytest.mark.parametrize("name", get_args(BetaSchedule))


def rescaled(name: BetaSchedule) -> NoiseSchedule:
    return NoiseSchedule.from_config(name, 1e-4, 0.02, 1000, rescale_betas_zero_snr=True)


@zero_snr
def test_rescaled_table_is_diffusers_to_the_bit(name: BetaSchedule) -> None:
    theirs = DDIMScheduler(beta_schedule=name, beta_start=1e-4, beta_end=0.02, rescale_betas_zero_snr=True)
    assert torch.equal(rescaled(name).alphas_cumprod, theirs.alphas_cumprod.double())


@zero_snr
def test_rescaled_table_keeps_its_first_and_ends_in_pure_noise(name: BetaSchedule) -> None:
    schedule, before = rescaled(name), NoiseSchedule.from_config(name, 1e-4, 0.02, 1000)
    assert schedule.zero_terminal_snr and not before.zero_terminal_snr
    assert schedule.at(999) == (0.0, 1.0)
    assert schedule.at(0)[0] == pytest.approx(before.at(0)[0], rel=rounding(torch.float32))
    assert (schedule.log_sigma.diff() > 0).all() and schedule.log_sigma.isfinite().all()


@zero_snr
def test_rescaled_times_near_pure_noise_can_be_placed(name: BetaSchedule) -> None:
    """Below the last step all is finite, falls, and leads back to its time."""
    schedule = rescaled(name)
    a, s = schedule.at(torch.tensor([997.0, 998.0, 998.5, 998.999, 999.0], dtype=torch.float64))
    assert (a.diff() < 0).all() and (s.diff() > 0).all()
    for t in (998.0, 998.5):
        a_t, s_t = schedule.at(t)
        assert schedule.time_of(math.log(s_t / a_t)) == pytest.approx(t, abs=1e-9)


# -- flows ----------------------------------------------------------------------------------------------------------


def test_flow_is_the_straight_path() -> None:
    schedule = FlowSchedule(500)
    assert schedule.at(0) == (1.0, 0.0) and schedule.at(500) == (0.0, 1.0) and schedule.at(125) == (0.75, 0.25)
    a, s = schedule.at(torch.tensor([[125.0], [500.0]]))
    assert a.tolist() == [[0.75], [0.0]] and s.tolist() == [[0.25], [1.0]]
    assert isinstance(schedule.at(125)[0], float) and a.dtype == torch.float64


@pytest.mark.parametrize("t", [-0.1, 1000.5, math.nan, torch.tensor([1.0, 1001.0])])
def test_times_outside_a_flow_are_refused(t: float | torch.Tensor) -> None:
    with pytest.raises(ValueError, match="0..1000"):
        FlowSchedule().at(t)
