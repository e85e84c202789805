"""Tangential damping: the unconditional prediction keeps only the direction it shares with the conditional one.

With c, u the predicted noises, v1 the first right singular vector of the two rows [c; u], w the scale:

    u' = keep*u + (1 - keep)*<u,v1>*v1
    g  = u' + w*(c - u')

v1 lies in the plane of c and u: v1 = p*c + q*u with (p, q) the first eigenvector of their 2x2 Gram matrix, at the angle
atan2(2<c,u>, <c,c> - <u,u>)/2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from torch import Tensor

from studio.core.params import param
from studio.guidance.base import GUIDANCE, OneRound, Quantity, State, StepCtx
from studio.guidance.prediction import Preds
from studio.guidance.space import has, in_space, to_data
from studio.guidance.vectors import dot, project, ratio

# Where the two eigenvalues differ by less than this share of their sum, v1 is arbitrary, and u is left alone.
MIN_GAP = 1e-6


@GUIDANCE.register("tangential")
class TangentialGuidance(OneRound):
    """Drop from the unconditional prediction what points off the direction common to both.

    `keep` is ours: 1 is classifier-free guidance. Known failure: a negative prompt far from the prompt can decide the
    common direction. Costs 2 NFE a step, 1 at scale 1.
    """

    source: ClassVar[str] = "arXiv:2503.18137"
    label: ClassVar[str] = "Tangential damping (TCFG)"
    neutral: ClassVar[dict[str, float]] = {"guidance_scale": 1.0}
    native_space: ClassVar = "eps"
    needs: ClassVar[tuple[str, ...]] = ("cond", "uncond")
    diagnostics: ClassVar[Mapping[str, Quantity]] = {
        "singular": Quantity("Second singular value over the first"),
        "left": Quantity("Length of the damped unconditional over its own"),
    }

    guidance_scale: float = param(3.0, low=0, high=30, step=0.1, help="1 follows the prompt as learned, more insists")
    keep: float = param(0.0, low=0, high=1, step=0.05, help="how much of the dropped part stays; 1 is plain guidance")
    space: Literal["eps", "raw", "x0"] = param("eps", help="what is damped: the predicted noise, as the paper does")

    def describe(self) -> str:
        return f"g = u' + {self.guidance_scale:g}*(c - u'), u' = {self.keep:g}*u + {1 - self.keep:g}*<u,v1>v1"

    def active_needs(self) -> tuple[str, ...]:
        return ("cond",) if self.guidance_scale == 1 else self.needs

    def combine(self, preds: Preds, step: StepCtx, state: State) -> tuple[Tensor, State]:
        if self.guidance_scale == 1 or not has(preds.cond, self.space):
            return preds.cond.x0, state
        c, u = in_space(preds.cond, self.space), in_space(preds.uncond, self.space)
        damped = damp(c, u, self.keep)
        return to_data(damped + self.guidance_scale * (c - damped), preds.cond, self.space), state

    def observe(self, preds: Preds, step: StepCtx, state: State) -> dict[str, Tensor]:
        if self.guidance_scale == 1 or not has(preds.cond, self.space):
            return {}
        c, u = in_space(preds.cond, self.space), in_space(preds.uncond, self.space)
        total = dot(c, c) + dot(u, u)
        gap = _gap(c, u)
        second = ((total - gap) / (total + gap).clamp(min=1e-30)).clamp(min=0).sqrt()
        return {"singular": second.flatten(), "left": ratio(damp(c, u, self.keep), u)}


def damp(c: Tensor, u: Tensor, keep: float = 0.0) -> Tensor:
    """Give u', [B, C, H, W]: u without what is off the common direction, `keep` of that left in."""
    gap = _gap(c, u)
    angle = 0.5 * torch.atan2(2 * dot(c, u), dot(c, c) - dot(u, u))  # [B, 1, 1, 1]
    common = angle.cos() * c + angle.sin() * u
    damped = keep * u + (1 - keep) * project(u.to(common.dtype), onto=common)
    clear = gap > MIN_GAP * (dot(c, c) + dot(u, u))
    return torch.where(clear, damped, u.to(damped.dtype)).to(u.dtype)


def _gap(c: Tensor, u: Tensor) -> Tensor:
    """The difference of the Gram matrix's eigenvalues."""
    return torch.hypot(dot(c, c) - dot(u, u), 2 * dot(c, u))
