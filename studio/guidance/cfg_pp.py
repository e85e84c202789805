"""CFG++: classifier-free guidance that goes back to noise along the unconditional prediction.

With c, u the conditional and unconditional predictions of the data, eps_u the noise u leaves, and a weight l of 0 to 1:

    g      = u + l*(c - u)
    x_next = a_next*g + s_next*eps_u

A first-order solver takes its noise from the state it is given. At x' = x + a*l*(c - u) that noise is eps_u and its
data g, so replacing the state is all it needs: x' = a*g + s*eps_u.
"""

from __future__ import annotations

from typing import ClassVar

from studio.core.params import param
from studio.diffusion.parameterisation import at_least_float32
from studio.guidance.base import GUIDANCE, Guidance, Guided, Plan, Preds, Request, StepCtx


@GUIDANCE.register("cfg_pp")
class CFGPlusPlus(Guidance):
    """Interpolate between both predictions, and renoise with the unconditional one.

    Exact for samplers of first order (DDIM, Euler); with others, state and history differ by a step's guidance. Costs
    2 NFE a step, at every weight.
    """

    label: ClassVar[str] = "CFG++"
    source: ClassVar[str] = "arXiv:2406.08070"
    # The data is then the conditional prediction; the noise is still the unconditional one.
    neutral: ClassVar[dict[str, float]] = {"weight": 1.0}
    native_space: ClassVar = "any"

    weight: float = param(0.6, low=0, high=1, step=0.05, help="0 follows no prompt, 1 the prompt's prediction alone")

    def describe(self) -> str:
        return f"g = u + {self.weight:g}*(c - u), back to noise along eps_u"

    def nfe(self) -> int:
        return 2

    def breaks_history(self) -> str:
        return "moves the latents before each step" if self.weight > 0 else ""

    def rounds(self, ctx: StepCtx) -> list[list[Request]]:
        return [[Request("cond", "pos"), Request("uncond", ctx.uncond)]]

    def plan(self, ctx: StepCtx) -> Plan:
        preds = Preds((yield self.rounds(ctx)[0]))
        u = preds.uncond.x0  # [B, C, H, W]
        step = self.weight * (preds.cond.x0 - u)
        moved = at_least_float32(ctx.x) + ctx.at.a * step
        return Guided((u + step).to(ctx.x.dtype), x=moved.to(ctx.x.dtype))
