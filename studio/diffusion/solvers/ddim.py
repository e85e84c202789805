"""DDIM: first order, with any amount of fresh noise.

With h = lam_n - lam:

    x_n = a_n x0 + sqrt(s_n² - sd²) eps + sd noise,   sd = eta s_n sqrt(1 - e^{-2h})

For variance-preserving levels that sd is the paper's; in this form it serves flow levels too, where the solver is
the Euler method on the velocity.
"""

from __future__ import annotations

import math
from typing import ClassVar

from torch import Tensor

from studio.core.params import param
from studio.diffusion.grid import Grid
from studio.diffusion.solvers.base import SOLVERS, Solver, SolverState, exp_minus_h


@SOLVERS.register("ddim")
class DDIM(Solver):
    """First-order sampler, with any amount of fresh noise. Agrees with diffusers' DDIMScheduler.

    Source: arXiv:2010.02502, eq. 12 and 16.
    """

    label: ClassVar[str] = "DDIM"
    source: ClassVar[str] = "arXiv:2010.02502"

    eta: float = param(0.0, low=0, high=1, step=0.05, help="0 is deterministic, 1 adds as much noise as DDPM")

    def needs_noise(self) -> bool:
        return self.eta > 0

    def advance(self, x: Tensor, x0: Tensor, i: int, grid: Grid, state: SolverState) -> tuple[Tensor, SolverState]:
        # weight of x - a x0, that is of s eps
        along = math.sqrt(max(grid.s[i + 1] ** 2 - self.noise_sd(i, grid) ** 2, 0.0)) / grid.s[i]
        return along * x + (grid.a[i + 1] - along * grid.a[i]) * x0, state

    def noise_sd(self, i: int, grid: Grid) -> float:
        return self.eta * grid.s[i + 1] * math.sqrt(max(1 - exp_minus_h(i, grid) ** 2, 0.0))
