"""Grids placed by noise level s/a; their times are fractional.

diffusers' DPM-Solver rounds the times of karras, and feeds the network a level beside the one it steps from; ours
are those of the levels. Its classes place levels over the schedule's whole range, as we do by default; but Euler's
goes down only to the level of the lowest time of its timestep_spacing.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

from studio.core.errors import BadInput
from studio.core.params import param
from studio.diffusion.grid.base import GRIDS, VPGrid
from studio.diffusion.grid.beta_quantile import beta_quantile
from studio.diffusion.schedule import NoiseSchedule


class LevelGrid(VPGrid):
    """A way of placing levels between a lowest and a highest."""

    sigma_min: float = param(0.0, low=0, high=1, step=0.01, help="lowest level s/a; 0 takes the schedule's")
    sigma_max: float = param(0.0, low=0, high=1000, step=0.1, help="highest level s/a; 0 takes the schedule's")

    @abstractmethod
    def place(self, log_min: float, log_max: float, p: float) -> float:
        """Give the log(s/a) that lies a share p of the way down, p between 0 (log_max) and 1 (log_min)."""

    def times(self, schedule: NoiseSchedule, n: int) -> Sequence[float]:
        table = schedule.log_sigma
        lowest, highest = table[0].item(), table[-1].item()
        log_min = math.log(self.sigma_min) if self.sigma_min else lowest
        log_max = math.log(self.sigma_max) if self.sigma_max else highest
        if not lowest <= log_min < log_max <= highest:
            model_range = f"{math.exp(lowest):.4g} to {math.exp(highest):.4g}"
            grid_range = f"{math.exp(log_min):.4g} to {math.exp(log_max):.4g}"
            raise BadInput(
                f"The levels must rise within what the model knows, {model_range}, not {grid_range}.", field="sigma_max"
            )
        between = (self.place(log_min, log_max, i / (n - 1)) for i in range(1, n - 1))
        # The ends are put in as they are: a rounding error above the table would be a time that does not exist.
        return [schedule.time_of(log_sigma) for log_sigma in (log_max, *between, log_min)[:n]]


class Karras(LevelGrid):
    """Levels evenly spaced in their rho-th root.

    That of diffusers' use_karras_sigmas. Source: arXiv:2206.00364, eq. 5.
    """

    source: ClassVar[str] = "arXiv:2206.00364"
    rho: float = param(7.0, low=1, high=20, step=0.5, help="1 spaces the levels evenly, more shortens the late steps")

    def place(self, log_min: float, log_max: float, p: float) -> float:
        high, low = math.exp(log_max / self.rho), math.exp(log_min / self.rho)
        return self.rho * math.log(high + p * (low - high))


class Exponential(LevelGrid):
    """Levels evenly spaced in their logarithm, so that every step is as long in log-SNR.

    That of diffusers' use_exponential_sigmas, of its use_lu_lambdas, and of k-diffusion's polyexponential at rho 1.
    """

    source: ClassVar[str] = "arXiv:2206.00927"

    def place(self, log_min: float, log_max: float, p: float) -> float:
        return log_max + p * (log_min - log_max)


class BetaLevels(LevelGrid):
    """Levels at quantiles of a beta distribution between lowest and highest.

    That of diffusers' use_beta_sigmas. The paper places times so, not levels: see `beta`. Where the highest level is
    far above all others, as in cosine schedules, most steps are lost there; set sigma_max.
    """

    source: ClassVar[str] = "arXiv:2407.12173"
    alpha: float = param(0.6, low=0.3, high=3, step=0.05, help="below 1 crowds steps at the data end")
    beta: float = param(0.6, low=0.3, high=3, step=0.05, help="below 1 crowds steps at the noise end")

    def place(self, log_min: float, log_max: float, p: float) -> float:
        low, high = math.exp(log_min), math.exp(log_max)
        return math.log(low + beta_quantile(1 - p, self.alpha, self.beta) * (high - low))


karras = GRIDS.register("karras")(Karras())
exponential = GRIDS.register("exponential")(Exponential())
beta_levels = GRIDS.register("beta_levels")(BetaLevels())
