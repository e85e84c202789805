"""Euler: parity with diffusers, whose state is x/a, and with DDIM."""

from typing import Any

import pytest
import torch
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_flow_match_euler_discrete import FlowMatchEulerDiscreteScheduler

from studio.diffusion.grid import make_grid
from studio.diffusion.schedule import NoiseSchedule
from studio.diffusion.solvers import DDIM, Euler
from tests.diffusion.solving import FLOW, LARGEST, LONG, SCHEDULE, mixture_x0, on_grid, order_of, run, start, theirs
from tests.tolerance import rounding

SD: dict[str, Any] = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}
# Not a cosine table: x/a reaches 60,000 there, and in float32 that leaves diffusers' Euler 4e-3 of x.


@pytest.mark.parametrize("n", [1, 2, 20, LONG])
@pytest.mark.parametrize("grid_name", ["trailing", "leading", "linspace_fractional", "karras", "exponential"])
def test_agrees_with_diffusers(grid_name: str, n: int) -> None:
    """Every x on the way, not only the last; its state is float32 whatever it is given."""
    grid = make_grid(grid_name, NoiseSchedule.from_config(**SD, num_train_timesteps=1000), n)
    scheduler = on_grid(EulerDiscreteScheduler(**SD, prediction_type="sample"), grid)
    ours, kept, state = start(), start() / grid.a[0], ()
    allowed = rounding(torch.float32, n, LARGEST / grid.a[0])
    for i, t in enumerate(scheduler.timesteps):
        x = scheduler.scale_model_input(kept, t)
        torch.testing.assert_close(ours, x, rtol=0, atol=allowed)
        kept = scheduler.step(mixture_x0(x, grid.a[i], grid.s[i]), t, kept).prev_sample
        ours, state = Euler().step(ours, mixture_x0(ours, grid.a[i], grid.s[i]), i, grid, state)
    torch.testing.assert_close(ours, kept, rtol=0, atol=allowed)


@pytest.mark.parametrize("n", [1, 2, 20, LONG])
@pytest.mark.parametrize("grid_name", ["flow", "flow_euler", "flow_dpm", "flow_unipc"])
def test_agrees_with_diffusers_on_flows(grid_name: str, n: int) -> None:
    grid = make_grid(grid_name, FLOW, n, shift=3)
    scheduler = on_grid(FlowMatchEulerDiscreteScheduler(), grid)
    them = theirs(scheduler, grid, start(), lambda x, x0, a, s: (x - x0) / s)
    torch.testing.assert_close(run(Euler(), grid, start()), them, rtol=0, atol=rounding(torch.float32, n, LARGEST))


@pytest.mark.parametrize("grid_name", ["trailing", "karras", "flow"])
def test_is_ddim_without_noise(grid_name: str) -> None:
    grid = make_grid(grid_name, FLOW if grid_name == "flow" else SCHEDULE, 20)
    x = start(torch.float64)
    torch.testing.assert_close(
        run(Euler(), grid, x), run(DDIM(), grid, x), rtol=0, atol=rounding(torch.float64, 20, LARGEST)
    )


def test_order_of_convergence() -> None:
    assert order_of(Euler()) == pytest.approx([1, 1, 1], abs=0.02)
