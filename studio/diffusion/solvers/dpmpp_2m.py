"""DPM-Solver++ (2M): second order at one prediction per step.

    x_n = (s_n/s) x + a_n (1 - e^{-h}) D,   D = (1 + 1/2r) x0 - (1/2r) x0_previous,   r = h_previous/h

The first step and the last, where s_n = 0, are of first order; that is DDIM.
"""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from studio.diffusion.grid import Grid
from studio.diffusion.solvers.base import SOLVERS, Solver, SolverState, exp_minus_h


@SOLVERS.register("dpmpp_2m")
class DPMpp2M(Solver):
    """Second-order deterministic sampler. The default.

    Agrees with diffusers' DPMSolverMultistepScheduler set to dpmsolver++, order 2, midpoint, final_sigmas_type "zero"
    (lower_order_final then makes no difference). Source: arXiv:2211.01095, algorithm 2.
    """

    label: ClassVar[str] = "DPM++ 2M"
    source: ClassVar[str] = "arXiv:2211.01095"

    def keeps_history(self) -> bool:
        return True

    def advance(self, x: Tensor, x0: Tensor, i: int, grid: Grid, state: SolverState) -> tuple[Tensor, SolverState]:
        direction = x0
        if state and grid.s[i + 1] > 0:
            h_previous, h = grid.lam(i) - grid.lam(i - 1), grid.lam(i + 1) - grid.lam(i)
            # From pure noise (a = 0) h_previous is infinite and the step first order, as it should be.
            direction = torch.lerp(direction, state[-1].to(direction), -0.5 * h / h_previous)
        weight = grid.a[i + 1] * (1 - exp_minus_h(i, grid))
        return grid.s[i + 1] / grid.s[i] * x + weight * direction, (x0,)
