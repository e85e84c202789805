"""UniPC: parity with diffusers in float64, order, where the corrector acts, and what it leaves alone."""

from typing import Any, Literal

import pytest
import torch
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler

from studio.diffusion.grid import Grid, make_grid, trailing
from studio.diffusion.solvers import DDIM, UniPC
from tests.diffusion.solving import (
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

B = Literal["bh1", "bh2"]
both_types = pytest.mark.parametrize("solver_type", ["bh1", "bh2"])


def agree(ours: UniPC, options: dict[str, Any], grid_name: str, n: int) -> None:
    """Compare up to the last step and, where diffusers can take it, with it.

    With bh1 diffusers multiplies B(h) = -h, infinite on the way to the data, with a sum of no terms: NaN.
    """
    flow = grid_name.startswith("flow")
    grid = make_grid(grid_name, FLOW if flow else SCHEDULE, n)
    scheduler: Any = on_grid(UniPCMultistepScheduler(prediction_type="sample", use_flow_sigmas=flow, **options), grid)
    state, x, them = ours.init(), start(torch.float64), start(torch.float64)
    for i, t in enumerate(scheduler.timesteps):
        a, s = grid.a[i], grid.s[i]
        x, state = ours.step(x, mixture_x0(x, a, s), i, grid, state)
        them = scheduler.step(mixture_x0(them, a, s), t, them).prev_sample
        if i < n - 1 or ours.solver_type == "bh2":
            torch.testing.assert_close(x, them, rtol=0, atol=rounding(torch.float64, 2 * n, LARGEST))


@pytest.mark.parametrize("n", [1, 2, 3, 20, LONG])
@pytest.mark.parametrize("grid_name", ["trailing", "leading_dpm", "karras", "exponential", "flow_dpm"])
@pytest.mark.parametrize("order", [1, 2, 3])
@both_types
def test_agrees_with_diffusers(solver_type: B, order: int, grid_name: str, n: int) -> None:
    options = {"solver_order": order, "solver_type": solver_type}
    agree(UniPC(order=order, solver_type=solver_type), options, grid_name, n)


@pytest.mark.parametrize("order", [1, 2, 3])
@pytest.mark.parametrize("first", [1, 2, 20])
def test_agrees_with_diffusers_where_the_corrector_starts_late(first: int, order: int) -> None:
    options = {"solver_order": order, "disable_corrector": list(range(first))}
    agree(UniPC(order=order, corrector_start=first), options, "trailing", 20)


@pytest.mark.parametrize("order", [1, 2, 3])
def test_agrees_with_diffusers_without_corrector(order: int) -> None:
    options = {"solver_order": order, "disable_corrector": list(range(20))}
    agree(UniPC(order=order, corrector=False), options, "trailing", 20)


@pytest.mark.parametrize("grid_name", ["trailing", "karras", "flow"])
@both_types
def test_of_order_one_without_corrector_it_is_ddim(solver_type: B, grid_name: str) -> None:
    grid, x = make_grid(grid_name, FLOW if grid_name == "flow" else SCHEDULE, 20), start(torch.float64)
    ours = run(UniPC(order=1, corrector=False, solver_type=solver_type), grid, x)
    torch.testing.assert_close(ours, run(DDIM(), grid, x), rtol=0, atol=rounding(torch.float64, 20, LARGEST))


@pytest.mark.parametrize(("order", "corrector", "slope"), [(1, False, 1), (1, True, 2), (2, False, 2), (2, True, 3)])
@both_types
def test_order_of_convergence(solver_type: B, order: int, corrector: bool, slope: int) -> None:
    """One higher with the corrector: arXiv:2302.04867, section 3."""
    measured = order_of(UniPC(order=order, corrector=corrector, solver_type=solver_type))
    assert measured == pytest.approx([slope] * 3, abs=0.1)


@both_types
def test_of_order_three_its_first_steps_set_the_order(solver_type: B) -> None:
    assert order_of(UniPC(order=3, solver_type=solver_type)) == pytest.approx([3, 3, 3], abs=0.15)


def test_the_corrector_acts_from_the_second_step_on() -> None:
    grid, x = trailing(SCHEDULE, 20), start(torch.float64)
    with_it, without = UniPC(), UniPC(corrector=False)
    assert torch.equal(run(with_it, grid, x, until=1), run(without, grid, x, until=1))
    assert not torch.allclose(run(with_it, grid, x, until=2), run(without, grid, x, until=2), atol=1e-4)


def test_a_move_of_x_by_guidance_survives_the_corrector() -> None:
    """By as much as it would have counted without one: s_n/s of it is left at the next level."""
    grid, x, solver = trailing(SCHEDULE, 20), start(torch.float64), UniPC()
    state = solver.init()
    for i in range(5):
        x, state = solver.step(x, mixture_x0(x, grid.a[i], grid.s[i]), i, grid, state)
    x0, move = mixture_x0(x, grid.a[5], grid.s[5]), torch.full_like(x, 0.01)
    stayed, moved = solver.peek(x, x0, 5, grid, state), solver.peek(x + move, x0, 5, grid, state)
    torch.testing.assert_close(
        moved - stayed, grid.s[6] / grid.s[5] * move, rtol=0, atol=rounding(torch.float64, 6, LARGEST)
    )


def test_diffusers_left_to_itself_on_a_flow_starts_short_of_pure_noise() -> None:
    """At s = 1 - 1e-6, or the logarithm is infinite; ours takes s = 1 as it is and ends within 1e-4 of it."""
    scheduler: Any = UniPCMultistepScheduler(prediction_type="sample", use_flow_sigmas=True, flow_shift=3.0)
    scheduler.set_timesteps(20)
    grid, x = make_grid("flow_unipc", FLOW, 20, shift=3), start(torch.float64)
    them = theirs(scheduler, grid, x, as_x0)
    short = Grid(grid.timesteps, (1e-6, *grid.a[1:]), (1 - 1e-6, *grid.s[1:]))
    torch.testing.assert_close(run(UniPC(), short, x), them, rtol=0, atol=rounding(torch.float32, 1, LARGEST))
    torch.testing.assert_close(run(UniPC(), grid, x), them, rtol=0, atol=1e-4)
