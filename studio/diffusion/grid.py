"""Grids: the noise levels a sampler visits, from noise down to data.

The same name means different times in different libraries, so a grid is a value of its own and solvers are
compared on equal grids. `leading` and `linspace` place N times as diffusers' DDIMScheduler does (its DPM-Solver
spaces N+1 and drops one); `trailing` is the same in both, and the one for a model that must see pure noise.
Source of the three spacings: arXiv:2305.08891, table 2; of `karras`: arXiv:2206.00364, eq. 5.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from studio.core.registry import Registry
from studio.diffusion.schedule import NoiseSchedule


@dataclass(frozen=True)
class Grid:
    """N steps through N+1 noise levels.

    timesteps: N times to feed the network with, falling, may be fractional.
    a, s: N+1 numbers each (float64); level i belongs to timesteps[i], level N is data: a = 1, s = 0.
    """

    timesteps: tuple[float, ...]
    a: tuple[float, ...]
    s: tuple[float, ...]

    def __post_init__(self) -> None:
        if not len(self.timesteps) + 1 == len(self.a) == len(self.s) >= 2:
            raise ValueError("a grid of N >= 1 times needs N+1 values of a and of s")
        if self.a[-1] != 1 or self.s[-1] != 0:
            raise ValueError("the last level of a grid must be data: a = 1, s = 0")
        if any(after >= before for before, after in zip(self.timesteps, self.timesteps[1:], strict=False)):
            raise ValueError("the times of a grid must fall")

    def __len__(self) -> int:
        return len(self.timesteps)

    def lam(self, i: int) -> float:
        """Half log-SNR log(a/s) at level i; infinite at the data end, and at pure noise."""
        if self.s[i] == 0:
            return math.inf
        return math.log(self.a[i] / self.s[i]) if self.a[i] > 0 else -math.inf


GridMaker = Callable[[NoiseSchedule, int], Grid]
GRIDS: Registry[GridMaker] = Registry("grid")


@GRIDS.register("trailing")
def trailing(schedule: NoiseSchedule, n: int) -> Grid:
    """T-1 down in strides of T/n, so the first step starts at the noisiest time: 999, 949, ... for n = 20."""
    _check(schedule, n)
    total = schedule.num_train_timesteps
    # numpy's own arange and round-half-even, as diffusers: T*i/n computed otherwise differs at ties (n = 48).
    # Rounding of the stride can make arange one longer than n; the extra time would be -1.
    times = np.arange(total, 0, -total / n)[:n].round() - 1
    return _at_times(schedule, times.tolist())


@GRIDS.register("leading")
def leading(schedule: NoiseSchedule, n: int, offset: int = 0) -> Grid:
    """Multiples of T//n from `offset` up, reversed: 950, 900, ... 0 for n = 20. Never sees the noisiest times."""
    _check(schedule, n)
    stride = schedule.num_train_timesteps // n
    return _at_times(schedule, [float(i * stride + offset) for i in reversed(range(n))])


@GRIDS.register("linspace")
def linspace(schedule: NoiseSchedule, n: int) -> Grid:
    """n times evenly from T-1 to 0, rounded. n = 1 gives T-1 (diffusers gives 0, which starts from data)."""
    _check(schedule, n)
    if n == 1:
        return trailing(schedule, 1)
    return _at_times(schedule, np.linspace(0, schedule.num_train_timesteps - 1, n).round()[::-1].tolist())


@GRIDS.register("karras")
def karras(schedule: NoiseSchedule, n: int, rho: float = 7.0) -> Grid:
    """Noise levels s/a evenly spaced in their rho-th root, over the schedule's whole range; times are fractional."""
    _check(schedule, n)
    lowest, highest = (math.exp(schedule.log_sigma[i].item() / rho) for i in (0, -1))
    roots = (highest + i / max(n - 1, 1) * (lowest - highest) for i in range(n))
    return _at_times(schedule, [schedule.time_of(rho * math.log(root)) for root in roots])


def _at_times(schedule: NoiseSchedule, times: list[float]) -> Grid:
    a, s = schedule.at(torch.tensor(times, dtype=torch.float64))
    return Grid(tuple(times), (*map(float, a), 1.0), (*map(float, s), 0.0))


def _check(schedule: NoiseSchedule, n: int) -> None:
    if not 1 <= n <= schedule.num_train_timesteps:
        raise ValueError(f"a grid needs 1..{schedule.num_train_timesteps} steps, not {n}")
