"""Limited interval: guidance only where it helps, the conditional prediction elsewhere.

    g = guided      inside the interval
    g = c           outside, and only c is asked for

At very high noise guidance hurts variety, at very low noise it is wasted. The same interval in three units, since a
share of the steps means other noise levels on another grid:

    interval             start*N <= i < stop*N, the bounds rounded down to whole steps, as in diffusers
    interval_sigma       sigma_min < sigma <= sigma_max with sigma = s/a
    interval_timestep    t_min <= t <= t_max
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

from studio.core.errors import BadInput
from studio.core.params import param, specs
from studio.guidance.base import Guidance, Plan, Request, StepCtx
from studio.guidance.prediction import NoisePoint
from studio.guidance.wrapper import CONDITIONAL, WRAPPERS, Wrapper, conditional

UNBOUNDED_SIGMA = 100.0  # above every trained noise level but that of zero terminal SNR, which is infinite


class _Interval(Wrapper):
    """An interval from its first field to its second."""

    source: ClassVar[str] = "arXiv:2404.07724"

    @abstractmethod
    def holds(self, i: int, n: int, at: NoisePoint) -> bool:
        """Whether step i of n, at this level, lies inside."""

    def check(self, inner: Guidance) -> None:
        first, second = specs(type(self))
        low, high = getattr(self, first.name), getattr(self, second.name)
        if low > high:
            raise BadInput(
                f"In the guidance wrapper {type(self).label}, {first.name} must be a number from {first.low:g} to "
                f"{second.name}, which is {high:g}, not {low:g}.",
                field=first.name,
            )

    def rounds(self, inner: Guidance, ctx: StepCtx) -> list[list[Request]]:
        return inner.rounds(ctx) if self.holds(ctx.i, ctx.n, ctx.at) else [[CONDITIONAL]]

    def plan(self, inner: Guidance, ctx: StepCtx) -> Plan:
        return (yield from inner.plan(ctx) if self.holds(ctx.i, ctx.n, ctx.at) else conditional(ctx))

    def describe(self) -> str:
        first, second = specs(type(self))
        return f"only for {first.name} {getattr(self, first.name):g} to {second.name} {getattr(self, second.name):g}"


@WRAPPERS.register("interval")
class StepInterval(_Interval):
    """Guidance in a part of the steps only."""

    label: ClassVar[str] = "interval"

    start: float = param(0.0, low=0, high=1, step=0.01, help="share of the steps done when guidance begins")
    stop: float = param(1.0, low=0, high=1, step=0.01, help="share of the steps done when guidance ends")

    def holds(self, i: int, n: int, at: NoisePoint) -> bool:
        return int(self.start * n) <= i < int(self.stop * n)


@WRAPPERS.register("interval_sigma")
class SigmaInterval(_Interval):
    """Guidance at certain noise levels only: the same picture content on every grid."""

    label: ClassVar[str] = "interval of sigma"

    sigma_min: float = param(
        0.28, low=0, high=UNBOUNDED_SIGMA, step=0.01, help="guidance above this noise level, noise over signal"
    )
    sigma_max: float = param(
        5.4, low=0, high=UNBOUNDED_SIGMA, step=0.1, help="guidance up to this noise level; 100 is no limit"
    )

    def holds(self, i: int, n: int, at: NoisePoint) -> bool:
        sigma = at.s / at.a if at.a > 0 else math.inf
        return self.sigma_min < sigma and (self.sigma_max >= UNBOUNDED_SIGMA or sigma <= self.sigma_max)


@WRAPPERS.register("interval_timestep")
class TimestepInterval(_Interval):
    """Guidance at certain timesteps only, of the 1000 of training."""

    label: ClassVar[str] = "interval of timesteps"

    t_min: float = param(0.0, low=0, high=1000, step=1, help="guidance from this timestep on; 0 is the image")
    t_max: float = param(1000.0, low=0, high=1000, step=1, help="guidance up to this timestep; 1000 is noise")

    def holds(self, i: int, n: int, at: NoisePoint) -> bool:
        return self.t_min <= at.t <= self.t_max
