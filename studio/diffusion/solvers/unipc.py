"""UniPC: a predictor to the next level, and a corrector that takes the prediction made there once more into account.

Both are one formula. From level 0 to level t, with m_0 the guided x0 at level 0, m_k those at other levels,
h = lam_t - lam_0, r_k = (lam_k - lam_0)/h, and B(h) = e^{-h} - 1 (bh2) or -h (bh1):

    x_t = (s_t/s_0) x_0 - a_t (e^{-h} - 1) m_0 - a_t B(h) sum_k rho_k (m_k - m_0)/r_k

The rho solve  sum_k r_k^{n-1} rho_k = n! (-h) phi_{n+1}(-h) / B(h)  for n = 1, 2, ...; a single one is 1/2. Here
phi_1(z) = (e^z - 1)/z and phi_{n+1}(z) = (phi_n(z) - 1/n!)/z.
The predictor uses earlier levels; the corrector, one step later, also level t itself (r = 1). So the corrector
changes x at a level after the network has been asked there, and costs no evaluation.
"""

from __future__ import annotations

import math
from typing import ClassVar, Literal

import numpy as np
from torch import Tensor

from studio.core.params import param
from studio.diffusion.grid import Grid
from studio.diffusion.solvers.base import SOLVERS, Solver, SolverState, exp_minus_h


@SOLVERS.register("unipc")
class UniPC(Solver):
    """Deterministic predictor-corrector of order `order`, one higher with the corrector, up to 3 (its first steps').

    Agrees with diffusers' UniPCMultistepScheduler (predict_x0, lower_order_final). Without corrector, order 1 is
    DDIM. For large guidance scales leave the first steps uncorrected. Where guidance moves x itself, its move is
    kept: it is added to the corrected x. Source: arXiv:2302.04867, section 3.
    """

    label: ClassVar[str] = "UniPC"
    source: ClassVar[str] = "arXiv:2302.04867"

    order: int = param(2, low=1, high=3, step=1, help="of the predictor; 2 with guidance, 3 without")
    solver_type: Literal["bh1", "bh2"] = param("bh2", help="bh1 suits fewer than 10 steps without guidance")
    corrector: bool = param(True, help="correct each level with the prediction made there")
    corrector_start: int = param(
        0, low=0, high=20, step=1, unit="steps", help="steps left uncorrected at first", when={"corrector": (True,)}
    )

    def keeps_history(self) -> bool:
        return self.order > 1 or self.corrector

    # State: x as predicted for this level, x it was predicted from, and guided x0 of earlier levels, newest last.

    def advance(self, x: Tensor, x0: Tensor, i: int, grid: Grid, state: SolverState) -> tuple[Tensor, SolverState]:
        earlier = state[2:]
        if state and self.corrector and i > self.corrector_start:
            predicted, origin = state[0], state[1]
            x0_by_level = dict(zip(range(i - len(earlier), i), earlier, strict=True))
            used = min(self.order, len(grid) - i + 1, len(earlier))
            # The corrected x replaces the predicted one; what guidance has moved x by stays on top.
            x = x + (self._solve(origin, x0_by_level, used, i - 1, grid, corrected_by=x0) - predicted)
        x0_by_level = dict(zip(range(i - len(earlier), i + 1), (*earlier, x0), strict=True))
        used = min(self.order, len(grid) - i, len(x0_by_level))
        x_next = self._solve(x, x0_by_level, used, i, grid)
        return x_next, (x_next, x, *(*earlier, x0)[-self.order :])

    def _solve(
        self,
        x: Tensor,
        x0_by_level: dict[int, Tensor],
        order: int,
        i: int,
        grid: Grid,
        corrected_by: Tensor | None = None,
    ) -> Tensor:
        """Go from x at level i to i+1 with x0 by level; `order` of them at most, level i first."""
        m0, h = x0_by_level[i], grid.lam(i + 1) - grid.lam(i)
        phi = exp_minus_h(i, grid) - 1
        x_next = grid.s[i + 1] / grid.s[i] * x - grid.a[i + 1] * phi * m0
        # Levels infinitely far away, that is pure noise, say nothing of how x0 changes here.
        earlier_levels = [j for j in range(i - order + 1, i) if grid.a[j] > 0]
        ratios = [(grid.lam(j) - grid.lam(i)) / h for j in earlier_levels]
        differences = [(x0_by_level[j] - m0) / r for j, r in zip(earlier_levels, ratios, strict=True)]
        if corrected_by is not None:
            ratios.append(1.0)
            differences.append(corrected_by - m0)
        scale = -h if self.solver_type == "bh1" and math.isfinite(h) else phi  # B(h)
        for rho, difference in zip(_rhos(ratios, -h, scale), differences, strict=True):
            x_next = x_next - grid.a[i + 1] * scale * rho * difference
        return x_next


def _rhos(ratios: list[float], minus_h: float, scale: float) -> list[float]:
    """Solve for the weights of the differences; a single one is 1/2, as in the paper and in diffusers."""
    if len(ratios) < 2:
        return [0.5] * len(ratios)
    rows: list[list[float]] = []
    right: list[float] = []
    z_phi, factorial = math.expm1(minus_h) / minus_h - 1, 1.0  # z phi_{n+1}(z), z = -h
    for n in range(1, len(ratios) + 1):
        factorial *= n
        rows.append([r ** (n - 1) for r in ratios])
        right.append(factorial * z_phi / scale)
        z_phi = z_phi / minus_h - 1 / (factorial * (n + 1))
    return np.linalg.solve(np.array(rows), np.array(right)).tolist()
