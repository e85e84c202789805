"""Euler ancestral: parity with diffusers, whose state is x/a, and with DDIM of the same eta."""

from typing import Any

import pytest
import torch
from diffusers.schedulers.scheduling_euler_ancestral_discrete import EulerAncestralDiscreteScheduler

from studio.diffusion.grid import make_grid, trailing
from studio.diffusion.schedule import NoiseSchedule
from studio.diffusion.solvers import DDIM, Euler, EulerAncestral
from tests.diffusion.solving import FLOW, LARGEST, LONG, SCHEDULE, mixture_x0, noises, on_grid, run, start
from tests.tolerance import rounding
from tests.toys import Gaussian

SD: dict[str, Any] = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}


@pytest.mark.parametrize("n", [1, 2, 20, LONG])
@pytest.mark.parametrize("grid_name", ["trailing", "leading", "linspace_fractional", "karras"])
def test_agrees_with_diffusers(grid_name: str, n: int) -> None:
    """Its state is float32 whatever it is given, and it draws its noise from a generator."""
    grid = make_grid(grid_name, NoiseSchedule.from_config(**SD, num_train_timesteps=1000), n)
    scheduler = on_grid(EulerAncestralDiscreteScheduler(**SD), grid)
    drawn, redrawn = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
    ours, kept, state = start(), start() / grid.a[0], ()
    allowed = rounding(torch.float32, n, LARGEST / grid.a[0])
    for i, t in enumerate(scheduler.timesteps):
        a, s = grid.a[i], grid.s[i]
        x = scheduler.scale_model_input(kept, t)
        torch.testing.assert_close(ours, x, rtol=0, atol=allowed)
        kept = scheduler.step((x - a * mixture_x0(x, a, s)) / s, t, kept, generator=drawn).prev_sample
        fresh = torch.randn(ours.shape, generator=redrawn)
        ours, state = EulerAncestral().step(ours, mixture_x0(ours, a, s), i, grid, state, fresh)
    torch.testing.assert_close(ours, kept, rtol=0, atol=allowed)


@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("grid_name", ["trailing", "karras", "flow"])
def test_is_ddim_of_the_same_eta(grid_name: str, eta: float) -> None:
    grid = make_grid(grid_name, FLOW if grid_name == "flow" else SCHEDULE, 20)
    x = start(torch.float64)
    ours, allowed = run(EulerAncestral(eta=eta), grid, x), rounding(torch.float64, 20, 10 * LARGEST)
    torch.testing.assert_close(ours, run(DDIM(eta=eta), grid, x), rtol=0, atol=allowed)
    if eta == 0:
        torch.testing.assert_close(ours, run(Euler(), grid, x), rtol=0, atol=allowed)


def test_s_noise_scales_the_fresh_noise_alone() -> None:
    grid, x = trailing(SCHEDULE, 20), start(torch.float64)
    quiet, normal, loud = (EulerAncestral(s_noise=size) for size in (0.0, 1.0, 1.1))
    assert torch.equal(quiet.peek(x, 0.3 * x, 5, grid, ()), loud.peek(x, 0.3 * x, 5, grid, ()))
    assert loud.noise_sd(5, grid) == pytest.approx(1.1 * normal.noise_sd(5, grid), rel=rounding(torch.float64))
    assert not quiet.needs_noise() and not EulerAncestral(eta=0).needs_noise()
    stepped, _ = loud.step(x, 0.3 * x, 5, grid, (), noises(5))
    expected = loud.peek(x, 0.3 * x, 5, grid, ()) + loud.noise_sd(5, grid) * noises(5)
    torch.testing.assert_close(stepped, expected, rtol=0, atol=rounding(torch.float64, 1, LARGEST))


def test_keeps_the_spread_of_the_data() -> None:
    toy, grid = Gaussian(mean=0.7, std=0.5), trailing(SCHEDULE, 200)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(20_000, 1, generator=generator, dtype=torch.float64)
    for i in range(200):
        fresh = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        x, _ = EulerAncestral().step(x, toy.x0(x, grid.a[i], grid.s[i]), i, grid, (), fresh)
    assert x.mean().item() == pytest.approx(0.7, abs=0.02)
    assert x.std().item() == pytest.approx(0.5, abs=0.02)
