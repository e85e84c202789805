"""DPM-Solver++ (2M) SDE: parity with diffusers on the same noise, and its limits."""

from typing import Literal

import pytest
import torch
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

from studio.diffusion.grid import make_grid, trailing
from studio.diffusion.solvers import DDIM, DPMpp2M, DPMpp2MSDE
from tests.diffusion.solving import FLOW, LARGEST, LONG, SCHEDULE, as_x0, on_grid, order_of, run, start, theirs
from tests.tolerance import rounding
from tests.toys import Gaussian

both_types = pytest.mark.parametrize("solver_type", ["midpoint", "heun"])
Type = Literal["midpoint", "heun"]


@pytest.mark.parametrize("n", [1, 2, 4, 14, 20, LONG])
@pytest.mark.parametrize("grid_name", ["trailing", "karras", "flow", "flow_dpm"])
@both_types
def test_agrees_with_diffusers(solver_type: Type, grid_name: str, n: int) -> None:
    """Its state is float32 whatever it is given."""
    flow = grid_name.startswith("flow")
    grid = make_grid(grid_name, FLOW if flow else SCHEDULE, n)
    scheduler = DPMSolverMultistepScheduler(
        algorithm_type="sde-dpmsolver++", solver_type=solver_type, prediction_type="sample", use_flow_sigmas=flow
    )
    them = theirs(on_grid(scheduler, grid), grid, start(), as_x0, noisy=True)
    ours = run(DPMpp2MSDE(solver_type=solver_type), grid, start())
    torch.testing.assert_close(ours, them, rtol=0, atol=rounding(torch.float32, n, LARGEST))


@pytest.mark.parametrize("grid_name", ["trailing", "flow"])
def test_without_noise_it_is_2m(grid_name: str) -> None:
    grid = make_grid(grid_name, FLOW if grid_name == "flow" else SCHEDULE, 20)
    x = start(torch.float64)
    allowed = rounding(torch.float64, 20, LARGEST)
    torch.testing.assert_close(run(DPMpp2MSDE(eta=0), grid, x), run(DPMpp2M(), grid, x), rtol=0, atol=allowed)


@both_types
def test_order_of_convergence_without_noise(solver_type: Type) -> None:
    assert order_of(DPMpp2MSDE(eta=0, solver_type=solver_type)) == pytest.approx([2, 2, 2], abs=0.1)


def test_first_step_is_ddim_at_eta_one() -> None:
    grid, x = trailing(SCHEDULE, 20), start(torch.float64)
    ours, ddim = run(DPMpp2MSDE(), grid, x, until=1), run(DDIM(eta=1), grid, x, until=1)
    # 1 - exp(-2h), where h is small, is known to fewer digits.
    torch.testing.assert_close(ours, ddim, rtol=0, atol=rounding(torch.float64, 1, 100 * LARGEST))


@both_types
@pytest.mark.parametrize("eta", [0.5, 1.0])
def test_keeps_the_spread_of_the_data(eta: float, solver_type: Type) -> None:
    """At 60 steps, where DDIM with eta 1 is short by 5 %."""
    toy, grid, solver = (
        Gaussian(mean=0.7, std=0.5),
        trailing(SCHEDULE, 60),
        DPMpp2MSDE(eta=eta, solver_type=solver_type),
    )
    generator = torch.Generator().manual_seed(0)
    x, state = torch.randn(20_000, 1, generator=generator, dtype=torch.float64), solver.init()
    for i in range(60):
        fresh = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        x, state = solver.step(x, toy.x0(x, grid.a[i], grid.s[i]), i, grid, state, fresh)
    assert x.mean().item() == pytest.approx(0.7, abs=0.02)
    assert x.std().item() == pytest.approx(0.5, abs=0.015)


def test_noise_is_needed_only_where_some_is_added() -> None:
    assert DPMpp2MSDE().needs_noise()
    assert not DPMpp2MSDE(eta=0).needs_noise() and not DPMpp2MSDE(s_noise=0).needs_noise()
