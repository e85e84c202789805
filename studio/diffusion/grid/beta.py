"""The beta grid: times crowded at both ends, where pictures change most."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from studio.core.params import param
from studio.diffusion.grid.base import GRIDS, VPGrid
from studio.diffusion.grid.beta_quantile import beta_quantile
from studio.diffusion.schedule import NoiseSchedule


class Beta(VPGrid):
    """T-1 times the quantiles 1, 1-1/n, ... 1/n of a beta distribution. At alpha = beta = 1 the times are even.

    ComfyUI's "beta" rounds these times and drops doubles; ours are fractional, so n steps are n steps. diffusers'
    use_beta_sigmas places levels instead: see `beta_levels`.
    """

    source: ClassVar[str] = "arXiv:2407.12173"
    alpha: float = param(0.6, low=0.3, high=3, step=0.05, help="below 1 crowds steps at the data end")
    beta: float = param(0.6, low=0.3, high=3, step=0.05, help="below 1 crowds steps at the noise end")

    def times(self, schedule: NoiseSchedule, n: int) -> Sequence[float]:
        last = schedule.num_train_timesteps - 1
        return [last * beta_quantile(1 - i / n, self.alpha, self.beta) for i in range(n)]


beta = GRIDS.register("beta")(Beta())
