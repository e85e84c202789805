"""Normalized attention guidance: away from the negative prompt inside the network, where prompts are attended to.

Of each token of the latents, in every cross-attention, with Z+ its attention to the prompt and Z- what the same query
pays to the negative prompt:

    Z~ = Z+ + (s - 1)*(Z+ - Z-)             s = nag_scale; the paper's phi is s - 1
    Z^ = Z~ * min(r, tau)/r                 r = |Z~|_1 / |Z+|_1
    Z  = Z+ + alpha*(Z^ - Z+)

With c+ what the network then predicts for the prompt, u its prediction for the negative prompt (the empty one where
there is none) and w the scale of classifier-free guidance:

    g = u + w*(c+ - u)                      at w = 1, without u:  c+

Prompt and negative prompt share the query, so both are one row: at w = 1 a step is one network evaluation.
"""

from __future__ import annotations

from typing import ClassVar

from studio.core.params import param
from studio.guidance.attention import AttentionGuidance
from studio.guidance.base import GUIDANCE, Guidance, Guided, Plan, Preds, Request, StepCtx


@GUIDANCE.register("nag")
class NormalizedAttentionGuidance(Guidance):
    """A negative prompt that acts without classifier-free guidance, at the cost of its attention alone.

    The authors use scale 3, tau 2.5 and alpha 0.5 for SDXL in few steps, scale 5 and alpha 0.25 for FLUX; their rule is
    to find tau and alpha for a model, and then to change the scale alone. Without a negative prompt it moves away from
    the empty one, as theirs does, which insists on the prompt. A negative prompt that is the prompt itself has no
    effect. Several negatives are attended to by their weights, each in its window. Known failures: more pictures break;
    the authors hold tau and alpha low where steps are many or the guidance scale is high. The curves of the page are
    told from c+, so what happens in attention is not in them. Costs 1 NFE a step, 2 with classifier-free guidance, and
    a second cross-attention.
    """

    label: ClassVar[str] = "Normalized attention (NAG)"
    source: ClassVar[str] = "arXiv:2505.21179"
    neutral: ClassVar[dict[str, float]] = {"guidance_scale": 1.0, "nag_scale": 1.0}
    native_space: ClassVar = "any"
    denoiser: ClassVar = "unet"

    guidance_scale: float = param(
        1.0,
        low=0,
        high=30,
        step=0.1,
        help="of classifier-free guidance besides; 1 is none of it, and saves a network evaluation",
    )
    nag_scale: float = param(
        3.0,
        low=1,
        high=20,
        step=0.1,
        label="NAG scale",
        help="how far attention moves from the negative prompt; 1 is off",
    )
    nag_tau: float = param(
        2.5, low=1, high=10, step=0.1, label="NAG limit (tau)", help="how many times as long as before attention may be"
    )
    nag_alpha: float = param(
        0.5, low=0, high=1, step=0.05, label="NAG share (alpha)", help="how much of the outcome is taken; 0 is off"
    )
    start: float = param(0.0, low=0, high=1, step=0.01, help="share of the steps done when it begins")
    stop: float = param(1.0, low=0, high=1, step=0.01, help="share of the steps done when it ends")

    def describe(self) -> str:
        cond = "c+" if self._is_on() else "c"
        start = cond if self.guidance_scale == 1 else f"u + {self.guidance_scale:g}*({cond} - u)"
        if not self._is_on():
            return f"g = {start}, attention as it is"
        window = "" if (self.start, self.stop) == (0, 1) else f", from {self.start:g} to {self.stop:g} of the steps"
        return (
            f"g = {start}, attention scale {self.nag_scale:g}, tau {self.nag_tau:g}, alpha {self.nag_alpha:g}{window}"
        )

    def nfe(self) -> int:
        return 1 + (self.guidance_scale != 1)

    def rounds(self, ctx: StepCtx) -> list[list[Request]]:
        requests = [Request("cond", "pos", attention=self.attention(ctx))]
        if self.guidance_scale != 1:
            requests.append(Request("uncond", ctx.uncond))
        return [requests]

    def attention(self, ctx: StepCtx) -> AttentionGuidance | None:
        """What happens in cross-attention at a step; None where nothing does, and the row is a plain one."""
        inside = int(self.start * ctx.n) <= ctx.i < int(self.stop * ctx.n)
        if not inside or not self._is_on():
            return None
        return AttentionGuidance(ctx.uncond, self.nag_scale, self.nag_tau, self.nag_alpha)

    def plan(self, ctx: StepCtx) -> Plan:
        preds = Preds((yield self.rounds(ctx)[0]))
        g = preds.cond.x0  # [B, C, H, W]
        if self.guidance_scale != 1:
            g = preds.uncond.x0 + self.guidance_scale * (g - preds.uncond.x0)
        return Guided(g.to(ctx.x.dtype), ctx.state)

    def _is_on(self) -> bool:
        return self.nag_scale != 1 and self.nag_alpha != 0
