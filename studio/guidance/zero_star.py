"""CFG-Zero*: the unconditional velocity scaled to fit the conditional one, and no motion in the first steps.

With c, u the velocities eps - x0 and w the scale:

    k = <c,u>/max(<u,u>, 1e-8)
    v = k*u + w*(c - k*u)
    v = 0        in the first `zero_steps` steps

Models of any parameterisation are taken to flow coordinates x/(a+s); there "v = 0" means x0 = eps = x/(a+s). Zeroing
the raw output of a noise-predicting model, as diffusers does, would mean something else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor

from studio.core.params import param
from studio.diffusion.parameterisation import at_least_float32
from studio.guidance.base import GUIDANCE, Guided, OneRound, Plan, Quantity, Request, State, StepCtx
from studio.guidance.prediction import Preds
from studio.guidance.space import has, in_space, to_data
from studio.guidance.vectors import dot, ratio


@GUIDANCE.register("zero_star")
class ZeroStarGuidance(OneRound):
    """Guidance for flow models that are not trained to the end: fitted scale, and a first step that stands still.

    Known failures: with few steps every zeroed one is missed; a well trained model loses by them. Costs 2 NFE a
    step, 1 at scale 1, none in a zeroed step.
    """

    source: ClassVar[str] = "arXiv:2503.18886"
    label: ClassVar[str] = "CFG-Zero*"
    neutral: ClassVar[dict[str, float]] = {"guidance_scale": 1.0, "zero_steps": 0}
    excused: ClassVar[Mapping[str, str]] = {"first step": "it stands still there, whatever the predictions"}
    native_space: ClassVar = "flow"
    needs: ClassVar[tuple[str, ...]] = ("cond", "uncond")
    diagnostics: ClassVar[Mapping[str, Quantity]] = {
        "fit": Quantity("Scale k of the unconditional velocity"),
        "misfit": Quantity("Length of c - k*u over that of c"),
    }

    guidance_scale: float = param(4.0, low=0, high=30, step=0.1, help="1 follows the prompt as learned, more insists")
    zero_steps: int = param(1, low=0, high=5, step=1, unit="steps", help="first steps that stand still; 0 is off")
    fit: bool = param(True, help="scale the unconditional velocity to fit; off is plain guidance")

    def describe(self) -> str:
        steps = "the first step stands" if self.zero_steps == 1 else f"the first {self.zero_steps} steps stand"
        still = f"; {steps} still" if self.zero_steps else ""
        k = "k*u" if self.fit else "u"
        return f"v = {k} + {self.guidance_scale:g}*(c - {k}){still}"

    def active_needs(self) -> tuple[str, ...]:
        return ("cond",) if self.guidance_scale == 1 else self.needs

    def breaks_history(self) -> str:
        return "predicts nothing in its first steps" if self.zero_steps > 0 else ""

    def rounds(self, ctx: StepCtx) -> list[list[Request]]:
        return [] if ctx.i < self.zero_steps else super().rounds(ctx)

    def plan(self, ctx: StepCtx) -> Plan:
        if ctx.i < self.zero_steps:
            still = at_least_float32(ctx.x) / (ctx.at.a + ctx.at.s)
            return Guided(still.to(ctx.x.dtype), ctx.state)
        return (yield from super().plan(ctx))

    def combine(self, preds: Preds, step: StepCtx, state: State) -> tuple[Tensor, State]:
        if self.guidance_scale == 1 or not has(preds.cond, "flow"):
            return preds.cond.x0, state
        c, u = in_space(preds.cond, "flow"), in_space(preds.uncond, "flow")  # [B, C, H, W]
        fitted = (self._k(c, u) * u).to(u.dtype)
        return to_data(fitted + self.guidance_scale * (c - fitted), preds.cond, "flow"), state

    def observe(self, preds: Preds, step: StepCtx, state: State) -> dict[str, Tensor]:
        if self.guidance_scale == 1 or not has(preds.cond, "flow"):
            return {}
        c, u = in_space(preds.cond, "flow"), in_space(preds.uncond, "flow")
        k = self._k(c, u)
        return {"fit": k.flatten(), "misfit": ratio(c - (k * u).to(c.dtype), c)}

    def _k(self, c: Tensor, u: Tensor) -> Tensor:
        """[B, 1, 1, 1]."""
        return dot(c, u) / dot(u, u).clamp(min=1e-8) if self.fit else torch.ones_like(dot(u, u))
