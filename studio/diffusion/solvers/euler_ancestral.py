"""Euler ancestral: an Euler step to below the next level, and fresh noise up to it.

In k-diffusion's coordinates, x_k = x/a and sigma = s/a, from sigma to sigma':

    up = min(sigma', eta sigma' sqrt(1 - (sigma'/sigma)²)),   down = sqrt(sigma'² - up²)
    x_k' = x0 + (down/sigma)(x_k - x0) + s_noise up noise

up never exceeds sigma' for eta up to 1. Multiplied by a', with s_noise 1 this is DDIM of the same eta.
"""

from __future__ import annotations

import math
from typing import ClassVar

from torch import Tensor

from studio.core.params import param
from studio.diffusion.grid import Grid
from studio.diffusion.solvers.base import SOLVERS, Solver, SolverState, exp_minus_h


@SOLVERS.register("euler_ancestral")
class EulerAncestral(Solver):
    """First-order sampler that replaces noise as it goes; on one grid, DDIM of the same eta but for s_noise.

    Agrees with diffusers' EulerAncestralDiscreteScheduler at the defaults. Never settles: more steps change the
    picture. Source: k-diffusion, sample_euler_ancestral; the ancestral step is arXiv:2006.11239, algorithm 2.
    """

    label: ClassVar[str] = "Euler a"
    source: ClassVar[str] = "k-diffusion"

    eta: float = param(1.0, low=0, high=1, step=0.05, help="share of the noise replaced; 0 is Euler")
    s_noise: float = param(1.0, low=0, high=1.2, step=0.01, help="size of the fresh noise; above 1 adds grain")

    def needs_noise(self) -> bool:
        return self.eta > 0 and self.s_noise > 0

    def advance(self, x: Tensor, x0: Tensor, i: int, grid: Grid, state: SolverState) -> tuple[Tensor, SolverState]:
        down = math.sqrt(1 - self._up(i, grid) ** 2)
        along = down * grid.s[i + 1] / grid.s[i]
        return along * x + (grid.a[i + 1] - along * grid.a[i]) * x0, state

    def noise_sd(self, i: int, grid: Grid) -> float:
        return self.s_noise * grid.s[i + 1] * self._up(i, grid)

    def _up(self, i: int, grid: Grid) -> float:
        """up/sigma', within 0 .. 1; e^{-h} = sigma'/sigma."""
        return self.eta * math.sqrt(max(1 - exp_minus_h(i, grid) ** 2, 0.0))
