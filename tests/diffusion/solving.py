"""Runs of a solver, of ours and of diffusers', on one grid and one exact denoiser."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from studio.diffusion.grid import Grid
from studio.diffusion.schedule import FlowSchedule, NoiseSchedule
from studio.diffusion.solvers import Solver
from tests.toys import Gaussian, latent_mixture

COSINE: dict[str, Any] = {
    "beta_schedule": "squaredcos_cap_v2",
    "beta_start": 1e-4,
    "beta_end": 0.02,
    "num_train_timesteps": 1000,
}
SCHEDULE = NoiseSchedule.from_config(**COSINE)
FLOW = FlowSchedule()

LONG = pytest.param(50, marks=pytest.mark.slow)  # steps of a run that says what one of twenty says
LARGEST = 4.0  # of the values of x on the way of a run from `start`

Denoiser = Callable[[Tensor, float, float], Tensor]


def start(dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(3, 4, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(5)).to(dtype)


def noise(i: int, sample: int) -> Tensor:
    """The fresh noise of one sample at step i, [1, 4, 4, 4]: its own, whatever the batch."""
    generator = torch.Generator().manual_seed(1000 * i + sample)
    return torch.randn(1, 4, 4, 4, dtype=torch.float64, generator=generator)


def noises(i: int, samples: range = range(3)) -> Tensor:
    return torch.cat([noise(i, sample) for sample in samples])


def mixture_x0(x: Tensor, a: float, s: float) -> Tensor:
    return latent_mixture().x0(x.double(), a, s).to(x.dtype)


def run(
    solver: Solver,
    grid: Grid,
    x: Tensor,
    denoiser: Denoiser = mixture_x0,
    until: int | None = None,
    samples: range = range(3),
) -> Tensor:
    """Go from level 0 to level `until` (default: the data), with fresh noise of these samples where it is needed."""
    state = solver.init()
    for i in range(len(grid) if until is None else until):
        fresh = noises(i, samples).to(x.dtype) if solver.needs_noise() else None
        x, state = solver.step(x, denoiser(x, grid.a[i], grid.s[i]), i, grid, state, fresh)
    return x


# -- diffusers on a grid of ours ------------------------------------------------------------------------------------


def on_grid(scheduler: Any, grid: Grid) -> Any:
    """Put a diffusers scheduler on this grid, in float64, and give it.

    Its sigma is s on flow grids and s/a otherwise; its timesteps only number the steps.
    """
    scheduler.set_timesteps(len(grid))
    flow = type(scheduler).__name__.startswith("FlowMatch") or scheduler.config.get("use_flow_sigmas")
    sigmas = grid.s if flow else [s / a for a, s in zip(grid.a, grid.s, strict=True)]
    scheduler.sigmas = torch.tensor(sigmas, dtype=torch.float64)
    scheduler.timesteps = torch.arange(len(grid), 0, -1, dtype=torch.float64)
    scheduler.set_begin_index(0)
    return scheduler


def theirs(scheduler: Any, grid: Grid, x: Tensor, output: Callable[..., Tensor], **options: Any) -> Tensor:
    """Run a scheduler that `on_grid` prepared. output(x, x0, a, s): what the network would have said."""
    for i, t in enumerate(scheduler.timesteps):
        a, s = grid.a[i], grid.s[i]
        fresh = {"variance_noise": noises(i).to(x.dtype)} if options.get("noisy") else {}
        x = scheduler.step(output(x, mixture_x0(x, a, s), a, s), t, x, **fresh).prev_sample
    return x


def as_x0(x: Tensor, x0: Tensor, a: float, s: float) -> Tensor:
    return x0


# -- order ----------------------------------------------------------------------------------------------------------


def even_grid(n: int) -> Grid:
    """n steps evenly spaced in log(a/s) from -2 to 2, then one to the data."""
    lam = [-2 + 4 * i / n for i in range(n + 1)]
    a = [1 / math.sqrt(1 + math.exp(-2 * each)) for each in lam]
    s = [1 / math.sqrt(1 + math.exp(2 * each)) for each in lam]
    return Grid(tuple(float(n - i) for i in range(n + 1)), (*a, 1.0), (*s, 0.0))


def order_of(solver: Solver, counts: tuple[int, ...] = (40, 80, 160, 320)) -> list[float]:
    """Measure the order: log2 of how much the global error falls when the steps double, on an ODE solved exactly."""
    toy, x = Gaussian(mean=0.7, std=0.5), start(torch.float64)
    errors: list[float] = []
    for n in counts:
        grid = even_grid(n)
        exact = toy.flow(x, (grid.a[0], grid.s[0]), (grid.a[n], grid.s[n]))
        errors.append((run(solver, grid, x, toy.x0, until=n) - exact).abs().max().item())
    return [math.log2(coarse / fine) for coarse, fine in zip(errors, errors[1:], strict=False)]
