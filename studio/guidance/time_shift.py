"""Time-shift sampling: feed the network the time that the state looks like, rather than the one it should be at.

A sampled state has not quite the spread the network was trained on at its time t'. So, for each sample alone, with x0
the prediction of the step before,

    tau = argmin over t' - w/2 .. t' + w/2 of |var(x) - (a_tau²*var(x0) + s_tau²)|      while t' > cutoff

and the network is asked at x with tau. The state, and the noise levels the solver goes by, stay as they are. The paper
leaves out the term of x0, which is small for pixels; for latents of spread 1, var(x) is 1 at every time without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor

from studio.core.params import param
from studio.diffusion.schedule import FlowSchedule, Schedule
from studio.guidance.base import GUIDANCE, Guidance, Guided, Plan, Preds, Quantity, Request, StepCtx
from studio.guidance.reflection import guided_requests, guided_x0
from studio.guidance.vectors import std


@GUIDANCE.register("time_shift")
class TimeShift(Guidance):
    """Guide as usual, at network times moved to where each state's spread belongs.

    All predictions of a sample share one time. The authors use window 30 and cutoff 300 for 5 steps, 5 and 550 for 100.
    Known failure: wide windows oscillate. Costs nothing beyond classifier-free guidance.
    """

    label: ClassVar[str] = "Time shift (TS)"
    source: ClassVar[str] = "arXiv:2305.15583"
    neutral: ClassVar[dict[str, float]] = {"guidance_scale": 1.0, "window": 0}
    native_space: ClassVar = "any"

    diagnostics: ClassVar[Mapping[str, Quantity]] = {
        "time_shift": Quantity("How far the network's time is from the grid's", "training steps")
    }

    guidance_scale: float = param(1.5, low=0, high=30, step=0.1, help="1 follows the prompt as learned, more insists")
    window: int = param(
        30, low=0, high=200, step=2, unit="of 1000", help="times looked at, half to either side; 0 is no shift"
    )
    cutoff: int = param(300, low=0, high=1000, step=10, unit="of 1000", help="time up to which nothing is shifted")
    criterion: Literal["latent", "paper"] = param(
        "latent", help="whether the spread of the predicted image counts, or, as in the paper, noise alone"
    )

    def describe(self) -> str:
        return f"g = u + {self.guidance_scale:g}*(c - u), both asked at a time up to {self.window / 2:g} away"

    def nfe(self) -> int:
        return len(guided_requests(self.guidance_scale, "empty"))

    def rounds(self, ctx: StepCtx) -> list[list[Request]]:
        return [self._requests(ctx, torch.empty(0) if ctx.i > 0 and self._shifts(ctx) else None)]

    def plan(self, ctx: StepCtx) -> Plan:
        t = self._network_time(ctx)
        preds = Preds((yield self._requests(ctx, t)))
        diag = {"time_shift": t - ctx.at.t} if t is not None and ctx.diagnose else {}
        return Guided(guided_x0(preds, self.guidance_scale).to(ctx.x.dtype), diag=diag)

    def _requests(self, ctx: StepCtx, t: Tensor | None) -> list[Request]:
        requests = guided_requests(self.guidance_scale, ctx.uncond)
        return [Request(request.name, request.cond, t=t) for request in requests]

    def _shifts(self, ctx: StepCtx) -> bool:
        """Whether the step is one of those that may be shifted, if any has gone before."""
        if ctx.schedule is None or self.window < 2:
            return False
        return ctx.at.t > self.cutoff * ctx.schedule.num_train_timesteps / 1000

    def _network_time(self, ctx: StepCtx) -> Tensor | None:
        """tau per sample, [B]; None where nothing is shifted: in the first step, whose state is noise as it should be,
        and from the cutoff on."""
        if ctx.schedule is None or ctx.prev is None or not self._shifts(ctx):
            return None
        unit = ctx.schedule.num_train_timesteps / 1000
        x0 = ctx.prev.x0 if self.criterion == "latent" else None
        return network_time(ctx.x, x0, ctx.at.t, ctx.schedule, round(self.window * unit))


def network_time(x: Tensor, x0: Tensor | None, t: float, schedule: Schedule, window: int) -> Tensor:
    """Give the time within window/2 steps of t whose variance is nearest to x's, per sample: [B], float64.

    x: [B, ...] as fed to the network. x0: prediction of its data; None takes its variance to be 0. t itself if none
    is nearer.
    """
    last = schedule.num_train_timesteps - (0 if isinstance(schedule, FlowSchedule) else 1)
    # t first, then outwards: of equally near ones argmin takes the first.
    offsets = sorted(range(-(window // 2), window // 2 + 1), key=abs)
    times = (t + torch.tensor(offsets, dtype=torch.float64)).clamp(0, last)  # [K]
    a, s = schedule.at(times)
    have = _variance(x)  # [B, 1]
    want = s * s if x0 is None else a * a * _variance(x0) + s * s  # [K] or [B, K]
    return times[(have - want).abs().argmin(1)]


def _variance(x: Tensor) -> Tensor:
    return std(x).reshape(-1, 1).double().cpu() ** 2
