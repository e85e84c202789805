"""What the methods share that push away from a prediction made worse on purpose.

With c, u the conditional and unconditional predictions, d the conditional one of a degraded network, w the scale of
classifier-free guidance and s that of the method:

    g = [u + w*(c - u)] + s*(c - d)      at w = 1, without u:  c + s*(c - d)

The formula gives the same image on x0, eps, v or u.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from studio.core.params import param
from studio.guidance.base import Guidance, Guided, NoisePoint, Plan, Preds, Quantity, Request, StepCtx
from studio.guidance.vectors import cosine, ratio


class DegradedGuidance(Guidance):
    """A method that says how the network is degraded, and how strongly it pushes at a step.

    One round: c, u where the scale of classifier-free guidance is not 1, d where the push is not 0.
    """

    diagnostics: ClassVar[Mapping[str, Quantity]] = {
        "degraded_gap": Quantity("Gap to the degraded prediction: |c - d|/|c|"),
        "degraded_cos": Quantity("Cosine of c - d and c - u"),
    }

    guidance_scale: float = param(
        1.0,
        low=0,
        high=30,
        step=0.1,
        help="of classifier-free guidance besides; 1 is none of it, and saves a network evaluation",
    )

    def describe(self) -> str:
        start = "c" if self.guidance_scale == 1 else f"u + {self.guidance_scale:g}*(c - u)"
        return f"g = {start} + {self.most():g}*(c - d)"

    @abstractmethod
    def degraded(self) -> Request:
        """Ask for the degraded prediction, under the name "degraded"."""

    @abstractmethod
    def strength(self, i: int, n: int, at: NoisePoint) -> float:
        """Give s at step i of n; 0 where the method does nothing, and its row is saved."""

    def most(self) -> float:
        """Give the largest s of any step."""
        return self.strength(0, 1, NoisePoint(0.0, 1.0, 1000.0))

    def nfe(self) -> int:
        return 1 + (self.guidance_scale != 1) + (self.most() != 0)

    def rounds(self, ctx: StepCtx) -> list[list[Request]]:
        requests = [Request("cond", "pos")]
        if self.guidance_scale != 1:
            requests.append(Request("uncond", ctx.uncond))
        if self.strength(ctx.i, ctx.n, ctx.at) != 0:
            requests.append(self.degraded())
        return [requests]

    def plan(self, ctx: StepCtx) -> Plan:
        s = self.strength(ctx.i, ctx.n, ctx.at)
        preds = Preds((yield self.rounds(ctx)[0]))
        c = g = preds.cond.x0  # [B, C, H, W]
        if self.guidance_scale != 1:
            g = preds.uncond.x0 + self.guidance_scale * (c - preds.uncond.x0)
        if s == 0:
            return Guided(g.to(ctx.x.dtype))
        away = c - preds.degraded.x0
        diag: dict[str, Tensor] = {}
        if ctx.diagnose:
            diag = {"degraded_gap": ratio(away, c)}
            if self.guidance_scale != 1:
                diag["degraded_cos"] = cosine(away, c - preds.uncond.x0)
        return Guided((g + s * away).to(ctx.x.dtype), diag=diag)
