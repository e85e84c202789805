"""Solvers: parity with diffusers on one grid, measured order on an exact ODE, and purity."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from torch import Tensor

from studio.core.errors import BadInput
from studio.core.params import load
from studio.diffusion.grid import GRIDS, Grid, trailing
from studio.diffusion.parameterisation import from_x0
from studio.diffusion.schedule import NoiseSchedule
from studio.diffusion.solvers import DDIM, SOLVERS, DPMpp2M, Solver
from tests.toys import Gaussian, latent_mixture

# diffusers makes numpy arrays of tensors in a way numpy 2 warns of; not ours to mend.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

SCHEDULE = NoiseSchedule.from_config("squaredcos_cap_v2", 1e-4, 0.02, 1000)
CONFIG: dict[str, Any] = {
    "num_train_timesteps": 1000,
    "beta_start": 1e-4,
    "beta_end": 0.02,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "v_prediction",
    "timestep_spacing": "trailing",
    "steps_offset": 1,
}
DPM: dict[str, Any] = {
    "algorithm_type": "dpmsolver++",
    "solver_type": "midpoint",
    "lower_order_final": True,
    "final_sigmas_type": "zero",
}
# Coefficients are float64 here and float32 in diffusers: 2e-6 apart at most where measured, on latents of up to 3.
TOLERANCE: dict[str, Any] = {"rtol": 0.0, "atol": 5e-6}

Denoiser = Callable[[Tensor, float, float], Tensor]


def start(dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(3, 4, 4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(5)).to(dtype)


def mixture_x0(x: Tensor, a: float, s: float) -> Tensor:
    return latent_mixture().x0(x.double(), a, s).to(x.dtype)


def run(solver: Solver, grid: Grid, x: Tensor, denoiser: Denoiser, until: int | None = None) -> Tensor:
    """Go from level 0 to level `until` (default: the data)."""
    state = solver.init()
    for i in range(len(grid) if until is None else until):
        x, state = solver.step(x, denoiser(x, grid.a[i], grid.s[i]), i, grid, state)
    return x


@pytest.mark.parametrize(
    ("solver", "scheduler", "counts"),
    [
        (DPMpp2M(), DPMSolverMultistepScheduler(**CONFIG, **DPM, solver_order=2), (1, 2, 4, 14, 15, 20, 50)),
        (DDIM(), DPMSolverMultistepScheduler(**CONFIG, **DPM, solver_order=1), (1, 2, 4, 14, 15, 20, 50)),
        # Where n does not divide T, diffusers' DDIM steps to a level off its own grid.
        (DDIM(), DDIMScheduler(**CONFIG, clip_sample=False), (1, 2, 4, 20, 50)),
    ],
    ids=["2m", "first order", "ddim"],
)
def test_agrees_with_diffusers(solver: Solver, scheduler: Any, counts: tuple[int, ...]) -> None:
    for n in counts:
        scheduler.set_timesteps(n)
        grid = trailing(SCHEDULE, n)
        theirs = start()
        for i, t in enumerate(scheduler.timesteps):
            a, s = grid.a[i], grid.s[i]
            v = from_x0("v_prediction", mixture_x0(theirs, a, s), theirs, a, s)
            theirs = scheduler.step(v, t, theirs).prev_sample
        torch.testing.assert_close(run(solver, grid, start(), mixture_x0), theirs, **TOLERANCE)


@pytest.mark.parametrize("eta", [0.3, 1.0])
def test_stochastic_ddim_agrees_with_diffusers(eta: float) -> None:
    scheduler: Any = DDIMScheduler(**CONFIG, clip_sample=False)
    scheduler.set_timesteps(20)
    grid, solver = trailing(SCHEDULE, 20), DDIM(eta=eta)
    generator = torch.Generator().manual_seed(1)
    ours = theirs = start()
    for i, t in enumerate(scheduler.timesteps):
        a, s = grid.a[i], grid.s[i]
        noise = torch.randn(ours.shape, generator=generator)
        v = from_x0("v_prediction", mixture_x0(theirs, a, s), theirs, a, s)
        theirs = scheduler.step(v, t, theirs, eta=eta, variance_noise=noise).prev_sample
        ours, _ = solver.step(ours, mixture_x0(ours, a, s), i, grid, (), noise)
    torch.testing.assert_close(ours, theirs, **TOLERANCE)


def even_grid(n: int) -> Grid:
    """n steps evenly spaced in log(a/s) from -2 to 2, then one to the data."""
    lam = [-2 + 4 * i / n for i in range(n + 1)]
    a = [1 / math.sqrt(1 + math.exp(-2 * each)) for each in lam]
    s = [1 / math.sqrt(1 + math.exp(2 * each)) for each in lam]
    return Grid(tuple(float(n - i) for i in range(n + 1)), (*a, 1.0), (*s, 0.0))


def error(solver: Solver, n: int) -> float:
    toy, grid = Gaussian(mean=0.7, std=0.5), even_grid(n)
    x = start(torch.float64)
    exact = toy.flow(x, (grid.a[0], grid.s[0]), (grid.a[n], grid.s[n]))
    return (run(solver, grid, x, toy.x0, until=n) - exact).abs().max().item()


@pytest.mark.parametrize(("solver", "order"), [(DDIM(), 1), (DPMpp2M(), 2)], ids=["ddim", "2m"])
def test_order_of_convergence(solver: Solver, order: int) -> None:
    """Doubling the steps divides the global error by 2^order, on an ODE whose solution is known."""
    errors = [error(solver, n) for n in (40, 80, 160, 320)]
    slopes = [math.log2(coarse / fine) for coarse, fine in zip(errors, errors[1:], strict=False)]
    assert slopes[-1] == pytest.approx(order, abs=0.1)
    assert all(slope > order - 0.35 for slope in slopes)


def test_first_step_of_2m_and_one_after_a_reset_are_ddim() -> None:
    grid, x = trailing(SCHEDULE, 20), start()
    x0 = mixture_x0(x, 0.6, 0.8)
    for i in (0, 7, 19):
        first_order, _ = DDIM().step(x, x0, i, grid, ())
        torch.testing.assert_close(DPMpp2M().step(x, x0, i, grid, ())[0], first_order, rtol=0, atol=2e-6)


@pytest.mark.parametrize("name", SOLVERS.names())
class TestEverySolver:
    def test_ends_on_the_last_prediction(self, name: str) -> None:
        grid = trailing(SCHEDULE, 4)
        x0 = mixture_x0(start(), 0.6, 0.8)
        ended, _ = SOLVERS.get(name)().step(start(), x0, 3, grid, (start(),))
        torch.testing.assert_close(ended, x0)

    @pytest.mark.parametrize("grid_name", GRIDS.names())
    def test_a_constant_prediction_is_solved_exactly(self, name: str, grid_name: str) -> None:
        """The ODE with x0 held fixed is linear, and every solver of this family is exact on it."""
        x, fixed = start(torch.float64), torch.ones(3, 4, 4, 4, dtype=torch.float64)
        grid = GRIDS.get(grid_name)(SCHEDULE, 9)
        ended = run(SOLVERS.get(name)(), grid, x, lambda *_: fixed, until=8)
        exact = grid.a[8] * fixed + grid.s[8] / grid.s[0] * (x - grid.a[0] * fixed)
        torch.testing.assert_close(ended, exact)

    def test_peek_is_step_and_leaves_all_as_it_was(self, name: str) -> None:
        solver, grid = SOLVERS.get(name)(), trailing(SCHEDULE, 6)
        x, state = start(), solver.init()
        for i in range(6):
            x0 = mixture_x0(x, grid.a[i], grid.s[i])
            before = [tensor.clone() for tensor in (x, x0, *state)]
            peeked = solver.peek(x, 0.5 * x0, i, grid, state)
            assert not torch.equal(peeked, solver.peek(x, x0, i, grid, state))
            x_next, state_next = solver.step(x, x0, i, grid, state)
            assert torch.equal(x_next, solver.peek(x, x0, i, grid, state))
            assert all(torch.equal(*pair) for pair in zip(before, (x, x0, *state), strict=True))
            x, state = x_next, state_next

    @pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
    def test_keeps_dtype(self, name: str, dtype: torch.dtype) -> None:
        ended = run(SOLVERS.get(name)(), trailing(SCHEDULE, 5), start(dtype), mixture_x0)
        assert ended.dtype == dtype and ended.isfinite().all()

    def test_each_sample_is_alone(self, name: str) -> None:
        grid = trailing(SCHEDULE, 6)
        together = run(SOLVERS.get(name)(), grid, start(torch.float64), mixture_x0)
        alone = [run(SOLVERS.get(name)(), grid, one[None], mixture_x0) for one in start(torch.float64)]
        torch.testing.assert_close(together, torch.cat(alone), rtol=1e-12, atol=1e-12)

    def test_starts_from_pure_noise(self, name: str) -> None:
        """Zero terminal SNR: a = 0 and log(a/s) infinite at the first level."""
        grid = Grid((999.0, 600.0, 300.0), (0.0, 0.6, 0.9, 1.0), (1.0, 0.8, math.sqrt(0.19), 0.0))
        assert run(SOLVERS.get(name)(), grid, start(), mixture_x0).isfinite().all()


def test_ddim_at_eta_one_keeps_the_spread_of_the_data() -> None:
    """With the exact denoiser and many steps, both samplers end on the data's own mean and deviation."""
    toy, grid = Gaussian(mean=0.7, std=0.5), trailing(SCHEDULE, 200)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(20_000, 1, generator=generator, dtype=torch.float64)
    for i in range(200):
        noise = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        x, _ = DDIM(eta=1).step(x, toy.x0(x, grid.a[i], grid.s[i]), i, grid, (), noise)
    assert x.mean().item() == pytest.approx(0.7, abs=0.02)
    assert x.std().item() == pytest.approx(0.5, abs=0.02)


def test_stochastic_ddim_peeks_at_its_mean() -> None:
    grid, solver, x = trailing(SCHEDULE, 20), DDIM(eta=0.5), start()
    assert solver.needs_noise() and not DDIM().needs_noise()
    mean, _ = solver.step(x, x, 3, grid, (), torch.zeros_like(x))
    assert torch.equal(solver.peek(x, x, 3, grid, ()), mean)
    with pytest.raises(ValueError, match="needs noise"):
        solver.step(x, x, 3, grid, ())


def test_eta_is_bounded() -> None:
    with pytest.raises(BadInput, match="eta must be a number from 0 to 1, not 1.5"):
        load(DDIM, {"eta": 1.5}, "sampler ddim")
