"""Solvers: one step from noise level i to i+1, given the guided prediction of the data at level i.

A solver is a frozen value and keeps nothing of a run: its state goes in and comes out. So a run can be dropped at
any step, two runs cannot touch each other, and `peek` can ask what a step would give.

Guidance acts before the solver: `x0` is always the guided prediction. x, x0: [B, ...], one noise level for all rows,
x in float32 or better for a whole run (a half-precision state loses the late steps). Coefficients are float64.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Protocol, cast

import torch
from torch import Tensor

from studio.core.params import Params, load, param
from studio.core.registry import Registry
from studio.diffusion.grid import Grid
from studio.diffusion.parameterisation import at_least_float32

# Guided x0 of earlier steps, newest last. Put back to () where guidance changes abruptly: the next step is then
# first order and does not mix predictions of two kinds.
SolverState = tuple[Tensor, ...]


class Solver(Protocol):
    """What the denoising loop needs of a solver."""

    def init(self) -> SolverState:
        """Give the state of a fresh run."""
        ...

    def step(
        self, x: Tensor, x0: Tensor, i: int, grid: Grid, state: SolverState, noise: Tensor | None = None
    ) -> tuple[Tensor, SolverState]:
        """Go from level i (0 .. N-1) to i+1; give the new x, of x's dtype, and the new state.

        noise: standard normal of x's shape, for solvers that are stochastic as set up.
        """
        ...

    def peek(self, x: Tensor, x0: Tensor, i: int, grid: Grid, state: SolverState) -> Tensor:
        """Give the x that `step` would, leaving everything as it is; for a stochastic solver, its mean."""
        ...

    def needs_noise(self) -> bool:
        """Whether `step` must be given noise."""
        ...


SOLVERS: Registry[type[Solver]] = Registry("sampler")


@SOLVERS.register("ddim")
class DDIM(Params):
    """First-order sampler, with any amount of fresh noise. Agrees with diffusers' DDIMScheduler.

    With h = lam_n - lam: `x_n = a_n x0 + sqrt(s_n² - sd²) eps + sd noise`, `sd = eta s_n sqrt(1 - e^{-2h})`.
    For variance-preserving levels that sd is the paper's; in this form it serves flow levels too.
    Source: arXiv:2010.02502, eq. 12 and 16.
    """

    eta: float = param(0.0, low=0, high=1, step=0.05, help="0 is deterministic, 1 adds as much noise as DDPM")

    def init(self) -> SolverState:
        return ()

    def needs_noise(self) -> bool:
        return self.eta > 0

    def step(
        self, x: Tensor, x0: Tensor, i: int, grid: Grid, state: SolverState, noise: Tensor | None = None
    ) -> tuple[Tensor, SolverState]:
        mean = self._mean(x, x0, i, grid)
        if self.eta > 0:
            if noise is None:
                raise ValueError("DDIM with eta > 0 needs noise")
            mean = mean + self._sd(i, grid) * noise
        return mean.to(x.dtype), state

    def peek(self, x: Tensor, x0: Tensor, i: int, grid: Grid, state: SolverState) -> Tensor:
        return self._mean(x, x0, i, grid).to(x.dtype)

    def _mean(self, x: Tensor, x0: Tensor, i: int, grid: Grid) -> Tensor:
        along = math.sqrt(max(grid.s[i + 1] ** 2 - self._sd(i, grid) ** 2, 0.0)) / grid.s[i]  # weight of (x - a x0)
        return along * at_least_float32(x) + (grid.a[i + 1] - along * grid.a[i]) * at_least_float32(x0)

    def _sd(self, i: int, grid: Grid) -> float:
        return self.eta * grid.s[i + 1] * math.sqrt(max(1 - _exp_minus_h(i, grid) ** 2, 0.0))


@SOLVERS.register("dpmpp_2m")
class DPMpp2M(Params):
    """DPM-Solver++ (2M): second order at one prediction per step. The default.

    `x_n = (s_n/s) x + a_n (1 - e^{-h}) D`, `D = (1 + 1/2r) x0 - (1/2r) x0_previous`, `r = h_previous/h`; the first
    step and the last, where s_n = 0, are of first order. Agrees with diffusers' DPMSolverMultistepScheduler set to
    dpmsolver++, order 2, midpoint, final_sigmas_type "zero" (lower_order_final then makes no difference).
    Source: arXiv:2211.01095, algorithm 2.
    """

    def init(self) -> SolverState:
        return ()

    def needs_noise(self) -> bool:
        return False

    def step(
        self, x: Tensor, x0: Tensor, i: int, grid: Grid, state: SolverState, noise: Tensor | None = None
    ) -> tuple[Tensor, SolverState]:
        return self.peek(x, x0, i, grid, state), (x0,)

    def peek(self, x: Tensor, x0: Tensor, i: int, grid: Grid, state: SolverState) -> Tensor:
        direction = at_least_float32(x0)
        if state and grid.s[i + 1] > 0:
            h_previous, h = grid.lam(i) - grid.lam(i - 1), grid.lam(i + 1) - grid.lam(i)
            # From pure noise (a = 0) h_previous is infinite and the step first order, as it should be.
            direction = torch.lerp(direction, at_least_float32(state[-1]).to(direction), -0.5 * h / h_previous)
        weight = grid.a[i + 1] * (1 - _exp_minus_h(i, grid))
        return (grid.s[i + 1] / grid.s[i] * at_least_float32(x) + weight * direction).to(x.dtype)


def _exp_minus_h(i: int, grid: Grid) -> float:
    """e^{-h} for the step from level i, h = lam_{i+1} - lam_i; written so that both infinite ends give 0."""
    return grid.s[i + 1] * grid.a[i] / (grid.a[i + 1] * grid.s[i])


def build_solver(name: str, params: Mapping[str, Any]) -> Solver:
    """Build the solver a recipe names. Raises NotFound for the name, BadInput for a parameter."""
    return cast("Solver", load(cast("type[Params]", SOLVERS.get(name)), params, f"sampler {name}"))
