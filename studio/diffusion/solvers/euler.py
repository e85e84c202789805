"""Euler: the straight step along the probability-flow ODE.

In k-diffusion's coordinates, x_k = x/a and sigma = s/a:

    dx_k/dsigma = (x_k - x0)/sigma,   x_k' = x_k + (sigma' - sigma)(x_k - x0)/sigma

which in ours, multiplied by a', is

    x' = (s'/s) x + (a' - a s'/s) x0

and that is DDIM without noise: the two have the same pictures wherever they have the same grid. What people compare
as "Euler against DDIM" is their libraries' different grids. On flow levels it is x' = x + (s' - s)(eps - x0).
"""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from studio.diffusion.grid import Grid
from studio.diffusion.solvers.base import SOLVERS, Solver, SolverState


@SOLVERS.register("euler")
class Euler(Solver):
    """First-order deterministic sampler; on one grid its pictures are those of DDIM with eta 0.

    Agrees with diffusers' EulerDiscreteScheduler (s_churn 0) and FlowMatchEulerDiscreteScheduler.
    Source: arXiv:2206.00364, algorithm 1 without its second-order correction.
    """

    label: ClassVar[str] = "Euler"
    source: ClassVar[str] = "arXiv:2206.00364"

    def advance(self, x: Tensor, x0: Tensor, i: int, grid: Grid, state: SolverState) -> tuple[Tensor, SolverState]:
        along = grid.s[i + 1] / grid.s[i]
        return along * x + (grid.a[i + 1] - along * grid.a[i]) * x0, state
