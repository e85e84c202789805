"""DDIM: parity with diffusers with and without noise, order, and what its noise keeps."""

from typing import Any

import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

from studio.diffusion.grid import make_grid, trailing
from studio.diffusion.solvers import DDIM
from tests.diffusion.solving import (
    COSINE,
    FLOW,
    LARGEST,
    LONG,
    SCHEDULE,
    as_x0,
    mixture_x0,
    noises,
    on_grid,
    order_of,
    run,
    start,
)
from tests.diffusion.solving import theirs as run_theirs
from tests.tolerance import rounding
from tests.toys import Gaussian


def ddim_scheduler(spacing: str, steps_offset: int = 0) -> Any:
    """diffusers' DDIM on its own grid, its table in float64."""
    options: dict[str, Any] = {"timestep_spacing": spacing, "steps_offset": steps_offset, "clip_sample": False}
    scheduler: Any = DDIMScheduler(**COSINE, **options, prediction_type="sample")
    scheduler.alphas_cumprod = scheduler.alphas_cumprod.double()
    return scheduler


# Where n does not divide T, diffusers' DDIM steps to a level off its own grid.
@pytest.mark.parametrize("n", [1, 2, 4, 20, LONG])
@pytest.mark.parametrize("eta", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(("spacing", "options"), [("trailing", {}), ("leading", {"steps_offset": 1})])
def test_agrees_with_diffusers(spacing: str, options: dict[str, int], eta: float, n: int) -> None:
    scheduler, grid = ddim_scheduler(spacing, **options), make_grid(spacing, SCHEDULE, n, **options)
    scheduler.set_timesteps(n)
    assert scheduler.timesteps.tolist() == list(grid.timesteps)
    theirs = start(torch.float64)
    for i, t in enumerate(scheduler.timesteps):
        x0 = mixture_x0(theirs, grid.a[i], grid.s[i])
        theirs = scheduler.step(x0, t, theirs, eta=eta, variance_noise=noises(i)).prev_sample
    # With eta 1, all but a ten-thousandth of the noise is fresh in the first step: a difference of squares.
    allowed = rounding(torch.float64, n, 1e4)
    torch.testing.assert_close(run(DDIM(eta=eta), grid, start(torch.float64)), theirs, rtol=0, atol=allowed)


@pytest.mark.parametrize(("grid_name", "flow"), [("trailing", False), ("karras", False), ("flow_dpm", True)])
def test_is_diffusers_dpm_solver_of_order_one(grid_name: str, flow: bool) -> None:
    """Its state is float32 whatever it is given."""
    grid = make_grid(grid_name, FLOW if flow else SCHEDULE, 20)
    scheduler = DPMSolverMultistepScheduler(solver_order=1, prediction_type="sample", use_flow_sigmas=flow)
    theirs = run_theirs(on_grid(scheduler, grid), grid, start(), as_x0)
    torch.testing.assert_close(run(DDIM(), grid, start()), theirs, rtol=0, atol=rounding(torch.float32, 20, LARGEST))


def test_order_of_convergence() -> None:
    assert order_of(DDIM()) == pytest.approx([1, 1, 1], abs=0.02)


def test_at_eta_one_keeps_the_spread_of_the_data() -> None:
    """With the exact denoiser and many steps, both samplers end on the data's own mean and deviation."""
    toy, grid = Gaussian(mean=0.7, std=0.5), trailing(SCHEDULE, 200)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(20_000, 1, generator=generator, dtype=torch.float64)
    for i in range(200):
        noise = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        x, _ = DDIM(eta=1).step(x, toy.x0(x, grid.a[i], grid.s[i]), i, grid, (), noise)
    assert x.mean().item() == pytest.approx(0.7, abs=0.02)
    assert x.std().item() == pytest.approx(0.5, abs=0.02)


def test_noise_is_needed_only_above_eta_zero() -> None:
    assert DDIM(eta=0.5).needs_noise() and not DDIM().needs_noise()
