"""What a grid is, and how one is made: `make_grid("karras", schedule, 20, rho=5)`.

A way of placing levels is a frozen value whose fields are its options, called with a schedule and a count.
"""

from __future__ import annotations

import itertools
import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch

from studio.core.errors import BadInput
from studio.core.params import Params, Plain, load
from studio.core.registry import Registry
from studio.diffusion.schedule import FlowSchedule, NoiseSchedule, Schedule


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
        if any(later >= t for t, later in itertools.pairwise(self.timesteps)):
            raise ValueError("the times of a grid must fall")

    def __len__(self) -> int:
        return len(self.timesteps)

    def lam(self, i: int) -> float:
        """Half log-SNR log(a/s) at level i; infinite at the data end, and at pure noise."""
        if self.s[i] == 0:
            return math.inf
        return math.log(self.a[i] / self.s[i]) if self.a[i] > 0 else -math.inf


class GridMaker(Params):
    """One way of placing levels.

    source: where it comes from.
    schedule_type: the schedules it can place them on.
    """

    source: ClassVar[str]
    schedule_type: ClassVar[type[Schedule]]

    @abstractmethod
    def __call__(self, schedule: Schedule, n: int) -> Grid:
        """Place n steps. Raises BadInput if n or an option does not suit the schedule, or the schedule the grid."""


class VPGrid(GridMaker):
    """A way of placing levels on a table of training steps, for networks that predict eps or v.

    fewer: by how many the most steps it can place falls short of the table's.
    """

    schedule_type: ClassVar[type[Schedule]] = NoiseSchedule
    fewer: ClassVar[int] = 0

    @abstractmethod
    def times(self, schedule: NoiseSchedule, n: int) -> Sequence[float]:
        """Give n falling times within 0 .. T-1. n: 1 .. T - fewer."""

    def __call__(self, schedule: Schedule, n: int) -> Grid:
        if not isinstance(schedule, NoiseSchedule):
            raise BadInput("This grid is for models that predict eps or v.", "For flow models, take a flow grid.")
        most = schedule.num_train_timesteps - self.fewer
        if not 1 <= n <= most:
            raise BadInput(f"A grid of this kind takes 1..{most} steps, not {n}.", field="steps")
        return _at_times(schedule, self.times(schedule, n))


class FlowGrid(GridMaker):
    """A way of placing levels on the straight path of flow models."""

    schedule_type: ClassVar[type[Schedule]] = FlowSchedule

    @abstractmethod
    def sigmas(self, schedule: FlowSchedule, n: int) -> Sequence[float]:
        """Give n falling values of s within 0 < s <= 1. n: 1 .. T."""

    def __call__(self, schedule: Schedule, n: int) -> Grid:
        if not isinstance(schedule, FlowSchedule):
            raise BadInput("This grid is for flow models.", "For models that predict eps or v, take trailing.")
        total = schedule.num_train_timesteps
        if not 1 <= n <= total:
            raise BadInput(f"A grid of this kind takes 1..{total} steps, not {n}.", field="steps")
        return _at_times(schedule, [total * s for s in self.sigmas(schedule, n)])


# Each way of placing levels with its default options.
GRIDS: Registry[GridMaker] = Registry("grid")


def make_grid(name: str, schedule: Schedule, n: int, **options: Plain) -> Grid:
    """Make a grid of n steps. Raises NotFound for the name, BadInput for an option or for n."""
    return load(type(GRIDS.get(name)), options, f"grid {name}")(schedule, n)


def model_grid(spacing: str, schedule: Schedule, n: int, steps_offset: int = 0) -> Grid:
    """Make the grid that a model's scheduler config asks for. steps_offset: where the "leading" spacings begin.

    An offset that would lead beyond the last time (1000 steps of 1000, offset 1) is cut to what fits; diffusers fails
    there with an index out of range. Raises as `make_grid`.
    """
    if not spacing.startswith("leading"):
        return make_grid(spacing, schedule, n)
    total, strides = schedule.num_train_timesteps, max(n, 1) + (spacing == "leading_dpm")
    highest = (strides - 1) * (total // strides)
    return make_grid(spacing, schedule, n, steps_offset=min(steps_offset, total - 1 - highest))


def _at_times(schedule: Schedule, times: Sequence[float]) -> Grid:
    if any(later >= t for t, later in itertools.pairwise(times)):
        sentence = f"With these options, some of the {len(times)} steps of the grid fall on one time."
        raise BadInput(sentence, "Take fewer steps, or options nearer to their defaults.", field="steps")
    a, s = schedule.at(torch.tensor(times, dtype=torch.float64))
    return Grid(tuple(times), (*map(float, a), 1.0), (*map(float, s), 0.0))
