"""Zigzag sampling: each step is taken with strong guidance, undone with weak, and what remains is kept.

In flow coordinates, from level s to s', d = s' - s, with u_w the velocity guided at scale w:

    y = x + d*u_w(x, s)                 a step with guidance
    z = y - d*u_v(y, s')                back with the scale v of the inversion
    x'' = x + gamma*(z - x)             and from there the step itself, guided at w

First order: z - x = (w - v)*d*(c - u), more of the prompt at the same noise level. In all steps but the last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor

from studio.core.params import param
from studio.guidance.base import GUIDANCE, Guidance, Guided, Plan, Preds, Quantity, Request, StepCtx
from studio.guidance.reflection import from_flow, guided_by, guided_requests, guided_x0, reflect, to_flow
from studio.guidance.vectors import ratio


@GUIDANCE.register("z_sampling")
class ZigzagSampling(Guidance):
    """Take each step, go back with less guidance, and start again from where that leads.

    The authors use scale 5.5 and inversion 0 on SDXL, and ask the way back at the time of the way out ("frozen").
    Known failure: errors of the inversion add up, and part of the gain is the added work: compare at equal cost. Costs
    5 NFE a step at inversion scales of 0 or 1, in three rounds.
    """

    label: ClassVar[str] = "Zigzag (Z-Sampling)"
    source: ClassVar[str] = "arXiv:2412.10891"
    neutral: ClassVar[dict[str, float]] = {"guidance_scale": 1.0, "strength": 0.0}
    native_space: ClassVar = "flow"

    diagnostics: ClassVar[Mapping[str, Quantity]] = {
        "zigzag": Quantity("How far the zigzag moves the state, before its strength")
    }

    guidance_scale: float = param(2.0, low=0, high=30, step=0.1, help="of the way out and of the step itself")
    inversion_scale: float = param(0.0, low=0, high=10, step=0.1, help="of the way back")
    strength: float = param(1.0, low=0, high=1.5, step=0.05, help="share of the displacement kept; 0 is plain guidance")
    until: float = param(1.0, low=0, high=1, step=0.05, help="share of the steps, from the first, that zigzag")
    eval_at: Literal["moved", "frozen"] = param(
        "moved", help="the noise level the way back is asked at: where it starts, or where the step started"
    )

    def describe(self) -> str:
        zigzag = f"x <- x + {self.strength:g}*(out at {self.guidance_scale:g}, back at {self.inversion_scale:g})"
        return f"{zigzag}; g = u + {self.guidance_scale:g}*(c - u)"

    def nfe(self) -> int:
        out, back = (len(guided_requests(scale, "empty")) for scale in (self.guidance_scale, self.inversion_scale))
        return 2 * out + back if self.strength > 0 and self.until > 0 else out

    def breaks_history(self) -> str:
        return "goes back and forth before a step" if self.strength > 0 and self.until > 0 else ""

    def rounds(self, ctx: StepCtx) -> list[list[Request]]:
        w = self.guidance_scale
        if not self._zigzags(ctx.i, ctx.n):
            return [guided_requests(w, ctx.uncond)]
        moved = torch.empty(0)
        return [guided_requests(scale, ctx.uncond, moved) for scale in (w, self.inversion_scale, w)]

    def plan(self, ctx: StepCtx) -> Plan:
        w, x = self.guidance_scale, ctx.x
        diag: dict[str, Tensor] = {}
        if self._zigzags(ctx.i, ctx.n):
            start = to_flow(x, ctx.at)
            at_y = ctx.at_next if self.eval_at == "moved" else ctx.at
            d = ctx.at_next.s_flow - ctx.at.s_flow
            out, back = (guided_by(scale, ctx.uncond, x.dtype) for scale in (w, self.inversion_scale))
            moved = yield from reflect(start, d, ctx.at, at_y, out, back, forward_first=True)
            if ctx.diagnose:
                diag["zigzag"] = ratio(moved, start)
            x = from_flow(start + self.strength * moved, ctx.at, x.dtype)
        preds = Preds((yield guided_requests(w, ctx.uncond, x)))
        return Guided(guided_x0(preds, w).to(x.dtype), x=None if x is ctx.x else x, diag=diag)

    def _zigzags(self, i: int, n: int) -> bool:
        return self.strength > 0 and i < min(self.until * n, n - 1)
