"""Grids of flow models: values of s, moved towards the noise by `shift`.

    shifted(s) = k s / (1 + (k - 1) s) = s / (s + (1 - s)/k),  k = shift

Larger pictures need a larger shift; FLUX's exponential one with parameter mu is k = e^mu. "Shift 3" is not one grid:
at n = 8 diffusers' classes place

    FlowMatchEuler, given sigmas   1.0000 .9545 .9000 .8333 .7500 .6429 .5000 .3000   flow
    FlowMatchEuler                 1.0000 .9475 .8828 .8008 .6938 .5480 .3380 .0089   flow_euler
    DPMSolverMultistep              .9997 .9542 .8996 .8330 .7496 .6425 .4997 .2998   flow_dpm
    UniPCMultistep                 1.0000 .9546 .9001 .8336 .7504 .6435 .5010 .3017   flow_unipc

so solvers are compared on one grid by name. Source of the shift: arXiv:2403.03206, section 5.3.2.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from studio.core.params import param
from studio.diffusion.grid.base import GRIDS, FlowGrid
from studio.diffusion.schedule import FlowSchedule


class ShiftedGrid(FlowGrid):
    """A flow grid with a shift."""

    source: ClassVar[str] = "arXiv:2403.03206"
    shift: float = param(
        1.0, low=0.1, high=20, step=0.1, help="1 spaces the levels evenly, more spends steps on noise; 3 for SD3"
    )

    @abstractmethod
    def even(self, total: int, n: int) -> Sequence[float]:
        """Give n falling values of s before the shift. total: T."""

    def sigmas(self, schedule: FlowSchedule, n: int) -> Sequence[float]:
        return [self.shifted(s) for s in self.even(schedule.num_train_timesteps, n)]

    def shifted(self, s: float) -> float:
        """Move one s towards 1, for a shift above 1; 0 and 1 stay."""
        return s / (s + (1 - s) / self.shift)


class Flow(ShiftedGrid):
    """1, 1-1/n, ... 1/n, shifted: the trailing of flows.

    That of FLUX's pipeline, which hands FlowMatchEulerDiscreteScheduler its sigmas.
    """

    def even(self, total: int, n: int) -> Sequence[float]:
        return np.linspace(1, 1 / n, n).tolist()


class FlowEuler(ShiftedGrid):
    """n values evenly from 1 down to the shifted 1/T, shifted again; the last step starts very near the data.

    That of FlowMatchEulerDiscreteScheduler.set_timesteps(n), and so of SD3's pipeline.
    """

    def even(self, total: int, n: int) -> Sequence[float]:
        return np.linspace(1, self.shifted(1 / total), n).tolist()


class FlowDPM(ShiftedGrid):
    """n+1 values evenly from 1 - 1/T to 0, shifted, the 0 left out. Starts a little short of pure noise.

    That of DPMSolverMultistepScheduler with use_flow_sigmas and flow_shift.
    """

    def even(self, total: int, n: int) -> Sequence[float]:
        return np.linspace(1 - 1 / total, 0, n + 1)[:-1].tolist()


class FlowUniPC(ShiftedGrid):
    """n+1 values evenly from 1 to 1/T, shifted, the last left out.

    That of UniPCMultistepScheduler with use_flow_sigmas and flow_shift, which starts at 1 - 1e-6 to keep its
    logarithms finite.
    """

    def even(self, total: int, n: int) -> Sequence[float]:
        return np.linspace(1, 1 / total, n + 1)[:-1].tolist()


flow = GRIDS.register("flow")(Flow())
flow_euler = GRIDS.register("flow_euler")(FlowEuler())
flow_dpm = GRIDS.register("flow_dpm")(FlowDPM())
flow_unipc = GRIDS.register("flow_unipc")(FlowUniPC())
