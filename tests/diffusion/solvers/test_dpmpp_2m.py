"""DPM-Solver++ (2M): parity with diffusers, order, and its first-order steps."""

from typing import Any

import pytest
import torch
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

from studio.diffusion.grid import make_grid, trailing
from studio.diffusion.parameterisation import from_x0
from studio.diffusion.solvers import DDIM, DPMpp2M
from tests.diffusion.solving import (
    COSINE,
    FLOW,
    LARGEST,
    LONG,
    SCHEDULE,
    as_x0,
    mixture_x0,
    on_grid,
    order_of,
    run,
    start,
    theirs,
)
from tests.tolerance import rounding

GRIDS_TRIED = ["trailing", "leading_dpm", "linspace_dpm", "karras", "exponential", "beta"]


@pytest.mark.parametrize("n", [1, 2, 4, 14, 15, 20, LONG])
@pytest.mark.parametrize("grid_name", GRIDS_TRIED)
def test_agrees_with_diffusers(grid_name: str, n: int) -> None:
    """Its state is float32 whatever it is given."""
    grid = make_grid(grid_name, SCHEDULE, n)
    scheduler = on_grid(DPMSolverMultistepScheduler(prediction_type="sample"), grid)
    them = theirs(scheduler, grid, start(), as_x0)
    torch.testing.assert_close(run(DPMpp2M(), grid, start()), them, rtol=0, atol=rounding(torch.float32, n, LARGEST))


@pytest.mark.parametrize("n", [1, 2, 20])
@pytest.mark.parametrize("grid_name", ["flow", "flow_euler", "flow_dpm"])
def test_agrees_with_diffusers_on_flows(grid_name: str, n: int) -> None:
    """From pure noise too, where log(a/s) is infinite."""
    grid = make_grid(grid_name, FLOW, n, shift=3)
    scheduler = on_grid(DPMSolverMultistepScheduler(prediction_type="sample", use_flow_sigmas=True), grid)
    them = theirs(scheduler, grid, start(), as_x0)
    torch.testing.assert_close(run(DPMpp2M(), grid, start()), them, rtol=0, atol=rounding(torch.float32, n, LARGEST))


def test_agrees_with_diffusers_left_to_itself() -> None:
    """On diffusers' own float32 grid, with a network that predicts v: coefficients then differ in float32."""
    options: Any = {"timestep_spacing": "trailing", "prediction_type": "v_prediction"}
    scheduler = DPMSolverMultistepScheduler(**COSINE, **options)
    scheduler.set_timesteps(20)
    grid, them = trailing(SCHEDULE, 20), start()
    for i, t in enumerate(scheduler.timesteps):
        a, s = grid.a[i], grid.s[i]
        v = from_x0("v_prediction", mixture_x0(them, a, s), them, a, s)
        them = scheduler.step(v, t, them).prev_sample  # type: ignore[union-attr]
    torch.testing.assert_close(run(DPMpp2M(), grid, start()), them, rtol=0, atol=rounding(torch.float32, 20, LARGEST))


def test_order_of_convergence() -> None:
    assert order_of(DPMpp2M()) == pytest.approx([2, 2, 2], abs=0.1)


def test_first_step_is_ddim_and_the_second_is_not() -> None:
    grid, x = trailing(SCHEDULE, 20), start(torch.float64)
    assert torch.equal(run(DPMpp2M(), grid, x, until=1), run(DDIM(), grid, x, until=1))
    assert not torch.allclose(run(DPMpp2M(), grid, x, until=2), run(DDIM(), grid, x, until=2), atol=1e-3)
