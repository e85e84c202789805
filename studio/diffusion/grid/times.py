"""Grids placed by training time. The same word means different times in diffusers' classes:

    trailing              every class
    leading               DDIM, DDPM, PNDM, Euler, Euler ancestral: N strides of T//N
    leading_dpm           DPM-Solver, UniPC, DEIS: N+1 strides of T//(N+1), without the last
    linspace              DDIM, DDPM: N times, rounded
    linspace_dpm          DPM-Solver, UniPC, DEIS: N+1 times, rounded, without the last
    linspace_fractional   Euler, Euler ancestral, and k-diffusion: N times, not rounded

All but the leading ones start at the noisiest time, T-1. Source of the spacings: arXiv:2305.08891, table 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from studio.core.errors import BadInput
from studio.core.params import param
from studio.diffusion.grid.base import GRIDS, VPGrid
from studio.diffusion.schedule import NoiseSchedule


class Trailing(VPGrid):
    """T-1 down in strides of T/n, so the first step starts at the noisiest time: 999, 949, ... for n = 20."""

    source: ClassVar[str] = "arXiv:2305.08891"

    def times(self, schedule: NoiseSchedule, n: int) -> Sequence[float]:
        total = schedule.num_train_timesteps
        # numpy's own arange and round-half-even, as diffusers: T*i/n computed otherwise differs at ties (n = 48).
        # Rounding of the stride can make arange one longer than n; the extra time would be -1.
        return (np.arange(total, 0, -total / n)[:n].round() - 1).tolist()


class Leading(VPGrid):
    """Multiples of T//n from `steps_offset` up, reversed: 950, 900, ... 0 for n = 20. Misses the noisiest times.

    That of diffusers' DDIMScheduler, PNDMScheduler, EulerDiscreteScheduler and EulerAncestralDiscreteScheduler.
    """

    source: ClassVar[str] = "arXiv:2305.08891"
    steps_offset: int = param(0, low=0, high=10, step=1, help="added to every time; 1 in Stable Diffusion's configs")

    def times(self, schedule: NoiseSchedule, n: int) -> Sequence[float]:
        return _strides(schedule, range(n), schedule.num_train_timesteps // n, self.steps_offset)


class LeadingDPM(VPGrid):
    """Multiples of T//(n+1), the lowest left out: 940, 893, ... 47 for n = 20. Misses the noisiest times.

    That of diffusers' DPMSolverMultistepScheduler, UniPCMultistepScheduler and DEISMultistepScheduler.
    """

    source: ClassVar[str] = "arXiv:2206.00927"
    fewer: ClassVar[int] = 1
    steps_offset: int = param(0, low=0, high=10, step=1, help="added to every time; 1 in Stable Diffusion's configs")

    def times(self, schedule: NoiseSchedule, n: int) -> Sequence[float]:
        stride = schedule.num_train_timesteps // (n + 1)
        return _strides(schedule, range(1, n + 1), stride, self.steps_offset)


class Linspace(VPGrid):
    """n times evenly from T-1 to 0, rounded. n = 1 gives T-1 (diffusers gives 0, which starts from data).

    That of diffusers' DDIMScheduler.
    """

    source: ClassVar[str] = "arXiv:2305.08891"

    def times(self, schedule: NoiseSchedule, n: int) -> Sequence[float]:
        last = schedule.num_train_timesteps - 1
        return np.linspace(0, last, n).round()[::-1].tolist() if n > 1 else [float(last)]


class LinspaceDPM(VPGrid):
    """n+1 times evenly from T-1 to 0, rounded, the 0 left out.

    That of diffusers' DPMSolverMultistepScheduler, UniPCMultistepScheduler and DEISMultistepScheduler.
    """

    source: ClassVar[str] = "arXiv:2206.00927"
    fewer: ClassVar[int] = 1

    def times(self, schedule: NoiseSchedule, n: int) -> Sequence[float]:
        return np.linspace(0, schedule.num_train_timesteps - 1, n + 1).round()[:0:-1].tolist()


class LinspaceFractional(VPGrid):
    """n times evenly from T-1 to 0, not rounded.

    That of k-diffusion's get_sigmas. diffusers' EulerDiscreteScheduler and EulerAncestralDiscreteScheduler have the
    same times, but interpolate s/a where we and k-diffusion interpolate its logarithm: up to 1e-4 apart.
    """

    source: ClassVar[str] = "k-diffusion"

    def times(self, schedule: NoiseSchedule, n: int) -> Sequence[float]:
        return np.linspace(schedule.num_train_timesteps - 1, 0, n).tolist()


def _strides(schedule: NoiseSchedule, multiples: range, stride: int, offset: int) -> Sequence[float]:
    last = schedule.num_train_timesteps - 1
    times = [float(i * stride + offset) for i in reversed(multiples)]
    if times[0] > last:
        sentence = f"With {len(times)} steps and a steps_offset of {offset} a grid would start at time {times[0]:g},"
        raise BadInput(f"{sentence} and the model knows 0..{last}.", "Take fewer steps.", field="steps_offset")
    return times


trailing = GRIDS.register("trailing")(Trailing())
leading = GRIDS.register("leading")(Leading())
leading_dpm = GRIDS.register("leading_dpm")(LeadingDPM())
linspace = GRIDS.register("linspace")(Linspace())
linspace_dpm = GRIDS.register("linspace_dpm")(LinspaceDPM())
linspace_fractional = GRIDS.register("linspace_fractional")(LinspaceFractional())
